//! Depths of tokens from the outcomes of all steps.

use haltbench_sdk::prelude::*;

/// Steps of tokens without a target.
pub const PROMPT_DEPTH: ParameterSpec =
    ParameterSpec::integer("prompt_depth", 0, (0, 1 << 20), "steps of tokens of the prompt; 0 means D")
        .knob(Trend::None);

/// The value of [`PROMPT_DEPTH`] of `policy`.
///
/// # Errors
/// If it is above D.
pub fn prompt_depth(policy: &str, context: &PolicyContext) -> Result<u32> {
    match context.parameters.integer("prompt_depth")? {
        0 => Ok(context.max_depth as u32),
        depth if depth <= context.max_depth => Ok(depth as u32),
        depth => {
            let expected = format!("at most {}, the largest depth", context.max_depth);
            Err(Error::invalid(format!("parameter `prompt_depth` of {policy}"), expected, depth))
        }
    }
}

/// The first of the steps 1..=`max_depth` at which `holds`, or from which on it holds with `stays`; `max_depth` if there
/// is none.
pub fn first(max_depth: usize, stays: bool, holds: impl Fn(usize) -> bool) -> u32 {
    let mut steps = 1..=max_depth;
    let found = match stays {
        false => steps.find(|step| holds(*step)),
        true => steps.rev().take_while(|step| holds(*step)).last(),
    };
    found.unwrap_or(max_depth) as u32
}

#[cfg(test)]
mod tests {
    use super::first;

    #[test]
    fn first_step_and_first_step_that_stays() {
        let right = [false, true, false, true, true];
        let depth = |stays| first(5, stays, |step| right[step - 1]);
        assert_eq!((depth(false), depth(true)), (2, 4));
        assert_eq!((first(3, false, |_| false), first(3, true, |_| false)), (3, 3), "a token that is never right");
        assert_eq!(first(3, true, |_| true), 1);
    }
}
