//! Soft policies: the output is a mixture of a token's states.

use candle_core::{DType, Tensor};

use super::unroll::{choose, keep, not, numbers, replace_rows, sized};
use super::{Halted, Unroll};
use crate::error::{Error, Result};
use crate::key_values::HaltedKeysValues;
use crate::layout::RowSet;
use crate::policy::{RowMemory, SoftPolicy};

/// Weights of a token may miss one by this much.
const TOLERANCE: f64 = 1e-6;

/// Weighs the states after 0, 1, ..., D steps; a token that no longer runs is executed no further.
///
/// What a policy carries becomes the state of the rows it was shown, also of those that stop: it is what they offer
/// as keys and values from then on.
pub(super) fn soft(policy: &dyn SoftPolicy, unroll: &mut Unroll, start: Tensor) -> Result<Halted> {
    let (rows, max_depth) = (unroll.rows(), unroll.settings.max_depth);
    let mut memory = RowMemory::default();
    let mut running = vec![true; rows];
    let mut depths = vec![0; rows];
    // A token's weights are contiguous: one for each step until it stops, zeros from then on.
    let mut weights: Vec<Vec<f64>> = vec![Vec::new(); rows];
    let mut mixture = start.zeros_like()?;
    let mut states = start;
    for step in 0..=max_depth {
        if step > 0 {
            let candidate = unroll.apply(step, &states, &not(&running))?;
            let run_on = unroll.settings.halted == HaltedKeysValues::RunOn;
            states = if run_on { candidate } else { choose(&running, &candidate, &states)? };
            for (depth, _) in depths.iter_mut().zip(&running).filter(|(_, running)| **running) {
                *depth = step as u32;
            }
        }
        let shown = RowSet::from_mask(&running);
        let decision = unroll.look(step, &shown, &states, |view| policy.weigh(view, &mut memory))?;
        sized("running flags", &decision.running, shown.len())?;

        let mut share = vec![0.0; rows];
        for (row, weight) in shown.iter().zip(numbers("weights", &decision.weight, &[shown.len()])?) {
            weights[row].push(weight);
            share[row] = weight;
        }
        let share = Tensor::from_vec(share, (rows, 1), states.device())?.to_dtype(states.dtype())?;
        mixture = (mixture + states.broadcast_mul(&share)?)?;

        if let Some(carry) = &decision.carry {
            states = replace_rows(&states, &shown, &carry.to_dtype(states.dtype())?)?;
        }
        keep(&mut memory, &decision.running, states.device())?;
        for (row, runs) in shown.iter().zip(decision.running) {
            running[row] = runs;
        }
        if !running.contains(&true) {
            break;
        }
    }
    weights.iter_mut().for_each(|weights| weights.resize(max_depth + 1, 0.0));
    check(&weights, &depths, states.dtype())?;
    let expected = |weights: &Vec<f64>| weights.iter().zip(0..).map(|(weight, step)| weight * f64::from(step)).sum();
    let expected_depths = Some(weights.iter().map(expected).collect());
    Ok(Halted { states: mixture, depths, expected_depths, weights: Some(weights) })
}

fn check(weights: &[Vec<f64>], depths: &[u32], dtype: DType) -> Result<()> {
    // A half-precision run rounds every weight to about three digits.
    let tolerance = if matches!(dtype, DType::F32 | DType::F64) { TOLERANCE } else { 0.02 };
    for (row, weights) in weights.iter().enumerate() {
        let total: f64 = weights.iter().sum();
        if (total - 1.0).abs() > tolerance {
            return Err(Error::contract("policy", format!("soft weights sum to one, found {total} in row {row}")));
        }
        if let Some(weight) = weights.iter().find(|weight| **weight < -tolerance) {
            return Err(Error::contract("policy", format!("soft weights are not negative, found {weight}")));
        }
    }
    match depths.iter().position(|depth| *depth == 0) {
        Some(row) => Err(Error::contract("policy", format!("every token takes a step, but row {row} stops before"))),
        None => Ok(()),
    }
}
