//! The policy of a replay, and the model that stands for the recorded one.

use haltbench_sdk::candle_core::Device;
use haltbench_sdk::initialise::Variables;
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::policy::{Policy, PolicyDeclaration, Recipe};

use super::reader::Trace;
use super::steps::Steps;
use crate::costs::Costs;
use crate::error::Result;
use crate::model::Model;
use crate::recurrence::recorded::Recording;

/// Policy to replay, and its settings.
pub struct Replay<'a> {
    /// The policy.
    pub declaration: &'static PolicyDeclaration,
    /// Its parameters.
    pub parameters: &'a Parameters,
    /// Steps a token may take at most; by default all that were recorded.
    pub max_depth: Option<usize>,
    /// Seed of the policy's draws.
    pub seed: u64,
    /// Training stage, from 1, whose objective is computed; by default the last.
    pub stage: Option<usize>,
}

/// Which tensors the trace has.
pub fn recording(trace: &Trace) -> Recording {
    Recording {
        states: trace.d_model().is_some(),
        logits: trace.vocabulary().is_some(),
        targets: trace.targets.is_some(),
    }
}

/// A model of `policy` over recorded steps, `max_depth` of them.
///
/// # Errors
/// If the policy reports an impossible cost.
pub fn model(
    trace: &Trace,
    replay: &Replay,
    recipe: Recipe,
    (policy, steps, max_depth): (Policy, Steps, usize),
) -> Result<Model> {
    let backbone = Box::new(steps);
    Ok(Model {
        costs: Costs::of((None, &*backbone), (replay.declaration, &policy))?,
        backbone,
        backbone_declaration: None,
        policy,
        declaration: replay.declaration,
        recipe,
        training_steps: 1,
        is_causal: replay.declaration.causal.given(replay.parameters),
        variables: Variables::new(replay.seed, trace.dtype(), &Device::Cpu),
        max_depth,
        halted_keys_values: HaltedKeysValues::FreezeState,
        recompute: false,
        seed: replay.seed,
        device: Device::Cpu,
        dtype: trace.dtype(),
    })
}
