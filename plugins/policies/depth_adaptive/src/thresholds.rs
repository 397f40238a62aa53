//! A threshold of its own for each step.

use haltbench_sdk::prelude::*;

/// Thresholds by step.
pub const THRESHOLDS: ParameterSpec =
    ParameterSpec::text("thresholds", "", "thresholds of the steps 1 to D - 1, such as 0.5,0.4; empty: `threshold`")
        .knob(Trend::None);

/// One threshold for each step before the last, from the parameter `thresholds`; if that is empty, `threshold` for every step.
///
/// # Errors
/// If `thresholds` holds anything but one number from 0 to 1 for each of these steps.
pub fn thresholds(policy: &str, context: &PolicyContext) -> Result<Vec<f64>> {
    let (text, wanted) = (context.parameters.text("thresholds")?, context.max_depth.saturating_sub(1));
    if text.trim().is_empty() {
        return Ok(vec![context.parameters.real("threshold")?; wanted]);
    }
    let operand = || format!("parameter `thresholds` of {policy}");
    let number = |part: &str| {
        let number = part.trim().parse().ok().filter(|number| (0.0..=1.0).contains(number));
        number.ok_or_else(|| Error::invalid(operand(), "numbers from 0 to 1, separated by commas", part.trim()))
    };
    let found = text.split(',').map(number).collect::<Result<Vec<f64>>>()?;
    if found.len() != wanted {
        let expected = format!("{wanted} numbers, one for each step before the last");
        return Err(Error::invalid(operand(), expected, found.len()));
    }
    Ok(found)
}
