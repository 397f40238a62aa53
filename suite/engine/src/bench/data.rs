//! Timing of drawing instances, in parallel over cores.

use std::thread;

use haltbench_sdk::task::{Instance, Task};
use serde::Serialize;

use super::Spread;
use crate::data::{self, Part};
use crate::error::Result;

/// Instances of one repetition.
pub const INSTANCES: u64 = 1000;

/// Which instances are drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataWorkload {
    /// Name of the task.
    pub task: String,
    /// Their size; 0 for tasks without one.
    pub size: u32,
    /// Seed.
    pub seed: u64,
}

/// Result of the measurement.
#[derive(Debug, Clone, Serialize)]
pub struct DataReport {
    /// The instances drawn.
    #[serde(flatten)]
    pub workload: DataWorkload,
    /// Time of [`INSTANCES`] instances with all complexities and features.
    #[serde(flatten)]
    pub time: Spread,
    /// Instances of one repetition.
    pub instances: u64,
    /// Number of threads.
    pub threads: usize,
    /// Mean tokens of an instance.
    pub mean_length: f64,
    /// Instances per second at the median.
    pub instances_per_second: f64,
    /// Tokens per second at the median.
    pub tokens_per_second: f64,
    /// Tokens per second at the median by the number of threads.
    pub tokens_per_second_per_thread: f64,
    /// Always null: drawing instances has no floating-point operations to count.
    pub flops: Option<f64>,
    /// blake3 of all instances in order, the same whatever the number of threads.
    pub hash: String,
}

/// Times `repetitions` times [`INSTANCES`] instances, drawn by `threads` threads.
///
/// # Errors
/// If the task cannot express the size.
pub fn measure(task: &dyn Task, workload: DataWorkload, threads: usize, repetitions: usize) -> Result<DataReport> {
    let drawn = draw(task, &workload, threads, |instance| (instance.tokens.len(), hash(instance)))?;
    let mut hasher = blake3::Hasher::new();
    drawn.iter().for_each(|(_, hash)| {
        hasher.update(hash.as_bytes());
    });
    let tokens: usize = drawn.iter().map(|(length, _)| length).sum();
    let time = Spread::of(repetitions, || {
        draw(task, &workload, threads, |instance| instance.tokens.len())?;
        Ok(())
    })?;
    let seconds = time.median_ms / 1e3;
    Ok(DataReport {
        workload,
        time,
        instances: INSTANCES,
        threads,
        mean_length: tokens as f64 / INSTANCES as f64,
        instances_per_second: INSTANCES as f64 / seconds,
        tokens_per_second: tokens as f64 / seconds,
        tokens_per_second_per_thread: tokens as f64 / seconds / threads as f64,
        flops: None,
        hash: hasher.finalize().to_hex().to_string(),
    })
}

/// Result of `of` for every instance, in index order. Each thread draws one contiguous range.
fn draw<T: Send>(
    task: &dyn Task,
    workload: &DataWorkload,
    threads: usize,
    of: impl Fn(&Instance) -> T + Sync,
) -> Result<Vec<T>> {
    let share = INSTANCES.div_ceil(threads.max(1) as u64);
    let part = |first: u64| -> Result<Vec<T>> {
        let identities = (first..(first + share).min(INSTANCES)).map(|index| (workload.seed, workload.size, index));
        // Each instance overwrites the previous one, as in training.
        let mut instance = Instance::default();
        let draw = |identity| {
            data::draw(task, &workload.task, identity, Part::Any, &mut instance)?;
            Ok(of(&instance))
        };
        identities.map(draw).collect()
    };
    if threads < 2 {
        return part(0);
    }
    thread::scope(|scope| {
        let firsts = (0..INSTANCES).step_by(share as usize);
        let part = &part;
        let handles: Vec<_> = firsts.map(|first| scope.spawn(move || part(first))).collect();
        let mut all = Vec::with_capacity(INSTANCES as usize);
        for handle in handles {
            all.extend(handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(all)
    })
}

/// blake3 of everything in an instance.
fn hash(instance: &Instance) -> blake3::Hash {
    let Instance { tokens, loss_mask, complexities, features, question, answer, graded_from, .. } = instance;
    let mut hasher = blake3::Hasher::new();
    for numbers in [tokens, instance.targets()] {
        hasher.update(&(numbers.len() as u64).to_le_bytes());
        numbers.iter().for_each(|number| {
            hasher.update(&number.to_le_bytes());
        });
    }
    loss_mask.iter().for_each(|loss| {
        hasher.update(&[u8::from(*loss)]);
    });
    for columns in [complexities, features] {
        (0..columns.count()).flat_map(|column| columns.column(column)).for_each(|value| {
            hasher.update(&value.to_bits().to_le_bytes());
        });
    }
    hasher.update(&(*graded_from as u64).to_le_bytes());
    for text in [question, answer, instance.canonical(), instance.problem()] {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize()
}
