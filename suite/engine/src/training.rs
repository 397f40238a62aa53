//! Training: loss over answer tokens, the policy's regulariser over all tokens, checkpoints that resume exactly.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use haltbench_sdk::candle_core::{D, DType, Device, Tensor};
use haltbench_sdk::ops::cross_entropy;
use haltbench_sdk::policy::{Objective, Phase, Privileged, TrainingPass, Trains};
use haltbench_sdk::task::{Instance, Task};

use crate::batch::Batch;
use crate::data;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::monitor::{self, Monitor};
use crate::optimiser::AdamW;
use crate::plan::{ModelPlan, Stage, TrainingSettings};
use crate::recurrence::{Noise, Unrolled, privileged, progressive_losses, unroll};
use crate::store::{Checkpoint, MetricsLog, ModelFolder, TrainingLine, read_checkpoint, write_checkpoint};

/// The loss of one pass.
pub struct Loss {
    /// The loss that is differentiated.
    pub total: Tensor,
    /// Cross-entropy over answer tokens, in nats.
    pub cross_entropy: f64,
    /// The policy's regulariser, averaged over all tokens, and the backbone's.
    pub regulariser: f64,
    /// Steps executed per row.
    pub depths: Vec<u32>,
    /// Logarithm of the policy's distribution over depths, `[rows, D]`, without gradients, if it has one.
    pub log_distribution: Option<Tensor>,
    /// Logits of the rows under the loss, without gradients: at the halted states, or after each of D steps.
    pub logits: Vec<Tensor>,
}

impl Loss {
    /// Share of the rows at each of the depths 0, 1, ..., `max_depth`; see [`TrainingLine::depth_shares`].
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn depth_shares(&self, max_depth: usize) -> Result<Vec<f64>> {
        let mut shares = vec![0.0; max_depth + 1];
        match &self.log_distribution {
            Some(log_q) => {
                let mean = log_q.to_dtype(DType::F64)?.exp()?.mean(0)?;
                shares[1..].copy_from_slice(&mean.to_device(&Device::Cpu)?.to_vec1::<f64>()?);
            }
            None => {
                let share = 1.0 / self.depths.len().max(1) as f64;
                self.depths.iter().for_each(|depth| shares[*depth as usize] += share);
            }
        }
        Ok(shares)
    }

    /// Which rows under the loss are predicted rightly at the depths taken.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn right(&self, batch: &Batch) -> Result<Vec<bool>> {
        let predicted = |logits: &Tensor| logits.argmax(D::Minus1)?.to_device(&Device::Cpu)?.to_vec1::<u32>();
        let predicted = self.logits.iter().map(predicted).collect::<Result<Vec<_>, _>>()?;
        let at = |row: usize| if predicted.len() == 1 { 0 } else { self.depths[row] as usize - 1 };
        let rows = batch.readout.iter().zip(batch.targets.iter()).enumerate();
        Ok(rows.map(|(place, (row, target))| predicted[at(row)][place] == *target).collect())
    }
}

/// L = mean cross-entropy over answer tokens + mean of the policy's regulariser over all tokens, prompt included + the
/// backbone's regulariser, if it has one.
///
/// # Errors
/// If a tensor operation fails or the policy breaks its contract.
pub fn loss(model: &Model, batch: &Batch, noise: &Noise, privileged: Option<&Privileged>) -> Result<Loss> {
    weighted_loss(model, batch, noise, privileged, 1.0)
}

