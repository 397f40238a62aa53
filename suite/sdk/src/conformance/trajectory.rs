//! A policy's decisions over states that it cannot influence: h(0), ..., h(D) of a pass without halting.
//!
//! On fixed states, gradients with respect to the policy's weights can be compared with finite differences even if the
//! policy stops gradients into the backbone. A threshold also changes every depth in one direction only; in a real
//! pass, the depth of one token changes the states of later tokens.

use std::sync::Arc;

use candle_core::{DType, Tensor};
use candle_nn::ops::log_softmax;

use super::Batch;
use super::reference::{HazardTrack, Settings, Unroll, depth_distribution, keep, numbers, sized};
use crate::backbone::Backbone;
use crate::error::Result;
use crate::layout::RowSet;
use crate::ops::cross_entropy;
use crate::policy::{
    CalibrationToken, CalibrationTrace, Decision, Halting, HaltingRecord, HaltingRule, Objective, Phase, Policy,
    PolicyKind, Progress, Recipe, RowMemory, Stashed, TrainingPass,
};

/// The states of one batch after 0, 1, ..., D steps.
pub(super) struct Trajectory<'a> {
    unroll: Unroll<'a>,
    states: Vec<Tensor>,
}

impl<'a> Trajectory<'a> {
    /// Unrolls `backbone` over `batch`.
    pub fn new(backbone: &'a dyn Backbone, batch: &'a Batch, settings: &Settings, phase: Phase) -> Result<Self> {
        let (mut unroll, start) = Unroll::begin(backbone, batch, settings, phase)?;
        let none = vec![false; batch.rows()];
        let mut states = vec![start.detach()];
        for step in 1..=settings.max_depth {
            states.push(unroll.apply(step, &states[step - 1], &none)?.detach());
        }
        Ok(Self { unroll, states })
    }

    /// Replaces the states: one tensor after each of 0, 1, ..., D steps.
    pub fn set_states(&mut self, states: Vec<Tensor>) {
        self.states = states;
    }

    /// The states after 0, 1, ..., D steps.
    pub fn states(&self) -> &[Tensor] {
        &self.states
    }

    /// The record that the engine would pass to the policy's objective; the inference rule chooses the depths.
    pub fn record(&self, policy: &Policy) -> Result<HaltingRecord> {
        self.observed(policy, |_, _, _| Ok(()))
    }

