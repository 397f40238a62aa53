//! Reliability in bins, and the expected calibration error.

use serde::{Deserialize, Serialize};

use super::check_probabilities;
use crate::reason::Reason;

/// How probabilities are divided into bins. A value on an edge belongs to the lower bin, and empty bins are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binning {
    /// This many bins of equal width on [0, 1]; with few observations in some of them, their errors are noisy.
    EqualWidth(usize),
    /// Edges at the quantiles of the scores, linearly interpolated, so that bins have nearly equal counts. Equal scores
    /// stay together, so with many ties there are fewer bins.
    EqualMass(usize),
}

impl Binning {
    /// The bins of the scores: for each occupied bin, its observations in the order of the input.
    pub(super) fn members(self, scores: &[f64]) -> Result<Vec<Vec<usize>>, Reason> {
        let (Binning::EqualWidth(number) | Binning::EqualMass(number)) = self;
        if number == 0 {
            return Err(Reason::TooFew { needed: 1, found: 0 });
        }
        let inner = 1..number;
        let edges: Vec<f64> = match self {
            Binning::EqualWidth(_) => inner.map(|edge| edge as f64 / number as f64).collect(),
            Binning::EqualMass(_) => {
                let mut sorted = scores.to_vec();
                sorted.sort_unstable_by(f64::total_cmp);
                inner.map(|edge| quantile(&sorted, edge, number)).collect()
            }
        };
        let mut members = vec![Vec::new(); number];
        for (place, score) in scores.iter().enumerate() {
            members[edges.partition_point(|edge| edge < score)].push(place);
        }
        members.retain(|bin| !bin.is_empty());
        Ok(members)
    }
}

/// The quantile `part` / `whole` of sorted values, linearly interpolated (type 7 of Hyndman and Fan, The American
/// Statistician 50 (1996) 361-365).
fn quantile(sorted: &[f64], part: usize, whole: usize) -> f64 {
    let scaled = (sorted.len() - 1) * part;
    let (below, weight) = (scaled / whole, (scaled % whole) as f64 / whole as f64);
    let low = sorted[below];
    let high = sorted[(below + 1).min(sorted.len() - 1)];
    low + weight * (high - low)
}

/// Observations with similar scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Number of observations.
    pub count: usize,
    /// Mean score.
    pub score: f64,
    /// Share of observations with the event.
    pub share: f64,
}

/// Scores beside the share of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Occupied bins, in the order of scores.
    pub bins: Vec<Bin>,
    /// Expected calibration error: mean of |share - score| over bins, weighted by their counts (Naeini, Cooper and
    /// Hauskrecht 2015). It is biased upwards, the more so the fewer observations a bin has.
    pub expected_error: f64,
    /// The largest |share - score| of all bins.
    pub largest_error: f64,
}

/// Reliability of probabilities. Errors as in [`crate::calibration`]; [`Reason::TooFew`] without bins.
pub fn reliability(scores: &[f64], events: &[bool], binning: Binning) -> Result<Reliability, Reason> {
    check_probabilities(scores, events)?;
    let of_members = |members: &Vec<usize>| {
        let count = members.len() as f64;
        let score = members.iter().map(|&place| scores[place]).sum::<f64>() / count;
        let share = members.iter().filter(|&&place| events[place]).count() as f64 / count;
        Bin { count: members.len(), score, share }
    };
    let bins: Vec<Bin> = binning.members(scores)?.iter().map(of_members).collect();
    let error = |bin: &Bin| (bin.share - bin.score).abs();
    let expected_error = bins.iter().map(|bin| bin.count as f64 * error(bin)).sum::<f64>() / scores.len() as f64;
    let largest_error = bins.iter().map(error).fold(0.0, f64::max);
    Ok(Reliability { bins, expected_error, largest_error })
}
