//! Evaluation: halted tokens are compacted out of the step, so wall-clock falls with depth.

use std::sync::Arc;

use haltbench_sdk::backbone::{Start, StepContext};
use haltbench_sdk::candle_core::{D, DType, Device, Tensor};
use haltbench_sdk::candle_nn::ops::softmax;
use haltbench_sdk::key_values::{HaltedKeysValues, KeyValues};
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::ops::AttentionPlan;
use haltbench_sdk::policy::{Phase, Privileged, View};

use super::beliefs::Beliefs;
use super::drive::{Outcome, drive};
use super::execution::Execution;
use super::judge::Judge;
use super::pass::{Pass, Shown, Step};
use super::{Moving, Readouts, begin, checks, replace_rows, with_view};
use crate::Result;
use crate::batch::Batch;
use crate::ledger::{Bill, Ledger, RowCosts};
use crate::model::Model;

/// Result of the evaluation of one batch.
pub struct Evaluated {
    /// Steps executed per row.
    pub depths: Vec<u32>,
    /// The policy's distribution over depths, if it has one.
    pub beliefs: Option<Beliefs>,
    /// Logits of the rows under the loss, `[readout, vocabulary]`.
    pub logits: Tensor,
    /// The token predicted for each row under the loss.
    pub predicted: Vec<u32>,
    /// The probability of that token.
    pub confidence: Vec<f32>,
    /// Cost of the batch.
    pub ledger: Ledger,
    /// Cost of each row.
    pub costs: RowCosts,
    /// Everything else that the policy decided.
    pub decided: Decided,
}

/// Decisions of a policy in an evaluation, besides depths.
#[derive(Default)]
pub struct Decided {
    /// For each row, its scores after 0, 1, ..., D steps; `None` without a finite score.
    pub scores: Vec<Vec<Option<f64>>>,
    /// For each row, probabilities of the depths 1..=D, if the policy has a distribution over depths.
    pub distributions: Option<Vec<Vec<f64>>>,
    /// For each row, weights of the states after 0..=D steps, if the policy mixes states.
    pub weights: Option<Vec<Vec<f64>>>,
    /// Whether a decision changed more than depths: outputs, states, gates, or keys and values.
    pub alters_states: bool,
    /// For each step, the rows that a selecting policy chose.
    pub chosen: Vec<Vec<bool>>,
}

impl Decided {
    /// From the outcome of a pass over `rows` rows.
    pub(super) fn new(outcome: &Outcome, rows: usize, max_depth: usize) -> Result<Self> {
        let mut scores = vec![vec![None; max_depth + 1]; rows];
        for entry in &outcome.scores {
            for (row, value) in entry.rows.iter().zip(&entry.values) {
                scores[row][entry.step] = Some(*value).filter(|value| value.is_finite());
            }
        }
        let distributions = match &outcome.judge {
            Judge::Rule(rule) => rule.distributions(max_depth),
            _ => None,
        };
        let weights = match &outcome.record.weights {
            Some(weights) => Some(weights.detach().to_device(&Device::Cpu)?.to_dtype(DType::F64)?.to_vec2()?),
            None => None,
        };
        let alters_states = outcome.alters_states;
        Ok(Self { scores, distributions, weights, alters_states, chosen: outcome.record.chosen.clone() })
    }

    fn beliefs(&self) -> Option<Beliefs> {
        let by_depth = self.distributions.as_deref().map(|q| Beliefs::new(q, 1));
        by_depth.or_else(|| self.weights.as_deref().map(|weights| Beliefs::new(weights, 0)))
    }
}

/// Evaluates one batch.
///
/// # Errors
/// If a tensor operation fails or the policy breaks its contract.
pub fn evaluate(
    model: &Model,
    batch: &Batch,
    execution: Execution,
    privileged: Option<&Privileged>,
) -> Result<Evaluated> {
    let Start { states: first, input } = begin(model, batch, Phase::Evaluation)?;
    let mut pass = Evaluation::new(model, batch, execution, privileged, input);
    let outcome = drive(&mut pass, Judge::rule(), first)?;
    pass.finish(outcome)
}

/// Evaluates one batch whose rows halt at `depths`, without asking the policy: to measure an execution at given depths.
///
/// # Errors
/// If a tensor operation fails or there are not as many depths as rows.
pub fn evaluate_at(model: &Model, batch: &Batch, execution: Execution, depths: &[u32]) -> Result<Evaluated> {
    let depths = checks::depths(model, depths.to_vec(), batch.rows())?;
    let Start { states: first, input } = begin(model, batch, Phase::Evaluation)?;
    let mut pass = Evaluation::new(model, batch, execution, None, input);
    let outcome = drive(&mut pass, Judge::Given { depths, asks: false }, first)?;
    pass.finish(outcome)
}

pub(super) struct Evaluation<'a> {
    model: &'a Model,
    batch: &'a Batch,
    execution: Execution,
    privileged: Option<&'a Privileged>,
    key_values: KeyValues,
    /// Input of every step, for all rows.
    input: Option<Tensor>,
    bill: Bill<'a>,
    /// States under run-on, where halted tokens take all steps so that their keys and values keep changing.
    shadow: Option<Tensor>,
    moving: Moving,
    readouts: Readouts,
}

impl<'a> Evaluation<'a> {
    pub fn new(
        model: &'a Model,
        batch: &'a Batch,
        execution: Execution,
        privileged: Option<&'a Privileged>,
        input: Option<Tensor>,
    ) -> Self {
        let layers = model.backbone.dimensions().core_layers;
        Self {
            model,
            batch,
            execution,
            privileged,
            key_values: KeyValues::new(model.halted_keys_values, layers, batch.rows()),
            input,
            bill: Bill::begin(model, &batch.layout),
            shadow: None,
            moving: Moving::default(),
            readouts: Readouts::default(),
        }
    }

