//! A training step: forward, backward, clipping, AdamW.

use std::collections::BTreeMap;
use std::path::Path;

use haltbench_sdk::candle_core::{DType, Device, Tensor};
use haltbench_sdk::layout::RowSet;
use haltbench_sdk::ops::AttentionPlan;
use haltbench_sdk::policy::PolicyKind;
use haltbench_sdk::random::Stream;
use serde::Serialize;

use super::{BenchModel, Spread, Workload, matmul_peak};
use crate::error::{Error, Result};
use crate::optimiser::AdamW;
use crate::plan::TrainingSettings;
use crate::recurrence::Noise;
use crate::training::loss;

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct StepReport {
    /// The sizes.
    #[serde(flatten)]
    pub workload: Workload,
    /// Time of a step.
    #[serde(flatten)]
    pub time: Spread,
    /// Threads that computed it.
    pub threads: usize,
    /// Mean of the depths that were drawn.
    pub drawn_mean_depth: f64,
    /// Tokens per second at the median.
    pub tokens_per_second: f64,
    /// Operations that exact loss and gradients need: every step's forward for all rows, since the gate of a halted
    /// row has a gradient, and its backward (twice the forward) for the rows that run.
    pub flops: f64,
    /// Operations of D steps, forward and backward, for all rows.
    pub dense_flops: f64,
    /// Rate of the fastest matrix product in this run, in operations per second.
    pub matmul_peak: f64,
    /// `flops` per second at the median, as a share of `matmul_peak`.
    pub share_of_peak: f64,
    /// Most memory that this process has held, in bytes, where the system tells.
    pub peak_memory_bytes: Option<u64>,
}

fn settings() -> TrainingSettings {
    TrainingSettings { learning_rate: 1e-4, warmup_steps: 0, ..TrainingSettings::default() }
}

/// Times `repetitions` training steps.
///
/// # Errors
/// If a step fails.
pub fn measure(bench: &BenchModel, repetitions: usize) -> Result<StepReport> {
    let model = &bench.model;
    let mut optimiser = AdamW::new(&model.variables, &settings())?;
    let noise = Noise::Forced(bench.depths.clone());
    let time = Spread::of(repetitions, || {
        let loss = loss(model, &bench.batch, &noise, None)?;
        optimiser.step(&loss.total.backward()?)?;
        Ok(())
    })?;
    let (flops, dense_flops) = operations(bench);
    let Workload { d_model, d_ff, .. } = bench.workload;
    let peak = matmul_peak(&model.device, &[(bench.batch.rows(), d_model, 2 * d_ff)])?;
    let seconds = time.median_ms / 1e3;
    Ok(StepReport {
        workload: bench.workload.clone(),
        time,
        threads: haltbench_sdk::candle_core::utils::get_num_threads(),
        drawn_mean_depth: bench.mean_depth(),
        tokens_per_second: bench.batch.rows() as f64 / seconds,
        flops,
        dense_flops,
        matmul_peak: peak,
        share_of_peak: flops / seconds / peak,
        peak_memory_bytes: crate::worker::peak_memory(),
    })
}

/// Operations of a step: (with the rows that run alone in the backward pass, with all of them).
fn operations(bench: &BenchModel) -> (f64, f64) {
    let (model, layout) = (&bench.model, &bench.batch.layout);
    let cost = model.backbone.cost();
    let rows = bench.batch.rows();
    let forward = |part: haltbench_sdk::backbone::PartCost, rows: &RowSet| {
        part.per_row * rows.len() as f64 + part.per_key * AttentionPlan::new(layout, rows, None).pairs() as f64
    };
    let all = RowSet::all(rows);
    let decisions = match model.policy.kind() {
        PolicyKind::Early => 1,
        _ => model.max_depth - 1,
    };
    let decision = model.policy.decision_flops(model.backbone.dimensions().d_model) * (rows * decisions) as f64;
    let around = forward(cost.prelude, &all) + forward(cost.coda, &all) + forward(cost.readout, &all) + decision;
    let step = forward(cost.step, &all);
    let backward: f64 = (1..=model.max_depth as u32)
        .map(|step| {
            let running: Vec<bool> = bench.depths.iter().map(|depth| *depth >= step).collect();
            2.0 * forward(cost.step, &RowSet::from_mask(&running))
        })
        .sum();
    let depth = model.max_depth as f64;
    (3.0 * around + depth * step + backward, 3.0 * (around + depth * step))
}

/// Writes one step's weights, inputs, random numbers, losses and gradients, for another implementation to check, as
/// `bench.safetensors` and `bench.json` in `folder`.
///
/// # Errors
/// If the step fails or a file cannot be written.
pub fn dump(bench: &BenchModel, folder: &Path) -> Result<()> {
    let (model, workload) = (&bench.model, &bench.workload);
    let rows = bench.batch.rows();
    let mut stream = Stream::new(workload.seed, "bench noise", &[]);
    let (noise, shape) = match model.policy.kind() {
        PolicyKind::Early => {
            ((0..rows * workload.depth).map(|_| stream.gumbel()).collect::<Vec<f64>>(), vec![rows, workload.depth])
        }
        PolicyKind::Online => ((0..rows).map(|_| stream.uniform()).collect(), vec![rows]),
        kind => return Err(Error::Usage(format!("--dump: expected an early or online policy, found {}", kind.name()))),
    };
    // Rounded first, so that both sides read the same numbers.
    let noise: Vec<f32> = noise.into_iter().map(|value| value as f32).collect();
    let given = Noise::Given(noise.iter().map(|value| f64::from(*value)).collect());
    let loss = loss(model, &bench.batch, &given, None)?;
    let gradients = loss.total.backward()?;
    let mut tensors = BTreeMap::new();
    for (name, tensor) in model.variables.weights()? {
        tensors.insert(format!("weights.{name}"), tensor);
    }
    for (name, gradient) in model.variables.gradients(&gradients)? {
        tensors.insert(format!("gradient.{name}"), gradient);
    }
    let integers = |values: &[u32]| Tensor::new(values, &Device::Cpu)?.to_dtype(DType::I64);
    let scalar = |value: f64| Tensor::new(value as f32, &Device::Cpu);
    tensors.insert("input.tokens".to_owned(), bench.batch.tokens.to_device(&Device::Cpu)?.to_dtype(DType::I64)?);
    tensors.insert("input.targets".to_owned(), integers(&bench.batch.targets)?);
    tensors.insert("input.noise".to_owned(), Tensor::from_vec(noise, shape, &Device::Cpu)?);
    tensors.insert("output.loss".to_owned(), loss.total.to_device(&Device::Cpu)?.detach());
    tensors.insert("output.cross_entropy".to_owned(), scalar(loss.cross_entropy)?);
    tensors.insert("output.regulariser".to_owned(), scalar(loss.regulariser)?);
    std::fs::create_dir_all(folder).map_err(Error::file(folder, "cannot be made"))?;
    let path = folder.join("bench.safetensors");
    let tensors: Vec<(String, Tensor)> =
        tensors.into_iter().map(|(name, tensor)| Ok((name, tensor.contiguous()?))).collect::<Result<_>>()?;
    let bytes =
        safetensors::serialize(tensors, None).map_err(|error| Error::Cell(format!("{}: {error}", path.display())))?;
    crate::store::write_atomic(&path, &bytes)?;
    let configuration = serde_json::to_string_pretty(workload).map_err(|error| Error::Cell(error.to_string()))?;
    crate::store::write_atomic(&folder.join("bench.json"), configuration.as_bytes())
}