/// [`loss`] with the policy's regulariser multiplied by `weight`.
fn weighted_loss(
    model: &Model,
    batch: &Batch,
    noise: &Noise,
    privileged: Option<&Privileged>,
    weight: f64,
) -> Result<Loss> {
    let unrolled = unroll(model, batch, noise, privileged)?;
    let Objective { answers, tokens } = objective(model, batch, &unrolled)?;
    let mut answers = answers.mean_all()?;
    if let Some(losses) = progressive_losses(model, batch, noise)? {
        let share = model.recipe.progressive;
        answers = ((answers * (1.0 - share))? + (losses.mean_all()? * share)?)?;
    }
    let mut total = answers.clone();
    let mut regulariser = 0.0;
    if let Some(costs) = tokens {
        let mut mean = costs.mean_all()?;
        if weight < 1.0 {
            mean = (mean * weight)?;
        }
        regulariser = scalar(&mean)?;
        total = (total + mean)?;
    }
    if let Some(own) = &unrolled.backbone_regulariser {
        regulariser += scalar(own)?;
        total = (total + own)?;
    }
    let logits = unrolled.logits.iter().map(Tensor::detach).collect();
    Ok(Loss {
        log_distribution: unrolled.record.log_distribution.as_ref().map(Tensor::detach),
        total,
        cross_entropy: scalar(&answers)?,
        regulariser,
        depths: unrolled.record.depths,
        logits,
    })
}

/// The policy's objective for a pass: a cost of each answer and of each token.
///
/// # Errors
/// If a tensor operation fails or the policy breaks its contract.
pub(crate) fn objective(model: &Model, batch: &Batch, unrolled: &Unrolled) -> Result<Objective> {
    let Unrolled { logits, step_weights, record, states, phase, .. } = unrolled;
    let losses = logits.iter().map(|logits| cross_entropy(logits, &batch.targets)).collect::<Result<Vec<_>, _>>()?;
    let losses = match (step_weights, losses.as_slice()) {
        (Some(weights), losses @ [first, ..]) => {
            let (weights, losses) = (weights.to_dtype(first.dtype())?, Tensor::stack(losses, 1)?);
            // The loss of a step without weight does not count, even if it is infinite.
            let counted = weights.ne(0.0)?.where_cond(&losses, &losses.zeros_like()?)?;
            (weights * counted)?.sum(1)?
        }
        (None, [losses]) => losses.clone(),
        // No logits: a trace without logits, or a policy whose output mixes states.
        (_, []) => Tensor::zeros(batch.readout.len(), model.dtype, &model.device)?,
        (None, _) => return Err(model.broken("gives losses at several steps but no weights for them")),
    };
    let cache: Vec<OnceCell<Tensor>> = vec![OnceCell::new(); states.len()];
    let read_out = |step: usize| match logits.get(step.wrapping_sub(1)) {
        Some(known) if logits.len() == model.max_depth && model.max_depth > 1 => Ok(known.clone()),
        _ => {
            if let Some(known) = cache[step].get() {
                return Ok(known.clone());
            }
            // A frozen backbone needs no graph.
            let is_frozen = model.recipe.trains == Trains::Policy;
            let seen = if is_frozen { states[step].detach() } else { states[step].clone() };
            let read = model.backbone.coda(&seen, &batch.layout, &batch.readout, None)?;
            Ok(cache[step].get_or_init(|| if is_frozen { read.detach() } else { read }).clone())
        }
    };
    let progress = match phase {
        Phase::Training(progress) => *progress,
        Phase::Evaluation => haltbench_sdk::policy::Progress::START,
    };
    let pass = TrainingPass {
        record,
        layout: &batch.layout,
        answers: &batch.readout,
        targets: &batch.targets,
        states,
        progress,
        recipe: model.recipe,
        losses,
        read_out: &read_out,
    };
    model.policy.objective(&pass).map_err(|error| crate::recurrence::named(model, error))
}

fn scalar(tensor: &Tensor) -> Result<f64> {
    Ok(tensor.to_dtype(DType::F64)?.to_device(&Device::Cpu)?.to_scalar()?)
}

/// Inputs of training.
pub struct Trainer<'a> {
    /// The model's plan.
    pub plan: &'a ModelPlan,
    /// The task.
    pub task: &'a dyn Task,
    /// Index of the headline complexity.
    pub headline: usize,
    /// Range of the headline complexity at training sizes, for oracles.
    pub range: (f32, f32),
}

