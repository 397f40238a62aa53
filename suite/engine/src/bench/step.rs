//! A training step: forward, backward, clipping, AdamW.

use std::collections::BTreeMap;
use std::path::Path;

use haltbench_sdk::candle_core::{DType, Device, Tensor};
use haltbench_sdk::layout::RowSet;
use haltbench_sdk::ops::AttentionPlan;
use haltbench_sdk::policy::{HaltingRecord, LossAt, PolicyKind, Trains};
use haltbench_sdk::random::Stream;
use serde::Serialize;

use super::{BenchModel, Spread, Workload, matmul_peak};
use crate::error::{Error, Result};
use crate::optimiser::AdamW;
use crate::plan::TrainingSettings;
use crate::recurrence::{Noise, sees_movement, unroll};
use crate::training::loss;

/// Result of the measurement.
#[derive(Debug, Clone, Serialize)]
pub struct StepReport {
    /// The sizes.
    #[serde(flatten)]
    pub workload: Workload,
    /// Time of a step.
    #[serde(flatten)]
    pub time: Spread,
    /// Number of threads.
    pub threads: usize,
    /// Mean of the drawn depths.
    pub drawn_mean_depth: f64,
    /// Tokens per second at the median.
    pub tokens_per_second: f64,
    /// Operations needed for the exact loss and gradients. Each step counts a forward pass for all rows that see a
    /// running row, because gates of halted rows have gradients, and a backward pass (twice the forward) for the
    /// running rows.
    pub flops: f64,
    /// Operations of D steps, forward and backward, for all rows.
    pub dense_flops: f64,
    /// Rate of the fastest matrix product in this run, in operations per second.
    pub matmul_peak: f64,
    /// `flops` per second at the median, as a share of `matmul_peak`.
    pub share_of_peak: f64,
    /// Peak memory of this process, in bytes, if the system reports it.
    pub peak_memory_bytes: Option<u64>,
}

fn settings() -> TrainingSettings {
    TrainingSettings { learning_rate: 1e-4, warmup_steps: 0, ..TrainingSettings::default() }
}

/// Times `repetitions` training steps.
///
/// # Errors
/// If a step fails, the policy cannot be trained on a batch alone, or a mean depth was given and the policy decides
/// depths itself.
pub fn measure(bench: &BenchModel, repetitions: usize) -> Result<StepReport> {
    let model = &bench.model;
    let mut optimiser = AdamW::new(&model.variables, &settings(), Trains::All)?;
    let noise = Noise::Forced(bench.depths.clone());
    let record = record(bench, &noise)?;
    let time = Spread::of(repetitions, || {
        let loss = loss(model, &bench.batch, &noise, None)?;
        optimiser.step(&loss.total.backward()?)?;
        Ok(model.device.synchronize()?)
    })?;
    // Measured before the matrix products, whose operands would count.
    let peak_memory_bytes = crate::memory::peak_memory();
    let (flops, dense_flops) = operations(bench, &record);
    let peak = matmul_peak(&model.device, &[bench.product()])?;
    let seconds = time.median_ms / 1e3;
    let depths = record.depths.iter().copied().map(f64::from);
    Ok(StepReport {
        workload: bench.workload.clone(),
        time,
        threads: haltbench_sdk::candle_core::utils::get_num_threads(),
        drawn_mean_depth: depths.sum::<f64>() / bench.batch.rows() as f64,
        tokens_per_second: bench.batch.rows() as f64 / seconds,
        flops,
        dense_flops,
        matmul_peak: peak,
        share_of_peak: flops / seconds / peak,
        peak_memory_bytes,
    })
}

/// The depths of a step with this noise.
fn record(bench: &BenchModel, noise: &Noise) -> Result<HaltingRecord> {
    let (model, policy) = (&bench.model, &bench.workload.policy);
    let declaration = &model.declaration;
    let is_known = matches!(model.policy.kind(), PolicyKind::Early | PolicyKind::Online)
        && declaration.recipe.loss != LossAt::EveryStep;
    let reads_depths = declaration.source.has_depths();
    if !is_known || declaration.uses_labels.any() || reads_depths {
        return Err(Error::Usage(format!(
            "--policy: expected an early or online policy that is trained at the depths it decides and reads no labels, \
             found {policy}, which is {}, trained {}{}{}",
            model.policy.kind().name(),
            declaration.recipe.describe(),
            if declaration.uses_labels.any() { " and reads labels" } else { "" },
            if reads_depths { " and reads another policy's depths" } else { "" },
        )));
    }
    let mut record = unroll(model, &bench.batch, noise, None)?.record;
    // Otherwise it would hold on to what the forward pass keeps.
    record.log_distribution = record.log_distribution.map(|log_q| log_q.detach());
    if bench.workload.mean_depth.is_some() && record.depths != bench.depths {
        return Err(Error::Usage(format!(
            "--mean-depth: expected a policy that gives logits or hazards, such as anira-e and anira-o; {policy} decides \
             depths itself"
        )));
    }
    Ok(record)
}

