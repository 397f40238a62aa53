//! Selecting policies: before every step some of the rows are chosen; the others rest and may be woken.

use candle_core::Tensor;

use super::unroll::{choose, not, numbers, sized};
use super::{Halted, Unroll};
use crate::error::Result;
use crate::key_values::HaltedKeysValues;
use crate::policy::{Combine, RowMemory, SelectPolicy};

/// Chooses among all rows before each of the D steps.
///
/// A resting token offers keys and values of its present state (freeze-state), those of the last step it took part in
/// (latest-kv) or none (skip). Under run-on the step is computed for it as for the others, and only its result is
/// thrown away; under latest-kv so is the first step, or a token that rests at once would have nothing to offer.
pub(super) fn select(policy: &dyn SelectPolicy, unroll: &mut Unroll, start: Tensor) -> Result<Halted> {
    let rows = unroll.rows();
    let mut memory = RowMemory::default();
    let mut depths = vec![0; rows];
    let mut states = start;
    for step in 1..=unroll.settings.max_depth {
        let all = unroll.all.clone();
        let selection = unroll.look(step - 1, &all, &states, |view| policy.select(view, &mut memory))?;
        sized("chosen flags", &selection.chosen, rows)?;
        let gate = match &selection.gate {
            Some(gate) => numbers("gates", gate, &[rows])?,
            None => vec![1.0; rows],
        };
        let gate = Tensor::from_vec(gate, (rows, 1), states.device())?.to_dtype(states.dtype())?;

        let none_has_stepped = unroll.settings.halted == HaltedKeysValues::LatestKv && step == 1;
        let resting = if none_has_stepped { vec![false; rows] } else { not(&selection.chosen) };
        let result = unroll.apply(step, &states, &resting)?;
        let joined = match selection.combine {
            Combine::Residual => (&states + (result - &states)?.broadcast_mul(&gate)?)?,
            Combine::Added => (&states + result.broadcast_mul(&gate)?)?,
        };
        states = choose(&selection.chosen, &joined, &states)?;
        for (depth, chosen) in depths.iter_mut().zip(&selection.chosen) {
            *depth += u32::from(*chosen);
        }
    }
    Ok(Halted { states, depths, expected_depths: None, weights: None })
}