/// Outcome of training.
pub enum Progress {
    /// All steps are done; seconds and optimiser steps spent by this process.
    Finished(f64, u64),
    /// A signal asked to stop, and a checkpoint was written.
    Interrupted(i32),
}

impl Trainer<'_> {
    /// The batch of training step `step`, 0-based, and the sizes of its instances. Overwrites `instances`.
    fn batch(&self, step: u64, instances: &mut [Instance], device: &Device) -> Result<(Batch, Vec<u32>)> {
        let sizes = data::training_batch(self.task, &self.plan.task.name, self.plan.seed, step, instances)?;
        let references: Vec<&Instance> = instances.iter().collect();
        let identities: Vec<u64> = (0..references.len() as u64).collect();
        let batch = Batch::new(&references, &identities, self.task.spec().supervision, self.headline, device)?;
        Ok((batch, sizes))
    }

    /// Trains `model` to the end, from the folder's checkpoint if there is one.
    ///
    /// # Errors
    /// [`Error::Cell`] naming the step if a loss or a gradient is not finite, and whatever the store reports.
    pub fn train(&self, model: &mut Model, folder: &ModelFolder, monitor: &dyn Monitor) -> Result<Progress> {
        let settings: &TrainingSettings = &self.plan.training;
        let path = folder.file("training.safetensors");
        let metrics = folder.file("metrics.jsonl");
        let mut first = 0;
        let mut resumed = None;
        match read_checkpoint(&path, folder.id()).and_then(|checkpoint| complete(checkpoint, &metrics, settings)) {
            Ok(Some(checkpoint)) => {
                first = checkpoint.step;
                restore_weights(model, &checkpoint)?;
                resumed = Some(checkpoint);
            }
            Ok(None) => {}
            // If the checkpoint is damaged, training starts again.
            Err(error @ Error::Damaged { .. }) => monitor.notice(&format!("started over: {error}")),
            Err(error) => return Err(error),
        }
        let mut optimiser: Option<AdamW> = None;
        let mut instances = vec![Instance::default(); settings.batch];
        let mut log = MetricsLog::open(&metrics, first);
        let started = Instant::now();
        for step in first..settings.steps {
            let (stage, begin) = self.plan.stage(step);
            let optimiser = match &mut optimiser {
                Some(optimiser) if step > begin => optimiser,
                slot => {
                    (model.recipe, model.training_steps) = (stage.recipe, settings.steps);
                    let mut fresh = AdamW::new(&model.variables, settings, stage.recipe.trains)?;
                    if let (Some(checkpoint), true) = (&resumed, step > begin) {
                        fresh.restore(step - begin, &checkpoint.tensors)?;
                    }
                    slot.insert(fresh)
                }
            };
            let (batch, sizes) = self.batch(step, &mut instances, &model.device)?;
            let line = self.step(model, optimiser, (&batch, &sizes), (step, stage))?;
            let made = step + 1;
            monitor.progress(monitor::Stage::Training, made, settings.steps, Some(&line));
            let last = made == settings.steps;
            if is_logged(made, settings) {
                log.push(&line)?;
            }
            let signal = monitor.interrupted();
            if made.is_multiple_of(settings.checkpoint_every) || last || signal.is_some() {
                log.save()?;
                save(model, optimiser, (folder.id(), made), &path)?;
            }
            if let (Some(signal), false) = (signal, last) {
                return Ok(Progress::Interrupted(signal));
            }
        }
        Ok(Progress::Finished(started.elapsed().as_secs_f64(), settings.steps - first))
    }

    fn step(
        &self,
        model: &Model,
        optimiser: &mut AdamW,
        (batch, sizes): (&Batch, &[u32]),
        (step, stage): (u64, &Stage),
    ) -> Result<TrainingLine> {
        let weight = match stage.recipe.regulariser_warmup {
            0 => 1.0,
            steps => (optimiser.steps() + 1) as f64 / steps as f64,
        };
        let privileged = privileged(model, batch, self.range)?;
        let loss = weighted_loss(model, batch, &Noise::Seeded(step), Some(&privileged), weight);
        let loss = loss.map_err(|error| match error {
            Error::Contract(_) | Error::Cell(_) => Error::Cell(format!("training step {}: {error}", step + 1)),
            error => error,
        })?;
        let value = loss.cross_entropy + loss.regulariser;
        if !value.is_finite() {
            return Err(Error::Cell(format!(
                "training step {}: the objective is {value} ({} for answers, {} for tokens)",
                step + 1,
                loss.cross_entropy,
                loss.regulariser
            )));
        }
        let gradients = loss.total.backward()?;
        let gradient_norm =
            optimiser.step(&gradients).map_err(|error| Error::Cell(format!("training step {}: {error}", step + 1)))?;
        let mean = |depths: &mut dyn Iterator<Item = u32>, count: usize| {
            depths.map(f64::from).sum::<f64>() / count.max(1) as f64
        };
        let mut by_size: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
        for (row, right) in batch.readout.iter().zip(loss.right(batch)?) {
            let (hits, count) = by_size.entry(sizes[batch.layout.sequence(row)]).or_default();
            *hits += u32::from(right);
            *count += 1;
        }
        let share = |(hits, count): (u32, u32)| f64::from(hits) / f64::from(count.max(1));
        let all = by_size.values().fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
        Ok(TrainingLine {
            accuracy: share(all),
            accuracy_by_size: by_size.into_iter().map(|(size, counts)| (size, share(counts))).collect(),
            step: step + 1,
            loss: value,
            cross_entropy: loss.cross_entropy,
            regulariser: loss.regulariser,
            answer_depth: mean(&mut batch.readout.iter().map(|row| loss.depths[row]), batch.readout.len()),
            depth: mean(&mut loss.depths.iter().copied(), batch.rows()),
            // For the log alone: the mean of a distribution waits for the device.
            depth_shares: match is_logged(step + 1, &self.plan.training) {
                true => loss.depth_shares(model.max_depth)?,
                false => Vec::new(),
            },
            gradient_norm,
        })
    }
}

