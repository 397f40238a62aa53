//! A policy's decisions over states that it cannot influence: h(0), ..., h(D) with nobody halting.
//!
//! On given states a gradient with respect to the policy's weights can be held against finite differences even where
//! the policy stops gradients into the backbone, and a threshold moves each token's depth in one direction only: in
//! a real pass the depth of one token changes the states of the next.

use candle_core::{DType, Tensor};
use candle_nn::ops::log_softmax;

use super::Batch;
use super::reference::{HazardTrack, Settings, Unroll, depth_distribution, keep, numbers, sized};
use crate::backbone::Backbone;
use crate::error::Result;
use crate::layout::RowSet;
use crate::policy::{
    EarlyDecision, EarlyPolicy, HaltingRecord, OnlineDecision, OnlinePolicy, Phase, Policy, RowMemory, SelectPolicy,
    SoftPolicy,
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

    /// What the engine would tell the policy's regulariser; depths are those that its inference rule chooses.
    pub fn record(&self, policy: &Policy) -> Result<HaltingRecord> {
        let mut record = HaltingRecord::new(self.unroll.settings.max_depth, vec![0; self.unroll.rows()]);
        match policy {
            Policy::Early(policy) => self.early(policy.as_ref(), &mut record)?,
            Policy::Online(policy) => self.online(policy.as_ref(), &mut record)?,
            Policy::Soft(policy) => self.soft(policy.as_ref(), &mut record)?,
            Policy::Select(policy) => self.select(policy.as_ref(), &mut record)?,
        }
        Ok(record)
    }

    fn early(&self, policy: &dyn EarlyPolicy, record: &mut HaltingRecord) -> Result<()> {
        let all = &self.unroll.all;
        match self.unroll.look(0, all, &self.states[0], |view| policy.decide(view))? {
            EarlyDecision::Depths(depths) => record.depths = depths,
            EarlyDecision::Scores(scores) => {
                let distributions = depth_distribution(&scores, all.len(), record.max_depth)?;
                record.depths = distributions.iter().map(|q| policy.rule().depth(q)).collect();
                record.log_distribution = Some(log_softmax(&scores.to_dtype(DType::F64)?, 1)?);
            }
        }
        sized("depths", &record.depths, all.len())
    }

    /// log q(d) = log r(d-1) + log alpha(d), and log q(D) = log r(D-1).
    fn online(&self, policy: &dyn OnlinePolicy, record: &mut HaltingRecord) -> Result<()> {
        let all = &self.unroll.all;
        let mut memory = RowMemory::default();
        let mut tracks = vec![HazardTrack::default(); all.len()];
        self.unroll.look(0, all, &self.states[0], |view| policy.init(view, &mut memory))?;
        let mut columns = Vec::new();
        let mut survival = Tensor::zeros(all.len(), DType::F64, self.states[0].device())?;
        for step in 1..=record.max_depth {
            let last = step == record.max_depth;
            let halts: Vec<bool> =
                match self.unroll.look(step, all, &self.states[step], |view| policy.observe(view, &mut memory))? {
                    OnlineDecision::Halt(halts) | OnlineDecision::Scored { halts, .. } => halts,
                    OnlineDecision::Hazards(logits) => {
                        let found = numbers("hazards", &logits, &[all.len()])?;
                        // log_softmax over (s, 0) is (log sigmoid(s), log sigmoid(-s)) without overflow.
                        let pair = Tensor::stack(
                            &[&logits.to_dtype(DType::F64)?, &logits.zeros_like()?.to_dtype(DType::F64)?],
                            1,
                        )?;
                        let pair = log_softmax(&pair, 1)?;
                        let halting = (&survival + pair.get_on_dim(1, 0)?)?;
                        columns.push(if last { survival.clone() } else { halting });
                        survival = (survival + pair.get_on_dim(1, 1)?)?;
                        let push = |(track, logit): (&mut HazardTrack, f64)| {
                            track.push(logit, policy.rule(), record.max_depth)
                        };
                        tracks.iter_mut().zip(found).map(push).collect()
                    }
                };
            sized("halting flags", &halts, all.len())?;
            for (depth, halts) in record.depths.iter_mut().zip(halts) {
                if *depth == 0 && (halts || last) {
                    *depth = step as u32;
                }
            }
        }
        if !columns.is_empty() {
            record.log_distribution = Some(Tensor::stack(&columns, 1)?);
        }
        Ok(())
    }

    fn soft(&self, policy: &dyn SoftPolicy, record: &mut HaltingRecord) -> Result<()> {
        let device = self.states[0].device();
        let mut memory = RowMemory::default();
        let mut running = vec![true; self.unroll.rows()];
        let nothing = Tensor::zeros(running.len(), DType::F64, device)?;
        let mut columns = vec![nothing.clone(); record.max_depth + 1];
        for (step, column) in columns.iter_mut().enumerate() {
            let shown = RowSet::from_mask(&running);
            if shown.is_empty() {
                break;
            }
            let decision =
                self.unroll.look(step, &shown, &self.states[step], |view| policy.weigh(view, &mut memory))?;
            numbers("weights", &decision.weight, &[shown.len()])?;
            sized("running flags", &decision.running, shown.len())?;
            *column = nothing.index_add(&shown.tensor(device)?, &decision.weight.to_dtype(DType::F64)?, 0)?;
            keep(&mut memory, &decision.running, device)?;
            for (row, runs) in shown.iter().zip(decision.running) {
                record.depths[row] = step as u32;
                running[row] = runs;
            }
        }
        record.weights = Some(Tensor::stack(&columns, 1)?);
        Ok(())
    }

    fn select(&self, policy: &dyn SelectPolicy, record: &mut HaltingRecord) -> Result<()> {
        let all = &self.unroll.all;
        let mut memory = RowMemory::default();
        for step in 0..record.max_depth {
            let selection = self.unroll.look(step, all, &self.states[step], |view| policy.select(view, &mut memory))?;
            sized("chosen flags", &selection.chosen, all.len())?;
            for (depth, chosen) in record.depths.iter_mut().zip(&selection.chosen) {
                *depth += u32::from(*chosen);
            }
            record.gates.push(match selection.gate {
                Some(gate) => gate,
                None => Tensor::ones(all.len(), DType::F64, self.states[0].device())?,
            });
            record.chosen.push(selection.chosen);
        }
        Ok(())
    }
}
