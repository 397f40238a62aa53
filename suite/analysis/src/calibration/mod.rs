//! Does a score tell whether an event happens? For example: does a halting score tell whether the answer is correct, or
//! whether it agrees with the answer at full depth?
//!
//! * [`reliability`]: is a probability right on average, in bins (ECE)?
//! * [`brier`]: the mean squared error of a probability and its decomposition;
//! * [`auroc`]: does a score rank events above the others?
//! * [`RiskCoverage`]: the error rate among the most confident answers, and its area (AURC);
//! * [`Scored`]: scores prepared for both of these without some of the observations, as the jackknife needs them.
//!
//! Intervals come from [`crate::jackknife`] over blocks of sequences: those of the areas and of the Brier score cover in
//! 0.94 to 0.96 of simulations (`tests/coverage/calibration.rs`).
//!
//! Common errors: [`Reason::Mismatched`] if the lengths differ, [`Reason::NotFinite`] if a score is infinite or NaN,
//! [`Reason::Empty`] without observations, [`Reason::OutOfRange`] if a score that has to be a probability is below 0 or
//! above 1. Apart from rounding, no result depends on the order of
//! observations.

mod auroc;
mod brier;
mod reliability;
mod risk_coverage;
mod scored;

use crate::reason::Reason;

pub use auroc::auroc;
pub use brier::{Brier, brier};
pub use reliability::{Bin, Binning, Reliability, reliability};
pub use risk_coverage::{RiskCoverage, RiskPoint};
pub use scored::Scored;

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