/// Operations of a step: (needed ones, all rows at all steps).
fn operations(bench: &BenchModel, record: &HaltingRecord) -> (f64, f64) {
    let (model, layout) = (&bench.model, &bench.batch.layout);
    let cost = model.costs.backbone;
    let rows = bench.batch.rows();
    let forward = |part: haltbench_sdk::backbone::PartCost, rows: &RowSet| {
        part.per_row * rows.len() as f64 + part.per_key * AttentionPlan::new(layout, rows, None).pairs() as f64
    };
    let all = RowSet::all(rows);
    let decisions = match model.policy.kind() {
        PolicyKind::Early => 1,
        _ => model.max_depth - 1,
    };
    let decision = model.costs.decision * (rows * decisions) as f64;
    let around = forward(cost.prelude, &all) + forward(cost.coda, &all) + forward(cost.readout, &all) + decision;
    // Candidates of halted rows are needed only for gates with gradients.
    let is_gated = record.log_distribution.is_some();
    let core: f64 = (1..=model.max_depth as u32)
        .map(|step| {
            let running: Vec<bool> = record.depths.iter().map(|depth| *depth >= step).collect();
            let before: Vec<bool> = record.depths.iter().map(|depth| depth + 1 < step).collect();
            let running = RowSet::from_mask(&running);
            let computed = if is_gated { sees_movement(layout, &before) } else { running.clone() };
            forward(cost.step, &computed) + 2.0 * forward(cost.step, &running)
        })
        .sum();
    (3.0 * around + core, 3.0 * (around + model.max_depth as f64 * forward(cost.step, &all)))
}

/// `noise`, changed so that the rows halt at the depths of `bench`.
fn steered(bench: &BenchModel, noise: Vec<f64>) -> Result<Vec<f64>> {
    let record = record(bench, &Noise::Forced(bench.depths.clone()))?;
    let Some(log_q) = record.log_distribution.filter(|_| bench.workload.mean_depth.is_some()) else { return Ok(noise) };
    let most = bench.workload.depth;
    let log_q = log_q.to_dtype(DType::F64)?.to_device(&Device::Cpu)?.to_vec2::<f64>()?;
    let rows = log_q.iter().zip(&bench.depths).map(|(log_q, depth)| (log_q, *depth as usize - 1));
    if bench.model.policy.kind() == PolicyKind::Online {
        // Halfway between the cumulative probabilities before and at the depth.
        let middle = |(log_q, depth): (&Vec<f64>, usize)| {
            let mass = |steps: usize| log_q[..steps].iter().map(|log| log.exp()).sum::<f64>();
            if depth + 1 == most {
                f64::midpoint(mass(depth), 1.0)
            } else {
                f64::midpoint(mass(depth), mass(depth + 1))
            }
        };
        return Ok(rows.map(middle).collect());
    }
    let mut steered = noise;
    for (noise, (log_q, depth)) in steered.chunks_exact_mut(most).zip(rows) {
        let noisy = |noise: &[f64], step: usize| log_q[step] + noise[step];
        let best = (0..most).map(|step| noisy(noise, step)).fold(f64::MIN, f64::max);
        if noisy(noise, depth) < best {
            // Only slightly above the others, so that the soft gates stay soft.
            noise[depth] = best - log_q[depth] + 0.5;
        }
    }
    Ok(steered)
}

/// Writes one step's weights, inputs, random numbers, losses and gradients to `bench.safetensors` and `bench.json` in
/// `folder`, for another implementation to compare with. With a mean depth, the random numbers lead to this depth.
///
/// # Errors
/// If the step fails, the policy cannot be made to halt at given depths, or a file cannot be written.
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
    let noise = steered(bench, noise)?;
    // Rounded first, so that both implementations read the same numbers.
    let noise: Vec<f32> = noise.into_iter().map(|value| value as f32).collect();
    let given = Noise::Given(noise.iter().map(|value| f64::from(*value)).collect());
    let loss = loss(model, &bench.batch, &given, None)?;
    if workload.mean_depth.is_some() && loss.depths != bench.depths {
        return Err(Error::Usage("--dump: found no random numbers that lead to the depths of --mean-depth".to_owned()));
    }
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
