//! Measured speed-up from skipping halted tokens: the policy's pass and a pass at fixed depth D without decisions,
//! alternating on the same weights and batches.

use std::time::Instant;

use haltbench_analysis::Split;

use super::Evaluator;
use crate::data::EvaluationInstance;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::monitor::{Monitor, Stage};
use crate::recurrence::{Execution, evaluate, evaluate_at};
use crate::store::Speed;

/// Number of timed batches, and of repetitions of each pass.
const BATCHES: usize = 6;
const REPETITIONS: usize = 9;

impl Evaluator<'_> {
    /// Times batches of training sizes, alternating between both passes, so that other load on the machine affects
    /// both. The first pass of each is not counted. `None` if there are no such batches.
    ///
    /// # Errors
    /// If a pass fails, or [`Error::Interrupted`].
    pub fn time(&self, model: &Model, monitor: &dyn Monitor) -> Result<Speed> {
        let in_range: Vec<&EvaluationInstance> =
            self.instances.iter().filter(|entry| entry.split == Split::InRange).collect();
        let chunks: Vec<&[&EvaluationInstance]> = in_range.chunks(self.batch).collect();
        let stride = chunks.len().div_ceil(BATCHES).max(1);
        let batches = chunks.into_iter().step_by(stride).map(|chunk| self.pack(chunk.iter().copied(), model));
        let batches = batches.collect::<Result<Vec<_>>>()?;
        let threads = haltbench_sdk::candle_core::utils::get_num_threads();
        if batches.is_empty() {
            return Ok(Speed { threads, ..Speed::default() });
        }
        let dense: Vec<Vec<u32>> =
            batches.iter().map(|(batch, _)| vec![model.max_depth as u32; batch.rows()]).collect();
        // Seconds of batch `place`, with the policy or at D steps.
        let seconds = |place: usize, is_policy: bool| -> Result<f64> {
            let (batch, privileged) = &batches[place];
            let started = Instant::now();
            if is_policy {
                evaluate(model, batch, Execution::Compacted, Some(privileged))?;
            } else {
                evaluate_at(model, batch, Execution::Compacted, &dense[place])?;
            }
            // An accelerator may still be computing.
            model.device.synchronize()?;
            Ok(started.elapsed().as_secs_f64())
        };
        for place in 0..batches.len() {
            seconds(place, true)?;
            seconds(place, false)?;
        }
        let mut pairs = Vec::with_capacity(REPETITIONS);
        for repetition in 0..REPETITIONS {
            let mut pair = [0.0; 2];
            for place in 0..batches.len() {
                // Each pass goes first equally often.
                let policy_first = (repetition + place) % 2 == 0;
                for is_policy in [policy_first, !policy_first] {
                    pair[usize::from(!is_policy)] += seconds(place, is_policy)?;
                }
            }
            pairs.push(pair);
            monitor.progress(Stage::Timing, repetition as u64 + 1, REPETITIONS as u64, None);
            if let Some(signal) = monitor.interrupted() {
                return Err(Error::Interrupted(signal));
            }
        }
        Ok(Speed { pairs, batches: batches.len(), threads })
    }
}
