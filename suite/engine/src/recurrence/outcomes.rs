//! Outcomes of every step, for oracles that read them.

use haltbench_sdk::layout::RowSet;
use haltbench_sdk::policy::{Labels, Outcomes, Privileged};

use super::trajectory::dense_steps;
use crate::Result;
use crate::batch::Batch;
use crate::model::Model;

/// What the policy of `model` may read about `batch`: complexities, in the `range` of those at training sizes, and outcomes
/// if it declares them.
///
/// # Errors
/// If the pass for the outcomes fails.
pub fn privileged(model: &Model, batch: &Batch, range: (f32, f32)) -> Result<Privileged> {
    let outcomes = match model.declaration.uses_labels {
        Labels::Outcomes => Some(outcomes(model, batch, true)?),
        Labels::None | Labels::Complexity => None,
    };
    Ok(Privileged { complexity: batch.complexity.clone(), range, outcomes })
}

/// Predictions and losses of every row after each of D steps of a pass in which no token halts. Without targets there are no
/// losses.
pub(crate) fn outcomes(model: &Model, batch: &Batch, has_targets: bool) -> Result<Outcomes> {
    let mut targets = vec![None; batch.rows()];
    batch.readout.iter().zip(batch.targets.iter()).for_each(|(row, target)| targets[row] = Some(*target));
    let (all, mut outcomes) = (RowSet::all(batch.rows()), Outcomes::new(has_targets.then_some(targets)));
    dense_steps(model, batch, |step, states| {
        if step > 0 {
            outcomes.push(&model.backbone.coda(states, &batch.layout, &all, None)?.detach())?;
        }
        Ok(())
    })?;
    Ok(outcomes)
}
