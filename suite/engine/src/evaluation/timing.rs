//! What skipping halted tokens saves, by the clock: the policy's pass against a fixed depth of D without decisions, on the
//! same weights and batches, in turn.

use std::time::Instant;

use haltbench_analysis::Split;

use super::Evaluator;
use crate::data::EvaluationInstance;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::monitor::{Monitor, Stage};
use crate::recurrence::{Execution, evaluate, evaluate_at};
use crate::store::Speed;

/// Batches that are timed, and how often each way.
const BATCHES: usize = 6;
const REPETITIONS: usize = 9;

impl Evaluator<'_> {
    /// Times batches of sizes trained on, each way in turn; nothing if there are none. The first pass of each is not counted.
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
        let policy = || -> Result<()> {
            batches.iter().try_for_each(|(batch, privileged)| {
                evaluate(model, batch, Execution::Compacted, Some(privileged)).map(|_| ())
            })
        };
        let fixed = || -> Result<()> {
            batches.iter().try_for_each(|(batch, _)| {
                let depths = vec![model.max_depth as u32; batch.rows()];
                evaluate_at(model, batch, Execution::Compacted, &depths).map(|_| ())
            })
        };
        let seconds = |pass: &dyn Fn() -> Result<()>| -> Result<f64> {
            let started = Instant::now();
            pass()?;
            // An accelerator may still be computing.
            model.device.synchronize()?;
            Ok(started.elapsed().as_secs_f64())
        };
        seconds(&policy)?;
        seconds(&fixed)?;
        let mut pairs = Vec::with_capacity(REPETITIONS);
        for repetition in 0..REPETITIONS {
            // Each way goes first as often as the other.
            let pair = if repetition % 2 == 0 {
                let first = seconds(&policy)?;
                [first, seconds(&fixed)?]
            } else {
                let first = seconds(&fixed)?;
                [seconds(&policy)?, first]
            };
            pairs.push(pair);
            monitor.progress(Stage::Timing, repetition as u64 + 1, REPETITIONS as u64, None);
            if let Some(signal) = monitor.interrupted() {
                return Err(Error::Interrupted(signal));
            }
        }
        Ok(Speed { pairs, batches: batches.len(), threads })
    }
}
