//! Plane geometry.

use haltbench_sdk::{Error, Result};

use crate::argsort::argsort;
use crate::trace::Trace;

/// Whether the segments from point 0 to 1 and from 2 to 3 meet: one step per point whose side is determined.
pub fn segments_intersect(x: &[f64], y: &[f64]) -> Trace {
    let mut trace = Trace::started(vec![0]);
    let mut sides = [0.0; 4];
    let mut touches = false;
    for (point, (from, to)) in [(2, 3), (2, 3), (0, 1), (0, 1)].into_iter().enumerate() {
        sides[point] = (x[point] - x[from]) * (y[to] - y[from]) - (x[to] - x[from]) * (y[point] - y[from]);
        let between = |c: &[f64]| c[from].min(c[to]) <= c[point] && c[point] <= c[from].max(c[to]);
        touches |= sides[point] == 0.0 && between(x) && between(y);
        if point == 3 {
            let apart = |a: f64, b: f64| (a > 0.0 && b < 0.0) || (a < 0.0 && b > 0.0);
            let meet = touches || (apart(sides[0], sides[1]) && apart(sides[2], sides[3]));
            // This also settles an answer of 0, although the entry does not change.
            trace.set(0, usize::from(meet));
            trace.settled[0] = 4;
        }
        trace.snapshot();
    }
    trace
}

/// The lowest point, with ties going to the leftmost.
fn lowest(x: &[f64], y: &[f64]) -> usize {
    let mut best = 0;
    for point in 1..x.len() {
        if y[point] < y[best] || (y[point] == y[best] && x[point] < x[best]) {
            best = point;
        }
    }
    best
}

/// Whether the path does not turn left at `middle`.
fn not_left(x: &[f64], y: &[f64], (from, middle, to): (usize, usize, usize)) -> bool {
    (x[middle] - x[from]) * (y[to] - y[from]) - (y[middle] - y[from]) * (x[to] - x[from]) <= 0.0
}

/// The points that are corners of the convex hull, by Graham's scan: one step per point that is pushed onto the stack
/// or popped from it, after three that find the lowest point and the angles.
///
/// # Errors
/// [`Error::Malformed`] if collinear points keep the scan from ending.
pub fn graham_scan(x: &[f64], y: &[f64]) -> Result<Trace> {
    let mut trace = Trace::started(vec![0; x.len()]);
    let best = lowest(x, y);
    trace.set(best, 1);
    trace.snapshot();
    let mut angles: Vec<f64> = x.iter().zip(y).map(|(x_i, y_i)| (y_i - y[best]).atan2(x_i - x[best])).collect();
    angles[best] = -123_456_789.0;
    let order = argsort(&angles);
    trace.snapshot();
    let mut stack = vec![best];
    for (rank, point) in order.into_iter().enumerate().skip(1) {
        if rank >= 3 {
            while let [.., from, middle] = stack[..]
                && not_left(x, y, (from, middle, point))
            {
                stack.pop();
                trace.set(middle, 0);
                trace.snapshot();
            }
            if stack.len() < 2 {
                let message = "points that are not in a line with the lowest one: Graham's scan does not end on these";
                return Err(Error::malformed(1, format!("expected {message}")));
            }
        }
        trace.set(point, 1);
        stack.push(point);
        trace.snapshot();
    }
    Ok(trace)
}

/// The points that are corners of the convex hull, by Jarvis' march: one step per compared point and per corner.
pub fn jarvis_march(x: &[f64], y: &[f64]) -> Trace {
    let mut trace = Trace::started(vec![0; x.len()]);
    let mut corner = lowest(x, y);
    trace.set(corner, 1);
    trace.snapshot();
    let mut next = 0;
    loop {
        for point in 0..x.len() {
            let apart = point != corner && point != next;
            if next == corner || (apart && not_left(x, y, (corner, next, point))) {
                next = point;
            }
            trace.snapshot();
        }
        if trace.entries[next] > 0 {
            return trace;
        }
        trace.set(next, 1);
        corner = next;
        next = 0;
        trace.snapshot();
    }
}