/// Whether step `step`, 1-based, has a line in metrics.jsonl.
fn is_logged(step: u64, settings: &TrainingSettings) -> bool {
    step.is_multiple_of(settings.log_every) || step == 1 || step == settings.steps
}

/// `checkpoint` if metrics.jsonl has every line up to its step: a resumed run could not restore a lost line.
fn complete(checkpoint: Option<Checkpoint>, metrics: &Path, settings: &TrainingSettings) -> Result<Option<Checkpoint>> {
    let Some(checkpoint) = checkpoint else { return Ok(None) };
    let log = MetricsLog::open(metrics, checkpoint.step);
    if log.steps().eq((1..=checkpoint.step).filter(|step| is_logged(*step, settings))) {
        return Ok(Some(checkpoint));
    }
    let message = format!("it lacks lines up to step {}, where the checkpoint is", checkpoint.step);
    Err(Error::Damaged { path: metrics.to_owned(), message })
}

fn save(model: &Model, optimiser: &AdamW, (id, step): (&str, u64), path: &Path) -> Result<()> {
    let mut tensors = optimiser.state()?;
    let weights = model.variables.weights()?;
    tensors.extend(weights.into_iter().map(|(name, tensor)| (format!("weight.{name}"), tensor)));
    write_checkpoint(path, &Checkpoint { model: id.to_owned(), step, tensors })
}

fn restore_weights(model: &Model, checkpoint: &Checkpoint) -> Result<()> {
    for (name, tensor) in &checkpoint.tensors {
        if let Some(name) = name.strip_prefix("weight.") {
            model.variables.set(name, tensor)?;
        }
    }
    Ok(())
}
