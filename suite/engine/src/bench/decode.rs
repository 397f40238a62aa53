//! Timing of cached greedy decoding at given depths and at all D steps.

use serde::Serialize;

use super::model::MOST_ROWS;
use super::{BenchModel, Spread, Workload, matmul_peak};
use crate::decoding::{CacheMemory, Choice, Decoding, ForcedDepths, Prompt, Until, decode_at};
use crate::error::{Error, Result};

/// Result of the measurement.
#[derive(Debug, Clone, Serialize)]
pub struct DecodeReport {
    /// The sizes; `length` is the length of each prompt.
    #[serde(flatten)]
    pub workload: Workload,
    /// New tokens of each sequence.
    pub new: usize,
    /// Time of reading the prompts and decoding all new tokens.
    #[serde(flatten)]
    pub time: Spread,
    /// Time of the same work with every token at D steps.
    pub dense: Spread,
    /// Number of threads.
    pub threads: usize,
    /// Mean of the drawn depths.
    pub drawn_mean_depth: f64,
    /// New tokens per second at the median.
    pub tokens_per_second: f64,
    /// Operations, decisions included.
    pub flops: f64,
    /// Operations with every token at D steps, decisions included.
    pub dense_flops: f64,
    /// Mean depth / D, the saving that papers commonly claim.
    pub claimed_share: f64,
    /// `flops` / `dense_flops`.
    pub ideal_share: f64,
    /// Time of the run as a share of the dense run's time, medians of alternating repetitions.
    pub measured_share: f64,
    /// Memory for keys and values, compared with a cache of all D steps.
    pub cache: CacheMemory,
    /// `held_bytes` / `dense_bytes` of the cache.
    pub cache_share: f64,
    /// Rate of the fastest matrix product in this run, in operations per second.
    pub matmul_peak: f64,
    /// `flops` per second at the median, as a share of `matmul_peak`.
    pub share_of_peak: f64,
    /// Peak memory of this process, in bytes, if the system reports it.
    pub peak_memory_bytes: Option<u64>,
}

/// Times `repetitions` pairs of runs that append `new` tokens to every sequence of the batch.
///
/// # Errors
/// If a run fails or `new` is 0.
pub fn measure(bench: &BenchModel, new: usize, repetitions: usize) -> Result<DecodeReport> {
    if new == 0 {
        return Err(Error::Usage("--new: expected at least 1, found 0".to_owned()));
    }
    let Workload { batch, length, depth, .. } = bench.workload;
    let read = length.saturating_add(new - 1);
    let rows = batch.saturating_mul(read);
    if rows > MOST_ROWS {
        return Err(Error::Usage(format!("--new: expected at most {MOST_ROWS} tokens in all sequences, found {rows}")));
    }
    let depths = bench.workload.draw(rows)?;
    let prompts = prompts(bench)?;
    let until = Until { end: None, most: new };
    let drawn = |identity: u64, position: usize| depths[identity as usize * read + position];
    let full = |_: u64, _: usize| depth as u32;
    let run = |dense: bool| -> Result<Decoding> {
        let depths: ForcedDepths = if dense { &full } else { &drawn };
        let decoding = decode_at(&bench.constant, &prompts, &until, Choice::Greedy, depths)?;
        bench.constant.device.synchronize()?;
        Ok(decoding)
    };
    let (sparse_run, dense_run) = (run(false)?, run(true)?);
    let [time, dense] = Spread::of_both(repetitions, [false, true], |dense| run(dense).map(|_| ()))?;
    let peak_memory_bytes = crate::memory::peak_memory();
    let peak = matmul_peak(&bench.constant.device, &[bench.product()])?;
    let operations = |decoding: &Decoding| decoding.ledger.flops + decoding.ledger.decision_flops;
    let (flops, dense_flops) = (operations(&sparse_run), operations(&dense_run));
    let drawn_mean_depth = depths.iter().copied().map(f64::from).sum::<f64>() / depths.len() as f64;
    let cache = sparse_run.memory;
    Ok(DecodeReport {
        workload: bench.workload.clone(),
        new,
        time,
        dense,
        threads: haltbench_sdk::candle_core::utils::get_num_threads(),
        drawn_mean_depth,
        tokens_per_second: (batch * new) as f64 / (time.median_ms / 1e3),
        flops,
        dense_flops,
        claimed_share: drawn_mean_depth / depth as f64,
        ideal_share: flops / dense_flops,
        measured_share: time.median_ms / dense.median_ms,
        cache,
        cache_share: cache.held_bytes as f64 / cache.dense_bytes as f64,
        matmul_peak: peak,
        share_of_peak: flops / (time.median_ms / 1e3) / peak,
        peak_memory_bytes,
    })
}

/// The sequences of the batch.
fn prompts(bench: &BenchModel) -> Result<Vec<Prompt>> {
    let tokens = bench.batch.tokens.to_vec1::<u32>()?;
    let layout = &bench.batch.layout;
    let prompt =
        |sequence: usize| Prompt { identity: sequence as u64, tokens: tokens[layout.rows_of(sequence)].to_vec() };
    Ok((0..layout.sequences()).map(prompt).collect())
}
