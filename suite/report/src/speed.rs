//! Measured speed-up from skipping halted tokens.

use haltbench_analysis::crossed::{over_repetitions, over_seeds};
use haltbench_analysis::{Estimate, Population, Reason, Split};
use haltbench_engine::store::{MetricRow, Timings};

use crate::evidence::Evidence;

/// Seconds of all D steps without decisions divided by seconds of the policy, as a geometric mean over repetitions and
/// seeds.
///
/// Logarithms of ratios are averaged. Repetitions belong to their seed, and nothing pairs repetitions of different
/// seeds, so the interval is over the seeds' means; with one seed, over its repetitions. If the interval contains 1,
/// the ratio is null, because the sign of the change is unknown.
pub(crate) fn speed(row: &Evidence) -> MetricRow {
    let named = |estimate: &Estimate| MetricRow::new("speed", Some(Split::InRange), Population::All, estimate);
    let missing =
        |reason: String| MetricRow { reason: Some(reason), ..named(&Estimate::missing(Reason::MissingCells, 0)) };
    let is_empty = |timings: &Timings| timings.speed.as_ref().is_some_and(|speed| speed.pairs.is_empty());
    if row.timings.iter().flatten().any(is_empty) {
        return missing("no sequence of a size trained on was evaluated".to_owned());
    }
    let Some(logarithms) = row.timings.iter().map(ratios).collect::<Option<Vec<_>>>().filter(|all| !all.is_empty())
    else {
        return missing("some of its seeds were not timed".to_owned());
    };
    let estimate = match logarithms.as_slice() {
        [one] => over_repetitions(one),
        several => {
            let means: Vec<f64> = several.iter().map(|seed| seed.iter().sum::<f64>() / seed.len() as f64).collect();
            over_seeds(&means, several.iter().map(Vec::len).sum())
        }
    };
    let exp = |value: Option<f64>| value.map(f64::exp);
    let ratio = Estimate { value: exp(estimate.value), low: exp(estimate.low), high: exp(estimate.high), ..estimate };
    match (ratio.low, ratio.high) {
        (Some(low), Some(high)) if low <= 1.0 && high >= 1.0 => {
            missing(format!("neither faster nor slower: its interval [{low:.2}, {high:.2}] contains 1"))
        }
        (Some(_), Some(_)) => named(&ratio),
        _ => missing("a single measurement does not say how far it can be trusted".to_owned()),
    }
}

/// Logarithms of the ratios of one seed, if it was timed.
fn ratios(timings: &Option<Timings>) -> Option<Vec<f64>> {
    let pairs = &timings.as_ref()?.speed.as_ref()?.pairs;
    let ratio = |[policy, fixed]: &[f64; 2]| (*policy > 0.0 && *fixed > 0.0).then(|| (fixed / policy).ln());
    pairs.iter().map(ratio).collect::<Option<Vec<_>>>().filter(|all| !all.is_empty())
}
