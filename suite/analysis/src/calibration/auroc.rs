//! Area under the receiver operating characteristic.

use super::{check, ties};
use crate::reason::Reason;

/// Probability that a random observation with the event scores higher than a random one without it; ties count half
/// (Mann and Whitney 1947). 0.5 for a score that does not tell, or a constant one.
///
/// Errors as in [`crate::calibration`]; [`Reason::Constant`] if all observations, or none, have the event.
pub fn auroc(scores: &[f64], events: &[bool]) -> Result<f64, Reason> {
    check(scores, events)?;
    // Twice the number of pairs in the right order, exactly.
    let (mut right, mut others_below) = (0_u128, 0_u128);
    let mut total = 0_u128;
    for tie in ties(scores, events) {
        let (with, without) = (u128::from(tie.events), u128::from(tie.count - tie.events));
        right += with * (2 * others_below + without);
        others_below += without;
        total += with;
    }
    let pairs = total * others_below;
    if pairs == 0 { Err(Reason::Constant) } else { Ok(right as f64 / (2 * pairs) as f64) }
}
