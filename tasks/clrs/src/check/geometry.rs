//! Checks of plane geometry.

mod scan;

use super::compare;
use crate::published::Algorithm;

/// If the sine of the angle between two vectors is smaller than this, rounding decides the side.
const ROUNDING: f64 = 1e-12;
/// Smaller products have lost digits at any angle.
const TINY: f64 = 1e-290;

/// The area spanned by two vectors, positive if the second is to the left of the first.
fn cross((ax, ay): (f64, f64), (bx, by): (f64, f64)) -> f64 {
    ax * by - ay * bx
}

/// Whether the sign of the area spanned by two vectors is certain.
fn certain(a: (f64, f64), b: (f64, f64)) -> bool {
    let length = |(x, y): (f64, f64)| x.abs() + y.abs();
    cross(a, b).abs() > ROUNDING * length(a) * length(b) + TINY
}

/// Whether two segments meet. In general position: whether the intersection of their lines is on both, found by solving
/// for it. Otherwise a segment whose end is on the other's line, as rounded, decides.
pub fn segments(x: &[f64], y: &[f64], given: i64) -> Result<(), String> {
    let to = |from: usize, to: usize| (x[to] - x[from], y[to] - y[from]);
    let ends = [(to(2, 0), to(2, 3)), (to(2, 1), to(2, 3)), (to(0, 2), to(0, 1)), (to(0, 3), to(0, 1))];
    let sides = ends.map(|(end, line)| cross(end, line));
    let determinant = cross(to(0, 1), to(2, 3));
    let meet = if ends.iter().all(|(end, line)| certain(*end, *line)) && certain(to(0, 1), to(2, 3)) {
        let inside = |share: f64| (0.0..=1.0).contains(&share);
        inside(cross(to(0, 2), to(2, 3)) / determinant) && inside(cross(to(0, 2), to(0, 1)) / determinant)
    } else {
        // Compares signs instead of multiplying, because products of small numbers underflow to 0.
        let apart = |left: f64, right: f64| left.min(right) < 0.0 && left.max(right) > 0.0;
        let within = |point: usize, from: usize, to: usize| {
            [x, y].into_iter().all(|c| {
                let (after, before) = (c[point] - c[from], c[point] - c[to]);
                after == 0.0 || before == 0.0 || apart(after, before)
            })
        };
        let ends = [within(0, 2, 3), within(1, 2, 3), within(2, 0, 1), within(3, 0, 1)];
        let touches = sides.iter().zip(ends).any(|(side, end)| *side == 0.0 && end);
        touches || (apart(sides[0], sides[1]) && apart(sides[2], sides[3]))
    };
    compare(&[i64::from(meet)], &[given])
}

/// The corners of the convex hull. In general position: the points around which all others leave a gap of more than a
/// half turn. Otherwise the result of the benchmark's march, or of its scan in any order of points at equal angles.
pub fn hull(algorithm: Algorithm, x: &[f64], y: &[f64], given: &[i64]) -> Result<(), String> {
    let points: Vec<(f64, f64)> = x.iter().copied().zip(y.iter().copied()).collect();
    let expected = if general(&points) {
        (0..points.len()).map(|point| is_corner(&points, point)).collect()
    } else if algorithm == Algorithm::GrahamScan {
        return scan::leads_to(&points, given);
    } else {
        march(&points)
    };
    compare(&expected.into_iter().map(i64::from).collect::<Vec<_>>(), given)
}

fn way(from: (f64, f64), to: (f64, f64)) -> (f64, f64) {
    (to.0 - from.0, to.1 - from.1)
}

/// Positive for a left turn.
fn turn(from: (f64, f64), middle: (f64, f64), to: (f64, f64)) -> f64 {
    cross(way(from, middle), way(from, to))
}

/// Whether no three points are nearly collinear, seen from any of them: a difference of two distant points has lost
/// digits that a third nearby needs.
fn general(points: &[(f64, f64)]) -> bool {
    let seen_from = |a: (f64, f64), b, c| certain(way(a, b), way(a, c));
    let not_in_line = |a, b, c| seen_from(a, b, c) && seen_from(b, c, a) && seen_from(c, a, b);
    points.len() > 2
        && points.iter().enumerate().all(|(index, a)| {
            let rest = &points[index + 1..];
            rest.iter().enumerate().all(|(next, b)| rest[next + 1..].iter().all(|c| not_in_line(*a, *b, *c)))
        })
}

/// Whether a line through the point has all others on one side: some other point has all the rest on its left.
fn is_corner(points: &[(f64, f64)], point: usize) -> bool {
    let others = || (0..points.len()).filter(|other| *other != point);
    others().any(|next| {
        others().filter(|other| *other != next).all(|other| turn(points[point], points[next], points[other]) > 0.0)
    })
}

fn lowest(points: &[(f64, f64)]) -> usize {
    let key = |index: &usize| (points[*index].1, points[*index].0);
    let less = |left: &usize, right: &usize| key(left).partial_cmp(&key(right)).unwrap_or(std::cmp::Ordering::Equal);
    (0..points.len()).min_by(less).unwrap_or_default()
}

/// Jarvis' march: the next corner is the last point that no point to the right of the direction replaces.
fn march(points: &[(f64, f64)]) -> Vec<bool> {
    let mut corners = vec![lowest(points)];
    loop {
        let corner = corners[corners.len() - 1];
        let next = (0..points.len()).fold(0, |next, point| {
            let replaces = point != corner && point != next && turn(points[corner], points[next], points[point]) <= 0.0;
            if next == corner || replaces { point } else { next }
        });
        if corners.contains(&next) {
            return (0..points.len()).map(|point| corners.contains(&point)).collect();
        }
        corners.push(next);
    }
}
