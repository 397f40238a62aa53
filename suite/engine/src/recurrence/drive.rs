//! The loop of every pass: the policy decides, then the rows that continue take a step.

use haltbench_sdk::candle_core::Tensor;
use haltbench_sdk::layout::RowSet;
use haltbench_sdk::ops;
use haltbench_sdk::policy::{Decision, Gate, HaltingRecord, RowMemory, Stashed};

use super::course::Course;
use super::judge::{Heard, Judge};
use super::mixture::{Before, Mixture};
use super::pass::{Pass, Shown, Step};
use super::{checks, named, replace_rows, shrink};
use crate::Result;
use crate::model::Model;

/// Result of a pass.
pub(crate) struct Outcome {
    /// Input of the coda, `[rows, d_model]`: the states at which rows halted, or mixtures of states.
    pub output: Tensor,
    /// States after the last step, `[rows, d_model]`.
    pub states: Tensor,
    /// Depths, weights, gates, choices and stashed tensors.
    pub record: HaltingRecord,
    /// Natural logarithms of the last weights of all rows as keys, `[rows, 1]`, if the policy weighs keys.
    pub log_key_weights: Option<Tensor>,
    /// Whether a decision changed more than depths: outputs, states, gates, or keys and values.
    pub alters_states: bool,
    /// The last step that each row took.
    pub last: Vec<u32>,
    /// Scores of every decision.
    pub scores: Vec<Scores>,
    /// The judge, with the distributions that it has recorded.
    pub judge: Judge,
}

/// Scores of one decision: the numbers that were compared with a threshold.
pub(crate) struct Scores {
    /// Steps taken before the decision.
    pub step: usize,
    /// The rows that the decision was about.
    pub rows: RowSet,
    /// One score for each of these rows; NaN for a row without a score.
    pub values: Vec<f64>,
}

/// Runs `pass` from the states h(0).
pub(crate) fn drive<'m>(pass: &mut impl Pass<'m>, judge: Judge, first: Tensor) -> Result<Outcome> {
    let model = pass.model();
    let rows = pass.layout().rows();
    let mut course = Course::new(model, rows);
    if let Judge::Given { depths, .. } = &judge {
        course.plan = Some(depths.clone());
    }
    let mut run = Run {
        pass,
        model,
        judge,
        course,
        memory: RowMemory::default(),
        states: first,
        before: None,
        shown: RowSet::all(rows),
        step: 0,
        gate: None,
        keys_values: None,
        log_key_weights: None,
        record: HaltingRecord::new(model.max_depth, Vec::new()),
        scores: Vec::new(),
        mixture: None,
        alters_states: false,
    };
    run.ask()?;
    while run.step < model.max_depth && run.advance()? {
        run.ask()?;
    }
    run.finish()
}

/// A pass in progress.
struct Run<'p, 'm, P> {
    pass: &'p mut P,
    model: &'m Model,
    judge: Judge,
    course: Course,
    memory: RowMemory,
    /// States of all rows.
    states: Tensor,
    /// The rows that were shown last, and the states that they started the next step from.
    before: Option<Before>,
    /// The rows that the policy is shown next.
    shown: RowSet,
    /// Steps taken.
    step: usize,
    /// The gate of the next step for the rows shown last.
    gate: Option<Gate>,
    /// States that the next step projects keys and values from, instead of the present states.
    keys_values: Option<Tensor>,
    /// Natural logarithms of the weights of all rows as keys, `[rows, 1]`.
    log_key_weights: Option<Tensor>,
    record: HaltingRecord,
    scores: Vec<Scores>,
    mixture: Option<Mixture>,
    alters_states: bool,
}

