//! Evaluation: halted tokens are compacted out of the step, so wall-clock falls with depth.

use std::sync::Arc;

use haltbench_sdk::backbone::{Start, StepContext};
use haltbench_sdk::candle_core::{D, DType, Device, Tensor};
use haltbench_sdk::candle_nn::ops::softmax;
use haltbench_sdk::key_values::{HaltedKeysValues, KeyValues};
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::ops::AttentionPlan;
use haltbench_sdk::policy::{Phase, Policy, Privileged, View};

use super::beliefs::Beliefs;
use super::execution::{Execution, StepWork};
use super::halting::{self, still_seen};
use super::{Moving, begin, decision, select, soft, with_view};
use crate::Result;
use crate::batch::Batch;
use crate::ledger::{Bill, Ledger, RowCosts};
use crate::model::Model;

/// What an evaluation of one batch found.
pub struct Evaluated {
    /// Steps executed per row.
    pub depths: Vec<u32>,
    /// What the policy believed about depths, if it has a distribution.
    pub beliefs: Option<Beliefs>,
    /// Logits of the rows under the loss, `[readout, vocabulary]`.
    pub logits: Tensor,
    /// The token predicted for each row under the loss.
    pub predicted: Vec<u32>,
    /// The probability of that token.
    pub confidence: Vec<f32>,
    /// What it cost.
    pub ledger: Ledger,
    /// What each row cost.
    pub costs: RowCosts,
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
    let start = begin(model, batch, Phase::Evaluation)?;
    let first = start.states.clone();
    let mut pass = Pass::new(model, batch, execution, privileged, start.input.clone());
    let believed = |(states, depths, distributions): halting::Outcome| {
        (states, depths, distributions.as_deref().map(Beliefs::new))
    };
    let (states, depths, beliefs) = match &model.policy {
        Policy::Early(policy) => believed(halting::early(&mut pass, policy.as_ref(), first)?),
        Policy::Online(policy) => believed(halting::online(&mut pass, policy.as_ref(), first)?),
        // The ledger charges what is executed: of mixtures the rows that still run, of selections all, however executed.
        Policy::Soft(policy) => {
            let mixture = soft::mix(model, policy.as_ref(), batch, start, (Phase::Evaluation, execution), privileged)?;
            let decisions = mixture.depths.iter().map(|depth| *depth as usize + 1);
            pass.charge(&mixture.steps, decisions.enumerate(), &mixture.readouts);
            let weights = mixture.weights.detach().to_device(&Device::Cpu)?.to_dtype(DType::F32)?.to_vec2()?;
            (mixture.states, mixture.depths, Some(Beliefs { expected: mixture.expected, distributions: weights }))
        }
        Policy::Select(policy) => {
            let selected = select::pass(model, policy.as_ref(), batch, start, Phase::Evaluation, privileged)?;
            let decisions = (0..batch.rows()).map(|row| (row, model.max_depth));
            let work =
                StepWork { rows: RowSet::all(batch.rows()), visible: None, projected: RowSet::none(batch.rows()) };
            let steps = vec![work; model.max_depth];
            pass.charge(&steps, decisions, &selected.readouts);
            (selected.states, selected.depths, None)
        }
    };
    pass.finish(states, depths, beliefs)
}

/// Evaluates one batch whose rows halt at `depths`, whatever the policy says: what an execution costs at given depths.
///
/// # Errors
/// If a tensor operation fails or there are not as many depths as rows.
pub fn evaluate_at(model: &Model, batch: &Batch, execution: Execution, depths: &[u32]) -> Result<Evaluated> {
    let depths = decision::depths(model, depths.to_vec(), batch.rows())?;
    let Start { states, input } = begin(model, batch, Phase::Evaluation)?;
    let mut pass = Pass::new(model, batch, execution, None, input);
    let states = halting::run_to(&mut pass, &depths, states)?;
    pass.finish(states, depths, None)
}

struct Pass<'a> {
    model: &'a Model,
    batch: &'a Batch,
    execution: Execution,
    privileged: Option<&'a Privileged>,
    key_values: KeyValues,
    /// What every step is given again, of all rows.
    input: Option<Tensor>,
    bill: Bill<'a>,
    /// States that halted tokens go on with under run-on, for the sake of their keys and values.
    shadow: Option<Tensor>,
    moving: Moving,
}

