//! The drawn points of every policy, and why others are left out.

use haltbench_engine::store::MetricRow;
use haltbench_sdk::policy::Role;

use super::axis::level_label;
use super::marks::Mark;
use crate::board::{Board, Row};
use crate::render::grids::name;
use crate::render::levels::{ACCURACY, DEPTH, at, levels};

const IN_RANGE: Option<&str> = Some("in_range");
const PERCENT: f64 = 100.0;

/// A number with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    pub value: f64,
    pub interval: Option<(f64, f64)>,
}

impl Reading {
    /// The number and the ends of its interval.
    pub fn extent(&self) -> impl Iterator<Item = f64> {
        let (low, high) = self.interval.unwrap_or((self.value, self.value));
        [self.value, low, high].into_iter()
    }
}

/// The points of a policy.
pub(super) struct Series {
    /// Label in the legend.
    pub label: String,
    /// Colour and shape.
    pub mark: Mark,
    /// Percent of correct tokens by level, ascending.
    pub accuracy: Vec<(f64, Reading)>,
    /// Mean steps by level, ascending.
    pub depth: Vec<(f64, Reading)>,
    /// Operations in percent of dense, and percent of correct tokens.
    pub cost: Option<(Reading, Reading)>,
}

/// All points of a board.
pub(super) struct Points {
    /// Levels that occur, ascending.
    pub levels: Vec<f64>,
    /// The policies: fixed depths from the cheapest, then the others by label, independent of rank.
    pub series: Vec<Series>,
    /// What is left out, and why.
    pub notes: Vec<String>,
}

/// The points of a board.
pub(super) fn points(board: &Board, complexity: &str) -> Points {
    let levels = levels(board, ACCURACY);
    let mut left_out = Explained::new("Left out");
    let mut bare = Explained::new("Without an interval");
    let (mut fixed, mut others): (Vec<&Row>, Vec<&Row>) =
        board.rows.iter().filter(is_drawn).partition(|row| row.has_role(Role::FixedDepth));
    let price = |row: &Row| row.metric("flops", IN_RANGE).and_then(|metric| metric.value).unwrap_or(f64::INFINITY);
    fixed.sort_by(|a, b| price(a).total_cmp(&price(b)).then_with(|| a.policy.cmp(&b.policy)));
    others.sort_by(|a, b| a.policy.cmp(&b.policy));
    let marks = (0..fixed.len()).map(|place| Mark::fixed(place, fixed.len())).chain((0..).map(Mark::other));
    let series = fixed.iter().chain(&others).zip(marks).map(|(row, mark)| {
        let mut gaps = Gaps::default();
        let series = Series {
            label: label(row),
            mark,
            accuracy: by_level(row, (ACCURACY, "accuracy"), PERCENT, (&levels, complexity), &mut gaps),
            depth: by_level(row, (DEPTH, "depth"), 1.0, (&levels, complexity), &mut gaps),
            cost: cost(row, &mut gaps),
        };
        left_out.add(&series.label, gaps.missing);
        bare.add(&series.label, gaps.bare);
        series
    });
    let series = series.collect();
    let all = fixed.len() + others.len();
    let mut notes: Vec<String> = left_out.lines(all).collect();
    notes.extend(bare.lines(all));
    Points { levels, series, notes }
}

/// Controls of a policy and fixed depths of answers would hide the policies that they are compared with.
fn is_drawn(row: &&Row) -> bool {
    !row.repeats_depths() && !row.has_role(Role::FixedAnswerDepth)
}

/// The label, which marks oracles.
fn label(row: &Row) -> String {
    let oracle = row.oracle == Some(true) && !row.policy.contains("oracle");
    format!("{}{}", name(row), if oracle { " (oracle)" } else { "" })
}

/// What a number describes: a measure and possibly a level.
type What = (String, Option<f64>);

/// The numbers of a row that cannot be drawn, and why.
#[derive(Default)]
struct Gaps {
    missing: Vec<(String, What)>,
    bare: Vec<(String, What)>,
}

impl Gaps {
    /// The number in other units; if it or its interval is missing, the reason is noted under `what`.
    fn reading(&mut self, metric: Option<&MetricRow>, scale: f64, what: What) -> Option<Reading> {
        let finite = |number: Option<f64>| number.map(|number| scale * number).filter(|number| number.is_finite());
        let reason = metric.and_then(|metric| metric.reason.as_deref());
        let Some(value) = finite(metric.and_then(|metric| metric.value)) else {
            let reason = reason.unwrap_or("there are no observations").to_owned();
            self.missing.push((reason, what));
            return None;
        };
        let interval = metric.and_then(|metric| finite(metric.low).zip(finite(metric.high)));
        if interval.is_none() {
            self.bare.push((reason.unwrap_or("no reason is recorded").to_owned(), what));
        }
        Some(Reading { value, interval })
    }
}

