//! Evaluation of a cell: compacted passes over all instances, the table of tokens, the measures.

mod measures;
mod record;
mod source;
mod spot_check;
mod timing;

use haltbench_analysis::Split;
use haltbench_sdk::policy::{CalibrationTrace, Privileged};
use haltbench_sdk::task::generation::PredictedString;
use haltbench_sdk::task::{Instance, Task};

use self::record::record;
use crate::batch::Batch;
use crate::data::EvaluationInstance;
use crate::error::{Error, Result};
use crate::generation;
use crate::ledger::Ledger;
use crate::model::Model;
use crate::monitor::{Monitor, Stage};
use crate::recurrence::{Evaluated, Execution, calibration_trace, evaluate, privileged};
use crate::store::TokenRecord;

pub use self::measures::{alignment_of_generated, measure};
pub use self::spot_check::Seen;

/// Inputs of an evaluation.
pub struct Evaluator<'a> {
    /// The task.
    pub task: &'a dyn Task,
    /// All instances.
    pub instances: &'a [EvaluationInstance],
    /// Index of the headline complexity.
    pub headline: usize,
    /// Range of the headline complexity at training sizes, for oracles.
    pub range: (f32, f32),
    /// Instances in a batch.
    pub batch: usize,
}

/// Results of an evaluation.
#[derive(Default)]
pub struct Findings {
    /// Every token.
    pub tokens: Vec<TokenRecord>,
    /// Its cost.
    pub ledger: Ledger,
    /// For tasks that are languages: the model's predicted distributions at every target of sizes seen in training.
    pub strings: Vec<PredictedString>,
    /// What the policy decided about the sequences that are checked.
    pub seen: Vec<Seen>,
    /// Whether a decision changed more than depths.
    pub alters_states: bool,
}

impl Evaluator<'_> {
    /// The batches: instances ordered by size, so that sequences in a batch have similar lengths.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = &[EvaluationInstance]> {
        self.instances.chunks(self.batch)
    }

    /// A batch with what an oracle may read.
    pub(crate) fn pack<'a>(
        &self,
        chunk: impl IntoIterator<Item = &'a EvaluationInstance>,
        model: &Model,
    ) -> Result<(Batch, Privileged)> {
        let (instances, identities): (Vec<&Instance>, Vec<u64>) =
            chunk.into_iter().map(|entry| (&entry.instance, entry.id)).unzip();
        let batch = Batch::new(&instances, &identities, self.task.spec().supervision, self.headline, &model.device)?;
        let privileged = privileged(model, &batch, self.range)?;
        Ok((batch, privileged))
    }

    /// Evaluates every instance.
    ///
    /// # Errors
    /// If a pass fails, or [`Error::Interrupted`].
    pub fn run(&self, model: &Model, monitor: &dyn Monitor) -> Result<Findings> {
        let mut found = Findings::default();
        let total = self.instances.len().div_ceil(self.batch) as u64;
        for (number, chunk) in self.chunks().enumerate() {
            let (batch, privileged) = self.pack(chunk, model)?;
            let evaluated = evaluate(model, &batch, Execution::Compacted, Some(&privileged))?;
            found.ledger.add(&evaluated.ledger);
            found.alters_states |= evaluated.decided.alters_states;
            record(self.task, chunk, &batch, &evaluated, &mut found.tokens);
            if self.task.generation().is_some() {
                found.strings.extend(predicted_strings(chunk, &evaluated)?);
            }
            found.seen.extend(self.seen(number * self.batch, &batch, &evaluated));
            monitor.progress(Stage::Evaluating, number as u64 + 1, total, None);
            if let Some(signal) = monitor.interrupted() {
                return Err(Error::Interrupted(signal));
            }
        }
        Ok(found)
    }
}

impl Evaluator<'_> {
    /// The answers of every instance after each of D steps, for a policy that calibrates itself.
    ///
    /// # Errors
    /// If a pass fails, or [`Error::Interrupted`].
    pub fn calibration(&self, model: &Model, monitor: &dyn Monitor) -> Result<CalibrationTrace> {
        let mut trace = CalibrationTrace { max_depth: model.max_depth, tokens: Vec::new() };
        for (place, chunk) in self.chunks().enumerate() {
            let (batch, privileged) = self.pack(chunk, model)?;
            trace.tokens.extend(calibration_trace(model, &batch, place * self.batch, Some(&privileged))?);
            if let Some(signal) = monitor.interrupted() {
                return Err(Error::Interrupted(signal));
            }
        }
        Ok(trace)
    }
}

/// The answers of every instance of a size seen in training, with the distributions that predicted them.
fn predicted_strings(chunk: &[EvaluationInstance], evaluated: &Evaluated) -> Result<Vec<PredictedString>> {
    let mut distributions = generation::distributions(&evaluated.logits)?.into_iter();
    let string = |entry: &EvaluationInstance| {
        let tokens: Vec<u32> = entry.instance.answers().collect();
        let string = PredictedString { distributions: distributions.by_ref().take(tokens.len()).collect(), tokens };
        (entry.split == Split::InRange).then_some(string)
    };
    Ok(chunk.iter().filter_map(string).collect())
}