    /// Reads the answers from the halted states. Reuses logits that the policy has already read from the same states.
    fn finish(mut self, outcome: Outcome) -> Result<Evaluated> {
        let (model, batch) = (self.model, self.batch);
        let layout = &batch.layout;
        let decided = Decided::new(&outcome, batch.rows(), model.max_depth)?;
        let beliefs = decided.beliefs();
        let Outcome { output, record, last, .. } = outcome;
        let (depths, wanted) = (record.depths, &batch.readout);
        let known = match &record.weights {
            None => self.readouts.known(model, layout, &last, wanted),
            // A mixture of states needs a read-out of its own.
            Some(_) => RowSet::none(batch.rows()),
        };
        let read = |rows: &RowSet| Ok(model.backbone.coda(&output, layout, rows, None)?);
        let logits = self.readouts.finish(wanted, &known, &last, read)?;
        self.bill.answer(wanted, &known);
        let probabilities = softmax(&logits.to_dtype(DType::F32)?, D::Minus1)?.to_device(&Device::Cpu)?;
        let vocabulary = probabilities.dim(1)?.max(1);
        let probabilities = probabilities.flatten_all()?.to_vec1::<f32>()?;
        let best = |row: &[f32]| {
            let largest = row.iter().copied().fold(f32::MIN, f32::max);
            (row.iter().position(|value| *value == largest).unwrap_or(0) as u32, largest)
        };
        if let Some(place) = probabilities.iter().position(|value| value.is_nan()) {
            let row = place / vocabulary;
            return Err(crate::Error::Cell(format!("evaluation: the logits of answer row {row} are NaN")));
        }
        let (predicted, confidence) = probabilities.chunks_exact(vocabulary).map(best).unzip();
        let (ledger, costs) = (self.bill.ledger, self.bill.rows);
        Ok(Evaluated { depths, beliefs, logits, predicted, confidence, ledger, costs, decided })
    }
}

impl<'a> Pass<'a> for Evaluation<'a> {
    fn model(&self) -> &'a Model {
        self.model
    }

    fn layout(&self) -> &Arc<TokenLayout> {
        &self.batch.layout
    }

    fn step(&mut self, step: &Step, states: &Tensor) -> Result<Tensor> {
        let takes = step.takes;
        let all = RowSet::all(self.batch.rows());
        let mut resting = step.resting();
        let option = self.model.halted_keys_values;
        let runs_on = option == HaltedKeysValues::RunOn;
        // A row that rests from the start has no keys and values of an earlier step.
        let must_project = option == HaltedKeysValues::LatestKv && step.number == 1 && resting.contains(&true);
        let dense = self.execution == Execution::Dense || runs_on || must_project;
        if takes.is_empty() && !dense {
            return Ok(states.clone());
        }
        let computed = if dense { &all } else { takes };
        let source = match (&self.shadow, runs_on && !step.wakes) {
            (Some(shadow), true) => shadow.clone(),
            _ => states.clone(),
        };
        step.offer(&source, &mut self.key_values)?;
        if dense {
            if must_project {
                resting.fill(false);
            }
            self.key_values.forget();
            self.key_values.begin_dense(&all, &resting, &source)?;
        } else {
            self.key_values.begin_compacted(takes, step.settled, &resting, &source)?;
        }
        let (layout, visible) = (&self.batch.layout, self.key_values.visible());
        let plan = match self.model.backbone_is_causal() {
            true => AttentionPlan::new(layout, computed, visible),
            false => AttentionPlan::whole(layout, computed, visible),
        };
        self.bill.step(&plan, self.key_values.projected_alone());
        let input = self.input.as_ref().map(|input| computed.select(input)).transpose()?;
        let mut context = StepContext {
            max_depth: self.model.max_depth,
            planned: step.planned,
            seed: self.model.seed,
            input: input.as_ref(),
            ..StepContext::new(step.number, &self.batch.layout, computed, &mut self.key_values)
        };
        let new = self.model.backbone.step(&computed.select(&source)?, &mut context)?;
        if runs_on && !step.wakes {
            self.shadow = Some(new.clone());
        }
        if takes.is_empty() {
            return Ok(states.clone());
        }
        let new = if dense { takes.select(&new)? } else { new };
        let new = step.joined(|| takes.select(states), new)?;
        self.moving.replace(states, takes, &new)
    }

    /// A dense execution takes the remaining steps after the last token has halted.
    fn idle(&mut self, done: usize, states: &Tensor) -> Result<()> {
        if self.execution == Execution::Dense {
            let none = RowSet::none(self.batch.rows());
            for number in done + 1..=self.model.max_depth {
                let idle = Step {
                    number,
                    takes: &none,
                    settled: &none,
                    wakes: false,
                    gate: None,
                    soft: None,
                    keys_values: None,
                    log_key_weights: None,
                    planned: None,
                };
                self.step(&idle, states)?;
            }
        }
        Ok(())
    }

    fn show<T>(&mut self, shown: &Shown, ask: impl FnOnce(&View) -> haltbench_sdk::Result<T>) -> Result<T> {
        let answered = with_view(self.model, self.batch, Phase::Evaluation, shown, self.privileged, ask)?;
        if let Some(logits) = answered.logits {
            self.bill.read_out(shown.rows);
            self.readouts.push(shown.step, shown.rows, logits);
        }
        Ok(answered.answer)
    }

    fn charge(&mut self, rows: &RowSet) {
        self.bill.decide(rows);
    }

    fn carry(&mut self, rows: &RowSet, states: &Tensor) -> Result<()> {
        if let Some(shadow) = &self.shadow {
            self.shadow = Some(replace_rows(shadow, rows, states)?);
        }
        Ok(())
    }
}
