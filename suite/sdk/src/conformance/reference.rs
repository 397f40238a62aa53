//! The reference execution of a policy: one plain loop, masked dense, in evaluation.
//!
//! Every step computes every row; a mask then restores the states of the rows that did not take part. This always costs
//! D steps, shares no code with any fast execution, and is written to be read.

mod plain;
mod unroll;

use candle_core::Tensor;

pub(super) use plain::{Emitted, HazardTrack, depth_distribution, emitted};
pub(super) use unroll::{Unroll, keep, numbers, replace_rows, sized};

use super::Batch;
use crate::backbone::Backbone;
use crate::error::Result;
use crate::key_values::HaltedKeysValues;
use crate::policy::{Outcomes, Phase, Policy};

/// How a reference run is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Steps a token may take at most, D.
    pub max_depth: usize,
    /// Keys and values of a token that takes no part in a step.
    pub halted: HaltedKeysValues,
    /// The run's seed.
    pub seed: u64,
}

/// Result of a reference run, row by row of the batch.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Steps executed.
    pub depths: Vec<u32>,
    /// Expected depth, if the policy has a distribution over depths: from its logits, from its hazards as
    /// [`HazardHistory`](crate::policy::HazardHistory) completes them, or from its weights.
    pub expected_depths: Option<Vec<f64>>,
    /// Weights of the states after 0, 1, ..., D steps, of soft policies.
    pub weights: Option<Vec<Vec<f64>>>,
    /// Numbers in the decisions about each row, step by step: scores, logits, weight and gate, those that there are.
    pub decided: Vec<Vec<f64>>,
    /// Input of the coda: halted states or mixtures, `[rows, d_model]`.
    pub states: Tensor,
    /// Logits of all rows, `[rows, vocabulary]`.
    pub logits: Tensor,
    /// Executed row-steps: the sum of the depths. Under run-on, more are computed.
    pub executed: u64,
}

/// Runs `policy` over `batch` in evaluation.
///
/// # Errors
/// If a tensor operation fails, or the policy breaks its contract: a decision of the wrong length, a number that is
/// not finite, a depth outside 1..=D, weights that are negative or do not sum to one.
pub fn run(backbone: &dyn Backbone, policy: &Policy, batch: &Batch, settings: &Settings) -> Result<Outcome> {
    let (mut unroll, start) = Unroll::begin(backbone, batch, settings, Phase::Evaluation)?;
    let halted = plain::plain(policy, &mut unroll, start)?;
    Ok(Outcome {
        logits: unroll.logits(&halted.states)?,
        executed: halted.depths.iter().map(|depth| u64::from(*depth)).sum(),
        depths: halted.depths,
        expected_depths: halted.expected_depths,
        weights: halted.weights,
        decided: halted.decided,
        states: halted.states,
    })
}

/// What every row predicts after each of D steps of a pass in which no token halts. Every other row is an answer, and its
/// target is token 1.
pub(super) fn outcomes(backbone: &dyn Backbone, batch: &Batch, settings: &Settings) -> Result<Outcomes> {
    let (mut unroll, mut states) = Unroll::begin(backbone, batch, settings, Phase::Evaluation)?;
    let position = |row: usize| batch.layout.position(row);
    let targets = (0..batch.rows()).map(|row| position(row).is_multiple_of(2).then_some(1)).collect();
    let mut outcomes = Outcomes::new(Some(targets));
    for step in 1..=settings.max_depth {
        states = unroll.apply(step, &states, &vec![false; batch.rows()])?;
        outcomes.push(&unroll.logits(&states)?)?;
    }
    Ok(outcomes)
}

/// Result of the loop.
struct Halted {
    states: Tensor,
    depths: Vec<u32>,
    expected_depths: Option<Vec<f64>>,
    weights: Option<Vec<Vec<f64>>>,
    decided: Vec<Vec<f64>>,
}