impl<'m, P: Pass<'m>> Run<'_, 'm, P> {
    /// Asks the policy for a decision, unless its kind does not decide at this step or no rows are left.
    fn ask(&mut self) -> Result<()> {
        let (model, step) = (self.model, self.step);
        if !self.judge.asks() || !model.policy.is_asked(step, model.max_depth) || self.shown.is_empty() {
            return Ok(());
        }
        let rows = self.shown.clone();
        let seen = rows.select(&self.states)?;
        let shown = Shown { step, rows: &rows, states: &seen, all: &self.states };
        let Decision { halting, scores, output, carry, gate, keys_values, log_key_weights, .. } =
            self.pass.ask(&shown, &mut self.memory)?;
        let stashed = self.memory.take_stashed(rows.len()).map_err(|error| named(model, error))?;
        for (name, values) in stashed {
            let stashed = Stashed { step, rows: rows.clone(), values };
            self.record.stash.entry(name).or_default().push(stashed);
        }
        self.alters_states |= output.is_some() || carry.is_some() || gate.is_some();
        self.alters_states |= keys_values.is_some() || log_key_weights.is_some();
        let scores = scores.map(|scores| checks::scores(model, scores, rows.len())).transpose()?;
        if let Some(output) = output {
            if self.mixture.is_none() {
                self.mixture = Some(Mixture::new(&self.states)?);
            }
            if let Some(mixture) = &mut self.mixture {
                mixture.add(model, step, &rows, &output, self.before.as_ref(), &self.states)?;
            }
        }
        let heard = Heard { step, rows: &rows, states: &seen };
        let compared = self.judge.hear(model, &heard, halting, &mut self.course)?;
        if let Some(values) = scores.or(compared) {
            self.scores.push(Scores { step, rows: rows.clone(), values });
        }
        if let Some(Gate { values, .. }) = &gate {
            checks::numbers(model, "gates", values, &[rows.len()])?;
        }
        self.gate = gate;
        if let Some(carry) = &carry {
            checks::shape(model, "carried states", carry, seen.dims())?;
            self.pass.carry(&rows, carry)?;
            self.states = replace_rows(&self.states, &rows, carry)?;
        }
        if self.mixture.is_some() {
            self.before = Some(Before { rows: rows.clone(), states: carry.unwrap_or_else(|| seen.clone()) });
        }
        if let Some(offered) = keys_values {
            checks::shape(model, "states for keys and values", &offered, seen.dims())?;
            // A row that rests offers the state that it is in.
            let takes = self.course.takes(step + 1);
            self.keys_values = Some(ops::gather_rows(&offered, &takes.places_in(&rows))?);
        }
        log_key_weights.map_or(Ok(()), |weights| self.weigh(&rows, &weights))
    }

    /// Gives `rows` these weights as keys from the next step on.
    fn weigh(&mut self, rows: &RowSet, log_weights: &Tensor) -> Result<()> {
        let model = self.model;
        let values = checks::numbers(model, "logarithms of key weights", log_weights, &[rows.len()])?;
        if let Some(value) = values.iter().find(|value| **value > 0.0) {
            return Err(model.broken(format!("gives a key the weight exp({value}), expected at most 1")));
        }
        let column = log_weights.unsqueeze(1)?;
        self.log_key_weights = Some(match &self.log_key_weights {
            Some(all) => replace_rows(all, rows, &column)?,
            None if self.step == 0 => column,
            None => {
                let step = self.step;
                return Err(model.broken(format!("weighs keys after step {step}, but not before the first step")));
            }
        });
        Ok(())
    }

    /// Takes the next step, if a row takes it or a gate needs its result. Returns whether it did.
    fn advance(&mut self) -> Result<bool> {
        let next = self.step + 1;
        let takes = self.course.takes(next);
        let soft = match &self.judge {
            Judge::Drawn(drawn) => drawn.soft(next)?,
            _ => None,
        };
        if takes.is_empty() && soft.is_none() && !self.course.wakes && !self.judge.collects_hazards() {
            return Ok(false);
        }
        let gate = self.gate_of(&takes)?;
        // A policy that mixes states is not asked about rows that have stopped: their output is complete.
        let asks_all = self.judge.asks_all() && self.mixture.is_none();
        if !asks_all && !self.course.wakes {
            shrink(self.model, &mut self.memory, &self.shown, &takes, &self.states)?;
            self.shown = takes.clone();
        }
        let settled = self.course.settled(self.pass.layout(), &takes);
        let keys_values = self.keys_values.take();
        let step = Step {
            number: next,
            takes: &takes,
            settled: &settled,
            wakes: self.course.wakes,
            gate: gate.as_ref(),
            soft: soft.as_ref(),
            keys_values: keys_values.as_ref(),
            log_key_weights: self.log_key_weights.as_ref(),
            planned: self.course.plan.as_deref(),
        };
        self.states = self.pass.step(&step, &self.states)?;
        self.course.stepped(next, &takes, &settled);
        self.step = next;
        Ok(true)
    }

    /// The gate of the rows that take the next step; records gate and choice of a selecting policy.
    fn gate_of(&mut self, takes: &RowSet) -> Result<Option<Gate>> {
        if self.course.wakes {
            let mut chosen = vec![false; takes.total()];
            takes.iter().for_each(|row| chosen[row] = true);
            self.record.chosen.push(chosen);
        }
        let Some(Gate { values, combine }) = self.gate.take() else { return Ok(None) };
        self.record.gates.push(values.clone());
        let values = if takes.len() == self.shown.len() {
            values
        } else {
            ops::gather_rows(&values, &takes.places_in(&self.shown))?
        };
        Ok(Some(Gate { values, combine }))
    }

    fn finish(self) -> Result<Outcome> {
        self.pass.idle(self.step, &self.states)?;
        let Self { model, judge, course, states, mut record, scores, mixture, log_key_weights, alters_states, .. } =
            self;
        record.depths = course.depths;
        let output = match mixture {
            None => states.clone(),
            Some(mixture) => {
                let (output, weights) = mixture.finish(model)?;
                record.weights = Some(weights);
                output
            }
        };
        Ok(Outcome { output, states, record, log_key_weights, alters_states, last: course.last, scores, judge })
    }
}
