//! Timing of an adaptive evaluation, which skips halted tokens, and of all tokens at all steps.

use haltbench_sdk::policy::PolicyKind;
use serde::Serialize;

use super::{BenchModel, Spread, Workload, matmul_peak};
use crate::error::Result;
use crate::recurrence::{Execution, evaluate, evaluate_at};

/// Result of the measurement.
#[derive(Debug, Clone, Serialize)]
pub struct EvalReport {
    /// The sizes.
    #[serde(flatten)]
    pub workload: Workload,
    /// Time of a compacted pass.
    #[serde(flatten)]
    pub time: Spread,
    /// Time of a masked dense pass over the same batch.
    pub dense: Spread,
    /// Number of threads.
    pub threads: usize,
    /// Mean of the depths, drawn or chosen by the policy.
    pub drawn_mean_depth: f64,
    /// Tokens per second of the compacted pass at the median.
    pub tokens_per_second: f64,
    /// Operations of the compacted pass, without decisions.
    pub flops: f64,
    /// Operations of the dense pass.
    pub dense_flops: f64,
    /// `flops` / `dense_flops`: the share of time under perfect compaction.
    pub ideal_share: f64,
    /// Time of the compacted pass as a share of the dense pass's time, medians of alternating repetitions.
    pub measured_share: f64,
    /// `ideal_share` / `measured_share`: 1 is perfect.
    pub efficiency: f64,
    /// Mean depth / D, the saving that papers commonly claim.
    pub claimed_share: f64,
    /// Rate of the fastest matrix product in this run, in operations per second.
    pub matmul_peak: f64,
    /// `flops` per second at the median, as a share of `matmul_peak`.
    pub share_of_peak: f64,
    /// Peak memory of this process, in bytes, if the system reports it.
    pub peak_memory_bytes: Option<u64>,
}

/// Times `repetitions` pairs of passes.
///
/// # Errors
/// If a pass fails.
pub fn measure(bench: &BenchModel, repetitions: usize) -> Result<EvalReport> {
    // A policy that mixes or chooses takes its own decisions: depths do not say what it computes.
    let kind = bench.constant.policy.kind();
    let decides = matches!(kind, PolicyKind::Soft | PolicyKind::Select) && bench.workload.mean_depth.is_none();
    let pass = |execution: Execution| {
        let evaluated = match decides {
            true => evaluate(&bench.constant, &bench.batch, execution, None)?,
            false => evaluate_at(&bench.constant, &bench.batch, execution, &bench.depths)?,
        };
        bench.constant.device.synchronize()?;
        Ok(evaluated)
    };
    let first = pass(Execution::Compacted)?;
    let ledger = first.ledger;
    let mean_depth = first.depths.iter().copied().map(f64::from).sum::<f64>() / first.depths.len().max(1) as f64;
    pass(Execution::Dense)?;
    let both = [Execution::Compacted, Execution::Dense];
    let [time, dense] = Spread::of_both(repetitions, both, |execution| pass(execution).map(|_| ()))?;
    let peak_memory_bytes = crate::memory::peak_memory();
    let peak = matmul_peak(&bench.constant.device, &[bench.product()])?;
    let (ideal_share, measured_share) = (ledger.flops / ledger.dense_flops, time.median_ms / dense.median_ms);
    Ok(EvalReport {
        workload: bench.workload.clone(),
        time,
        dense,
        threads: haltbench_sdk::candle_core::utils::get_num_threads(),
        drawn_mean_depth: mean_depth,
        tokens_per_second: bench.batch.rows() as f64 / (time.median_ms / 1e3),
        flops: ledger.flops,
        dense_flops: ledger.dense_flops,
        ideal_share,
        measured_share,
        efficiency: ideal_share / measured_share,
        claimed_share: mean_depth / bench.workload.depth as f64,
        matmul_peak: peak,
        share_of_peak: ledger.flops / (time.median_ms / 1e3) / peak,
        peak_memory_bytes,
    })
}