    /// [`record`](Self::record), which shows every decision to `observe`: the steps before it, its rows, itself.
    pub fn observed(
        &self,
        policy: &Policy,
        mut observe: impl FnMut(usize, &RowSet, &Decision) -> Result<()>,
    ) -> Result<HaltingRecord> {
        let max_depth = self.unroll.settings.max_depth;
        let (rows, device) = (self.unroll.rows(), self.states[0].device());
        let all = &self.unroll.all;
        let mixes = policy.kind() == PolicyKind::Soft;
        let mut record = HaltingRecord::new(max_depth, vec![0; rows]);
        let mut memory = RowMemory::default();
        let mut running = vec![true; rows];
        let mut log_hazards = LogHazards::new(rows);
        let nothing = Tensor::zeros(rows, DType::F64, device)?;
        let mut columns = vec![nothing; max_depth + 1];
        let mut planned = false;
        for step in 0..=max_depth {
            if step > 0 && !planned {
                for (depth, running) in record.depths.iter_mut().zip(&running) {
                    *depth += u32::from(*running);
                }
            }
            let shown = if mixes { RowSet::from_mask(&running) } else { all.clone() };
            if !policy.is_asked(step, max_depth) || shown.is_empty() {
                continue;
            }
            let decision =
                self.unroll.look(step, &shown, &self.states[step], |view| policy.decide(view, &mut memory))?;
            observe(step, &shown, &decision)?;
            for (name, values) in memory.take_stashed(shown.len())? {
                let stashed = Stashed { step, rows: shown.clone(), values };
                record.stash.entry(name).or_default().push(stashed);
            }
            if let Some(output) = &decision.output {
                numbers("weights", &output.weight, &[shown.len()])?;
                let weights = [(step, Some(&output.weight)), (step.saturating_sub(1), output.before.as_ref())];
                for (step, weight) in weights {
                    let Some(weight) = weight else { continue };
                    let rows = shown.tensor(device)?;
                    columns[step] = columns[step].index_add(&rows, &weight.to_dtype(DType::F64)?, 0)?;
                }
            }
            if let Some(gate) = decision.gate {
                record.gates.push(gate.values);
            }
            match decision.halting {
                Halting::GoOn => {}
                Halting::Depths(depths) => (record.depths, planned) = (depths, true),
                Halting::Logits(logits) => {
                    let distributions = depth_distribution(&logits, rows, max_depth)?;
                    record.depths = distributions.iter().map(|q| policy.rule().depth(q)).collect();
                    record.log_distribution = Some(log_softmax(&logits.to_dtype(DType::F64)?, 1)?);
                    planned = true;
                }
                Halting::Halt(halts) => {
                    sized("halting flags", &halts, shown.len())?;
                    let goes_on: Vec<bool> = halts.iter().map(|halts| !halts).collect();
                    if mixes {
                        keep(&mut memory, &goes_on, device)?;
                    }
                    shown.iter().zip(goes_on).for_each(|(row, goes_on)| running[row] &= goes_on);
                }
                Halting::Hazards { logits, halts } => {
                    let by_rule = log_hazards.push(&logits, policy.rule(), max_depth)?;
                    let halts = halts.unwrap_or(by_rule);
                    sized("halting flags", &halts, rows)?;
                    running.iter_mut().zip(halts).for_each(|(running, halts)| *running &= !halts);
                }
                Halting::Choose(chosen) => {
                    sized("chosen flags", &chosen, rows)?;
                    record.chosen.push(chosen.clone());
                    running = chosen;
                }
            }
        }
        sized("depths", &record.depths, rows)?;
        if mixes {
            record.weights = Some(Tensor::stack(&columns, 1)?);
        }
        if let Some(log_q) = log_hazards.finish()? {
            record.log_distribution = Some(log_q);
        }
        Ok(record)
    }

    /// What the engine would show the policy to calibrate on: every other row is an answer token.
    pub fn calibration(&self, policy: &Policy) -> Result<CalibrationTrace> {
        let (layout, all, max_depth) = (self.unroll.layout(), &self.unroll.all, self.unroll.settings.max_depth);
        let mut memory = RowMemory::default();
        let mut log_hazards = LogHazards::new(layout.rows());
        let answers = (0..layout.rows()).filter(|row| row % 2 == 0);
        let mut tokens: Vec<CalibrationToken> = answers
            .clone()
            .map(|row| CalibrationToken {
                sequence: layout.sequence(row),
                position: layout.position(row),
                scores: vec![None; max_depth],
                predictions: Vec::new(),
                target: 1,
            })
            .collect();
        for step in 0..=max_depth {
            if step > 0 {
                let predicted: Vec<u32> = self.unroll.logits(&self.states[step])?.argmax(1)?.to_vec1()?;
                let predictions = answers.clone().map(|row| predicted[row]);
                tokens.iter_mut().zip(predictions).for_each(|(token, predicted)| token.predictions.push(predicted));
            }
            if !policy.is_asked(step, max_depth) {
                continue;
            }
            let decision = self.unroll.look(step, all, &self.states[step], |view| policy.decide(view, &mut memory))?;
            memory.take_stashed(all.len())?;
            let scores = match (decision.scores, decision.halting) {
                (Some(scores), _) => scores,
                (None, Halting::Hazards { logits, .. }) => {
                    log_hazards.push(&logits, policy.rule(), max_depth)?;
                    log_hazards.cumulative()?
                }
                _ => continue,
            };
            sized("scores", &scores, all.len())?;
            for (token, row) in tokens.iter_mut().zip(answers.clone()).filter(|_| step > 0) {
                token.scores[step - 1] = Some(scores[row]).filter(|score| score.is_finite());
            }
        }
        Ok(CalibrationTrace { max_depth, tokens })
    }