fn by_level(
    row: &Row,
    (metric, what): (&str, &str),
    scale: f64,
    (levels, complexity): (&[f64], &str),
    gaps: &mut Gaps,
) -> Vec<(f64, Reading)> {
    // Without any level there is one row, which has the reason.
    if !row.metrics.iter().any(|own| own.metric == metric && own.level.is_some()) {
        gaps.reading(row.metric(metric, IN_RANGE), scale, (format!("{what} by {complexity}"), None));
        return Vec::new();
    }
    let of = |level: &f64| {
        let what = (format!("{what} at {complexity}"), Some(*level));
        Some((*level, gaps.reading(at(row, metric, *level), scale, what)?))
    };
    levels.iter().filter_map(of).collect()
}

/// Cost and accuracy in range.
fn cost(row: &Row, gaps: &mut Gaps) -> Option<(Reading, Reading)> {
    let what = || ("accuracy against cost".to_owned(), None);
    let [share, accuracy] = ["flops_share", "token_accuracy"].map(|metric| row.metric(metric, IN_RANGE));
    // The first missing number has the reason.
    let is_missing = |metric: &Option<&MetricRow>| metric.is_none_or(|metric| metric.value.is_none());
    if let Some(missing) = [share, accuracy].into_iter().find(is_missing) {
        gaps.reading(missing, 1.0, what());
        return None;
    }
    Some((gaps.reading(share, PERCENT, what())?, gaps.reading(accuracy, PERCENT, what())?))
}

/// Explanations, each once, with the things they apply to.
struct Explained {
    verb: &'static str,
    groups: Vec<Explanation>,
}

struct Explanation {
    reason: String,
    what: Vec<What>,
    policies: Vec<String>,
}

impl Explained {
    fn new(verb: &'static str) -> Self {
        Self { verb, groups: Vec::new() }
    }

    fn add(&mut self, policy: &str, gaps: Vec<(String, What)>) {
        let mut own: Vec<Explanation> = Vec::new();
        for (reason, what) in gaps {
            match own.iter_mut().find(|known| known.reason == reason) {
                Some(known) if known.what.contains(&what) => {}
                Some(known) => known.what.push(what),
                None => own.push(Explanation { reason, what: vec![what], policies: vec![policy.to_owned()] }),
            }
        }
        for new in own {
            match self.groups.iter_mut().find(|known| known.reason == new.reason && known.what == new.what) {
                Some(known) => known.policies.extend(new.policies),
                None => self.groups.push(new),
            }
        }
    }

    /// The explanations on a board with `all` policies.
    fn lines(&self, all: usize) -> impl Iterator<Item = String> {
        self.groups.iter().map(move |group| {
            let policies = if all > 1 && group.policies.len() == all {
                "all policies".to_owned()
            } else {
                listed(&group.policies)
            };
            format!("{} ({}): {} of {policies}.", self.verb, group.reason, things(&group.what))
        })
    }
}

/// Things as text, with the levels of one measure joined.
fn things(what: &[What]) -> String {
    let mut things: Vec<String> = Vec::new();
    for same in what.chunk_by(|a, b| a.0 == b.0) {
        let levels: Vec<String> = same.iter().filter_map(|(_, level)| level.map(level_label)).collect();
        let thing = same.first().map(|(thing, _)| thing.clone()).unwrap_or_default();
        things.push(if levels.is_empty() { thing } else { format!("{thing} {}", listed(&levels)) });
    }
    things.join("; ")
}

/// `a, b and c`.
fn listed(items: &[String]) -> String {
    match items {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => items.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explanations_are_gathered() {
        let at = |level| ("none".to_owned(), ("depth at height".to_owned(), Some(level)));
        let cost = ("none".to_owned(), ("cost".to_owned(), None));
        let mut explained = Explained::new("Left out");
        for policy in ["a", "b", "c"] {
            explained.add(policy, vec![at(1.0), at(2.0), at(5.0), cost.clone(), cost.clone()]);
        }
        explained.add("d", vec![at(0.5)]);
        let lines: Vec<String> = explained.lines(4).collect();
        assert_eq!(lines[0], "Left out (none): depth at height 1, 2 and 5; cost of a, b and c.");
        assert_eq!(lines[1], "Left out (none): depth at height 0.5 of d.");
        assert!(explained.lines(3).next().is_some_and(|line| line.ends_with("; cost of all policies.")));
    }
}
