//! A replay of the first sequence by an untrained policy, for what its declaration does not say.

use std::ops::Range;

use haltbench_sdk::policy::{PolicyKind, Privileged, Recipe};

use super::groups::{batch, steps};
use super::reader::Trace;
use super::replayed::{Replay, model, recording};
use super::weights;
use crate::batch::Batch;
use crate::error::Result;
use crate::model::Model;
use crate::panics;
use crate::recurrence::recorded::{self, Recording};

/// What the policy of a model may read about some tokens, packed into a batch.
pub type Readable<'a> = dyn Fn(&Model, &Batch, &Range<usize>) -> Result<Option<Privileged>> + 'a;

/// Whether a replay of `max_depth` steps needs to know what a trial tells.
pub fn is_needed(trace: &Trace, replay: &Replay, max_depth: usize) -> bool {
    // A policy without the states that it reads would only complain about the width of its weights. With one step, an
    // online policy is never asked, and would not tell that it has a distribution.
    !recording(trace).states || (max_depth == 1 && replay.declaration.kind == PolicyKind::Online)
}

/// Whether the policy has a distribution over depths.
///
/// # Errors
/// If the policy reads a tensor that the trace lacks, fails or breaks its contract.
pub fn has_distribution(trace: &Trace, replay: &Replay, max_depth: usize, privileged: &Readable) -> Result<bool> {
    let declaration = replay.declaration;
    let (name, tokens) = (declaration.name, 0..trace.lengths[0]);
    let mut steps = steps(trace, name, max_depth, &tokens)?;
    // An online policy is asked after every step but the last, so one more step, which nobody reads.
    let asked_depth = if declaration.kind == PolicyKind::Online { max_depth.max(2) } else { max_depth };
    for entries in [Some(&mut steps.states), steps.logits.as_mut()].into_iter().flatten() {
        if asked_depth > max_depth
            && let Some(last) = entries.last().cloned()
        {
            entries.push(last);
        }
    }
    let policy = weights::untrained(trace, declaration, replay.parameters, asked_depth, replay.seed)?;
    let model = model(trace, replay, Recipe::SAMPLED, (policy, steps, asked_depth))?;
    let batch = batch(trace, &(0..1), &tokens)?;
    let recording = Recording { targets: false, ..recording(trace) };
    let privileged = privileged(&model, &batch, &tokens)?;
    let replayed = panics::caught(name, || recorded::decide(&model, &batch, recording, privileged.as_ref()))?;
    Ok(replayed.decided.distributions.is_some())
}
