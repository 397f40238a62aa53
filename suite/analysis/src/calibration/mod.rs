//! Does a score tell whether an event happens? For example: does a halting score tell whether the answer is correct, or
//! whether it agrees with the answer at full depth?
//!
//! * [`reliability`]: is a probability right on average, in bins (ECE)?
//! * [`brier`]: the mean squared error of a probability and its decomposition;
//! * [`auroc`]: does a score rank events above the others?
//! * [`RiskCoverage`]: the error rate among the most confident answers, and its area (AURC).
//!
//! Common errors: [`Reason::Mismatched`] if the lengths differ, [`Reason::NotFinite`] if a score is infinite or NaN,
//! [`Reason::Empty`] without observations, [`Reason::OutOfRange`] if a score that has to be a probability is below 0 or
//! above 1. No result depends on the order of observations.

mod auroc;
mod brier;
mod reliability;
mod risk_coverage;

use crate::reason::Reason;

pub use auroc::auroc;
pub use brier::{Brier, brier};
pub use reliability::{Bin, Binning, Reliability, reliability};
pub use risk_coverage::{RiskCoverage, RiskPoint};

fn check(scores: &[f64], events: &[bool]) -> Result<(), Reason> {
    if scores.len() != events.len() {
        return Err(Reason::Mismatched);
    }
    if scores.iter().any(|score| !score.is_finite()) {
        return Err(Reason::NotFinite);
    }
    if scores.is_empty() { Err(Reason::Empty) } else { Ok(()) }
}

fn check_probabilities(scores: &[f64], events: &[bool]) -> Result<(), Reason> {
    check(scores, events)?;
    if scores.iter().all(|score| (0.0..=1.0).contains(score)) { Ok(()) } else { Err(Reason::OutOfRange) }
}

/// Observations with one score.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tie {
    score: f64,
    count: u64,
    /// Number of observations with the event.
    events: u64,
}

/// All distinct scores, ascending.
fn ties(scores: &[f64], events: &[bool]) -> Vec<Tie> {
    let mut order: Vec<(f64, bool)> = scores.iter().copied().zip(events.iter().copied()).collect();
    order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mut ties: Vec<Tie> = Vec::new();
    for (score, event) in order {
        match ties.last_mut() {
            // 0 and -0 are equal.
            Some(tie) if tie.score == score => {
                tie.count += 1;
                tie.events += u64::from(event);
            }
            _ => ties.push(Tie { score, count: 1, events: u64::from(event) }),
        }
    }
    ties
}
