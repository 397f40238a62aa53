//! What Huginn's six criteria share: the parameters that say when they are checked, and their text.

use haltbench_sdk::prelude::*;

use crate::criterion::{Checked, Criterion};

/// Steps before the first check.
pub const MIN_STEPS: ParameterSpec = ParameterSpec::integer(
    "min_steps",
    0,
    (0, 1 << 20),
    "steps without a check; the first check is after the next step",
)
.knob(Trend::None);

/// Steps from one check to the next.
pub const EVERY_N: ParameterSpec =
    ParameterSpec::integer("every_n", 1, (1, 1 << 20), "steps from one check to the next").knob(Trend::None);

/// The last section of the documentation.
macro_rules! published {
    () => {
        "

## Published code

seal-rg/recurrent-pretraining, whose values and exits the tests compare. As there, the first check follows step `min_steps` + 1,
and with `every_n` above 1 a change is that over n steps; the first check compares with what there was before step 1, also after
`min_steps`. That code uses one exit for a sequence, from its last position or from
the mean over positions; an exit for each token is its form for one sequence at a time. It reads the output of a token that
never exits from its last check, here from step D. Huginn is trained at random depths; here the recipe trains all steps, so that
all exits without weights share a model."
    };
}
pub(crate) use published;

/// The policy `name` with `criterion` and the parameters `threshold`, `min_steps` and `every_n`.
///
/// # Errors
/// If a parameter is missing, or `min_steps` is above D: no token would ever be checked.
pub fn policy(name: &str, context: &PolicyContext, criterion: impl Criterion + 'static) -> Result<Policy> {
    let checked = Checked::after_every_step(context, criterion)?;
    let (min_steps, most) = (context.parameters.integer("min_steps")?, context.max_depth);
    if min_steps > most {
        let expected = format!("a whole number from 0 to max_depth = {most}");
        return Err(Error::invalid(format!("parameter `min_steps` of {name}"), expected, min_steps));
    }
    Ok(Checked { first: min_steps + 1, every: context.parameters.integer("every_n")?, ..checked }.policy())
}