    /// The policy's objective under `recipe` as one number. Every other row is an answer, and losses are constants.
    pub fn objective(&self, policy: &Policy, recipe: Recipe) -> Result<Tensor> {
        let record = self.record(policy)?;
        let layout = self.unroll.layout();
        let answers = RowSet::from_mask(&(0..layout.rows()).map(|row| row % 2 == 0).collect::<Vec<bool>>());
        let targets = Arc::new(vec![1; answers.len()]);
        let read_out = |step: usize| answers.select(&self.unroll.logits(&self.states[step])?);
        let loss = |step: usize| Ok(cross_entropy(&read_out(step)?, &targets)?.to_dtype(DType::F64)?);
        let losses = match &record.log_distribution {
            None => loss(record.max_depth)?,
            Some(log_q) => {
                let losses: Vec<Tensor> = (1..=record.max_depth).map(loss).collect::<Result<_>>()?;
                (answers.select(log_q)?.exp()? * Tensor::stack(&losses, 1)?)?.sum(1)?
            }
        };
        let pass = TrainingPass {
            record: &record,
            layout,
            answers: &answers,
            targets: &targets,
            states: &self.states,
            progress: Progress { step: 1, total: 4 },
            recipe,
            losses,
            read_out: &read_out,
        };
        let Objective { answers, tokens } = policy.objective(&pass)?;
        let mut total = answers.to_dtype(DType::F64)?.mean_all()?;
        if let Some(tokens) = tokens {
            total = (total + tokens.to_dtype(DType::F64)?.mean_all()?)?;
        }
        Ok(total)
    }
}

/// Logarithms of a distribution over depths from hazards: log q(d) = log r(d-1) + log alpha(d), and log q(D) = log r(D-1).
struct LogHazards {
    tracks: Vec<HazardTrack>,
    columns: Vec<Tensor>,
    survival: Option<Tensor>,
}

impl LogHazards {
    fn new(rows: usize) -> Self {
        Self { tracks: vec![HazardTrack::default(); rows], columns: Vec::new(), survival: None }
    }

    /// Records the hazards of all rows after a step; which rows the rule halts.
    fn push(&mut self, logits: &Tensor, rule: HaltingRule, max_depth: usize) -> Result<Vec<bool>> {
        let found = numbers("hazards", logits, &[self.tracks.len()])?;
        // log_softmax over (s, 0) is (log sigmoid(s), log sigmoid(-s)) without overflow.
        let pair = [&logits.to_dtype(DType::F64)?, &logits.zeros_like()?.to_dtype(DType::F64)?];
        let pair = log_softmax(&Tensor::stack(&pair, 1)?, 1)?;
        let survival = match self.survival.take() {
            Some(survival) => survival,
            None => Tensor::zeros(self.tracks.len(), DType::F64, logits.device())?,
        };
        self.columns.push((&survival + pair.get_on_dim(1, 0)?)?);
        self.survival = Some((survival + pair.get_on_dim(1, 1)?)?);
        let push = |(track, logit): (&mut HazardTrack, f64)| track.push(logit, rule, max_depth);
        Ok(self.tracks.iter_mut().zip(found).map(push).collect())
    }

    /// Probability of having halted so far, for each row.
    fn cumulative(&self) -> Result<Vec<f64>> {
        match &self.survival {
            Some(survival) => Ok(survival.exp()?.affine(-1.0, 1.0)?.to_vec1()?),
            None => Ok(vec![0.0; self.tracks.len()]),
        }
    }

    fn finish(mut self) -> Result<Option<Tensor>> {
        let Some(rest) = self.survival else { return Ok(None) };
        self.columns.push(rest);
        Ok(Some(Tensor::stack(&self.columns, 1)?))
    }
}