impl<'a> Pass<'a> {
    fn new(
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
            bill: Bill::begin(model, &batch.layout, &batch.readout),
            shadow: None,
            moving: Moving::default(),
        }
    }

    /// Reads the answers off the halted states.
    fn finish(self, states: Tensor, depths: Vec<u32>, beliefs: Option<Beliefs>) -> Result<Evaluated> {
        let (model, batch) = (self.model, self.batch);
        let logits = model.backbone.coda(&states, &batch.layout, &batch.readout, None)?;
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
        Ok(Evaluated { depths, beliefs, logits, predicted, confidence, ledger, costs })
    }

    /// Charges steps and the decisions about them.
    fn charge(&mut self, steps: &[StepWork], decisions: impl Iterator<Item = (usize, usize)>, readouts: &[RowSet]) {
        for StepWork { rows, visible, projected } in steps {
            self.bill.step(&AttentionPlan::new(&self.batch.layout, rows, visible.as_ref()), projected.as_slice());
        }
        self.bill.decide(decisions);
        readouts.iter().for_each(|rows| self.bill.read_out(rows));
    }
}

impl halting::Pass for Pass<'_> {
    fn model(&self) -> &Model {
        self.model
    }

    fn layout(&self) -> &Arc<TokenLayout> {
        &self.batch.layout
    }

    fn step(&mut self, step: usize, states: &Tensor, running: &RowSet, settled: &RowSet) -> Result<Tensor> {
        let all = RowSet::all(self.batch.rows());
        let mut halted = vec![true; self.batch.rows()];
        running.iter().for_each(|row| halted[row] = false);
        let runs_on = self.model.halted_keys_values == HaltedKeysValues::RunOn;
        let dense = self.execution == Execution::Dense || runs_on;
        let computed = if dense { &all } else { running };
        let source = match (&self.shadow, runs_on) {
            (Some(shadow), true) => shadow.clone(),
            _ => states.clone(),
        };
        if dense {
            self.key_values.forget();
            self.key_values.begin_dense(&all, &halted, &source)?;
        } else {
            let settled = still_seen(&self.batch.layout, settled, running);
            self.key_values.begin_compacted(running, &settled, &halted, &source)?;
        }
        let plan = AttentionPlan::new(&self.batch.layout, computed, self.key_values.visible());
        self.bill.step(&plan, self.key_values.projected_alone());
        let input = self.input.as_ref().map(|input| computed.select(input)).transpose()?;
        let mut context = StepContext {
            max_depth: self.model.max_depth,
            seed: self.model.seed,
            input: input.as_ref(),
            ..StepContext::new(step, &self.batch.layout, computed, &mut self.key_values)
        };
        let new = self.model.backbone.step(&computed.select(&source)?, &mut context)?;
        if runs_on {
            self.shadow = Some(new.clone());
        }
        if running.is_empty() {
            return Ok(states.clone());
        }
        let new = if dense { running.select(&new)? } else { new };
        self.moving.replace(states, running, &new)
    }

    /// A dense execution goes on after the last token has halted.
    fn idle(&mut self, done: usize, states: &Tensor) -> Result<()> {
        if self.execution == Execution::Dense {
            let none = RowSet::none(self.batch.rows());
            for step in done + 1..=self.model.max_depth {
                self.step(step, states, &none, &none)?;
            }
        }
        Ok(())
    }

    fn show<T>(
        &mut self,
        step: usize,
        view: (&RowSet, &Tensor, &Tensor),
        ask: impl FnOnce(&View) -> haltbench_sdk::Result<T>,
    ) -> Result<T> {
        let (answer, asked) = with_view(self.model, self.batch, (step, Phase::Evaluation), view, self.privileged, ask)?;
        if asked {
            self.bill.read_out(view.0);
        }
        Ok(answer)
    }

    fn charge(&mut self, rows: &RowSet) {
        self.bill.decide(rows.iter().map(|row| (row, 1)));
    }
}
