//! Graham's scan in every order of points at equal angles, which the benchmark sorts in an order that depends on the
//! machine.

use std::collections::BTreeSet;

use super::{lowest, turn};

/// Angles that differ by no more count as equal: arc tangents of different machines differ in the last digits.
const EQUAL: f64 = 1e-15;

/// Most situations that are looked at. Without equal angles there is one for each point; hulls of a few dozen points
/// with many in a line take thousands.
const MOST: usize = 100_000;

/// Checks that the scan ends with exactly the points that `given` marks with 1 in some order of points at equal angles.
///
/// # Errors
/// Why it does not.
pub fn leads_to(points: &[(f64, f64)], given: &[i64]) -> Result<(), String> {
    if let Some(place) = given.iter().position(|entry| *entry != 0 && *entry != 1) {
        return Err(format!("entry {}: expected 0 or 1, found {}", place + 1, given[place]));
    }
    let marked: Vec<bool> = given.iter().map(|entry| *entry == 1).collect();
    if portable(points).is_some_and(|corners| corners == marked) {
        return Ok(());
    }
    let mut search = Search { points, marked: &marked, groups: groups(points), seen: BTreeSet::new() };
    let Some(first) = search.groups.first().cloned() else { return Ok(()) };
    match search.ends(Situation { group: 0, waiting: first, stack: Vec::new(), rank: 0 }) {
        true => Ok(()),
        false => Err("no order of points at equal angles leads the scan to these points".to_owned()),
    }
}

/// The end of the scan in NumPy's portable order; `None` if it pops the lowest point from the stack.
fn portable(points: &[(f64, f64)]) -> Option<Vec<bool>> {
    let first = lowest(points);
    let angle = |point: usize| match point == first {
        true => -123_456_789.0,
        false => (points[point].1 - points[first].1).atan2(points[point].0 - points[first].0),
    };
    let mut stack = Vec::new();
    let order = crate::argsort::argsort(&(0..points.len()).map(angle).collect::<Vec<_>>());
    for (rank, point) in order.into_iter().enumerate() {
        if rank > 2 {
            let keeps = |pair: &[usize]| turn(points[pair[0]], points[pair[1]], points[point]) > 0.0;
            let kept = stack.windows(2).rposition(keeps)?;
            stack.truncate(kept + 2);
        }
        stack.push(point);
    }
    Some((0..points.len()).map(|point| stack.contains(&point)).collect())
}

/// The points by angle, seen from the lowest one, which comes first.
fn groups(points: &[(f64, f64)]) -> Vec<Vec<usize>> {
    let first = lowest(points);
    let way = |point: usize| (points[point].0 - points[first].0, points[point].1 - points[first].1);
    let angle = |point: usize| way(point).1.atan2(way(point).0);
    let mut others: Vec<usize> = (0..points.len()).filter(|point| *point != first).collect();
    others.sort_by(|a, b| angle(*a).total_cmp(&angle(*b)));
    let mut groups = if points.is_empty() { Vec::new() } else { vec![vec![first]] };
    let mut last: Option<f64> = None;
    for point in others {
        let is_equal = last.is_some_and(|last| (angle(point) - last).abs() <= EQUAL * last.abs().max(1.0));
        match groups.last_mut().filter(|_| is_equal) {
            Some(group) => group.push(point),
            None => groups.push(vec![point]),
        }
        last = Some(angle(point));
    }
    // Nearer points first: among those that must be left, a farther one pops a nearer one.
    let far = |point: &usize| way(*point).0.abs() + way(*point).1.abs();
    groups.iter_mut().for_each(|group| group.sort_by(|a, b| far(a).total_cmp(&far(b))));
    groups
}

/// A situation in the scan.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Situation {
    /// The group that is being pushed.
    group: usize,
    /// Its points that are still to be pushed.
    waiting: Vec<usize>,
    stack: Vec<usize>,
    /// Points pushed so far.
    rank: usize,
}

struct Search<'a> {
    points: &'a [(f64, f64)],
    marked: &'a [bool],
    groups: Vec<Vec<usize>>,
    seen: BTreeSet<Situation>,
}

impl Search<'_> {
    /// Whether the scan can end with the marked points from here. Depth first, without recursion: there may be as many
    /// situations on the way as points.
    fn ends(&mut self, start: Situation) -> bool {
        let mut open = vec![start];
        while let Some(mut at) = open.pop() {
            if at.waiting.is_empty() {
                at.group += 1;
                match self.groups.get(at.group) {
                    Some(group) => at.waiting.clone_from(group),
                    // Marked points are never popped, so all of them are there.
                    None if at.stack.iter().all(|point| self.marked[*point]) => return true,
                    None => continue,
                }
            }
            if self.seen.len() >= MOST || !self.seen.insert(at.clone()) {
                continue;
            }
            let mut tried: Vec<((f64, f64), bool)> = Vec::new();
            let mut next = Vec::new();
            for (place, point) in at.waiting.iter().enumerate() {
                // Copies of a point lead to the same if both are marked, or neither.
                let kind = (self.points[*point], self.marked[*point]);
                if !tried.contains(&kind) {
                    tried.push(kind);
                    next.extend(self.pushed(&at, place));
                }
            }
            // The last one is tried first: of the marked points the farthest, after all that are popped.
            next.sort_by_key(|(order, _)| std::cmp::Reverse(*order));
            open.extend(next.into_iter().map(|(_, situation)| situation));
        }
        false
    }

    /// The situation after the waiting point at `place` is pushed, and when to try it; `None` if a marked point would be
    /// popped, or the lowest one.
    fn pushed(&self, at: &Situation, place: usize) -> Option<(usize, Situation)> {
        let mut next = at.clone();
        let point = next.waiting.remove(place);
        if at.rank > 2 {
            loop {
                let [.., from, middle] = next.stack[..] else { return None };
                if turn(self.points[from], self.points[middle], self.points[point]) > 0.0 {
                    break;
                }
                if self.marked[middle] {
                    return None;
                }
                next.stack.pop();
            }
        }
        next.stack.push(point);
        next.rank += 1;
        let order = if self.marked[point] { 2 * at.waiting.len() - place } else { place };
        Some((order, next))
    }
}
