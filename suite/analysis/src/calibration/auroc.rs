//! Area under the receiver operating characteristic.

use super::scored::Scored;
use crate::reason::Reason;

/// Probability that a random observation with the event scores higher than a random one without it; ties count half
/// (Mann and Whitney 1947). 0.5 for a score that does not tell, or a constant one.
///
/// Errors as in [`crate::calibration`]; [`Reason::Constant`] if all observations, or none, have the event.
pub fn auroc(scores: &[f64], events: &[bool]) -> Result<f64, Reason> {
    Scored::of(scores, events)?.auroc(|_| 1)
}
