//! Forecast of a suite's cost before it is run: operations from the analytic cost of its backbones, time from one timed
//! training step, memory from the shapes of weights.

use std::collections::BTreeMap;
use std::time::Instant;

use haltbench_sdk::backbone::{BackboneCost, PartCost};
use haltbench_sdk::candle_core::{DType, Device};
use haltbench_sdk::layout::RowSet;
use haltbench_sdk::ops::AttentionPlan;
use haltbench_sdk::policy::{PolicyKind, Recipe};
use haltbench_sdk::task::{Instance, Task};
use haltbench_sdk::threads;
use haltbench_sdk::vocabulary::Vocabulary;

use crate::batch::Batch;
use crate::data::{self, EvaluationInstance};
use crate::error::{Error, Result};
use crate::memory;
use crate::model::{Model, ModelParts, POLICY_PREFIX, WITHOUT_POLICY};
use crate::panics;
use crate::plan::{CellPlan, Evaluation, ModelPlan, Suite};
use crate::plugins::Catalogue;
use crate::recurrence::Noise;
use crate::training::loss;

/// Instances of each size that are counted and extrapolated to all.
const SAMPLED: usize = 4;

/// Most operations of the timed training step: a fraction of a second on one core.
const TIMED: f64 = 4e9;

/// Most steps of a token in it. Its operations grow with its steps, so more of them would tell nothing new.
const TIMED_DEPTH: usize = 1024;

/// Forecast of a suite's cost.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Forecast {
    /// Operations of each model's training and each cell's evaluation, by identifier.
    pub operations: BTreeMap<String, f64>,
    /// Optimiser steps of all models.
    pub steps: u64,
    /// Operations of all training steps with every token at D: three times the operations of their forward passes.
    pub training: f64,
    /// Operations of all evaluations with every token at D.
    pub evaluation: f64,
    /// Operations per second, measured on one training step in this process.
    pub rate: f64,
    /// Least memory of the model that needs most, in bytes.
    pub memory: f64,
}

impl Forecast {
    /// Seconds that this process would need for everything.
    pub fn seconds(&self) -> f64 {
        (self.training + self.evaluation) / self.rate
    }

    /// Seconds that this process would need for one model or cell; 0 for an item that the forecast leaves out.
    pub fn seconds_of(&self, id: &str) -> f64 {
        self.operations.get(id).map_or(0.0, |operations| operations / self.rate)
    }
}

/// Forecasts the cost of the models and cells of `suite` that `is_due` names by their identifiers.
///
/// # Errors
/// If a plugin refuses its parameters, or the step that is timed fails.
pub fn forecast(suite: &Suite, catalogue: &Catalogue, is_due: &dyn Fn(&str) -> bool) -> Result<Forecast> {
    let mut forecast = Forecast::default();
    let mut tasks: BTreeMap<String, Box<dyn Task>> = BTreeMap::new();
    // All seeds and policies share instances and backbone.
    let mut steps: BTreeMap<String, f64> = BTreeMap::new();
    let mut passes: BTreeMap<String, f64> = BTreeMap::new();
    for model in suite.models.iter().filter(|model| is_due(&model.id)) {
        let plan = &model.plan;
        let key = format!("{:?} {:?} {} {}", plan.task, plan.backbone, plan.max_depth, plan.training.batch);
        let task = task_of(plan, catalogue, &mut tasks)?;
        let forward = match steps.get(&key) {
            Some(known) => *known,
            None => {
                let forward = training_pass(plan, task, catalogue)?;
                *steps.entry(key).or_insert(forward)
            }
        };
        forecast.steps += plan.training.steps;
        forecast.training += 3.0 * forward * plan.training.steps as f64;
        forecast.operations.insert(model.id.clone(), 3.0 * forward * plan.training.steps as f64);
    }
    for cell in suite.cells.iter().filter(|cell| is_due(&cell.id)) {
        let (plan, model) = (&cell.plan, &cell.plan.model);
        let key = format!("{:?} {:?} {} {:?}", model.task, model.backbone, plan.max_depth, plan.evaluation);
        let task = task_of(model, catalogue, &mut tasks)?;
        let operations = match passes.get(&key) {
            Some(known) => *known,
            None => {
                let operations = evaluation_pass(plan, task, catalogue)?;
                *passes.entry(key).or_insert(operations)
            }
        };
        forecast.evaluation += operations;
        forecast.operations.insert(cell.id.clone(), operations);
    }
    // Seeds need equal memory.
    let seed = suite.cells.first().map(|cell| cell.plan.model.seed);
    for cell in suite.cells.iter().filter(|cell| Some(cell.plan.model.seed) == seed) {
        let task = task_of(&cell.plan.model, catalogue, &mut tasks)?;
        forecast.memory = forecast.memory.max(memory_of(&cell.plan, task, catalogue)?.bytes());
    }
    if let Some(first) = suite.models.first() {
        forecast.rate = rate(&first.plan, task_of(&first.plan, catalogue, &mut tasks)?, catalogue)?;
    }
    Ok(forecast)
}

/// Memory that a cell and its model need at least, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Memory {
    /// Weights, their gradients and both moments.
    weights: f64,
    /// What the steps of one training batch keep for the backward pass, with every token at D.
    steps: f64,
    /// Sums over D by D depths of a policy that decides before the first step.
    depths: f64,
    /// Distributions over D depths of all evaluated tokens.
    distributions: f64,
}

impl Memory {
    fn bytes(&self) -> f64 {
        (self.weights + self.steps + self.depths).max(self.distributions)
    }
}

/// Number of instances that estimate the mean length.
const MEASURED: usize = 32;

/// Refuses a cell whose model cannot be trained, or that cannot be evaluated, in the memory that there is.
///
/// # Errors
/// [`Error::Usage`] with the memory that is needed at least, and the limit.
pub fn check_memory(plan: &CellPlan, catalogue: &Catalogue) -> Result<()> {
    let mut tasks = BTreeMap::new();
    let task = task_of(&plan.model, catalogue, &mut tasks)?;
    let needed = memory_of(plan, task, catalogue)?;
    let limit = memory::limit().map_or(f64::INFINITY, |limit| limit as f64);
    if needed.bytes() <= limit {
        return Ok(());
    }
    let parts = [
        (needed.weights, "weights, gradients and moments"),
        (needed.steps, "the steps of a training batch"),
        (needed.depths, "sums over depths"),
        (needed.distributions, "distributions over depths"),
    ];
    let (most, what) = parts.into_iter().max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or_default();
    Err(Error::Usage(format!(
        "policy {}: with max_depth = {} and training.batch = {}, {} on {} needs at least {} of memory, of which {} are for \
         {what}; the limit is {}",
        plan.policy.name,
        plan.max_depth.max(plan.model.max_depth),
        plan.model.training.batch,
        plan.model.backbone.name,
        plan.model.task.name,
        memory::in_words(needed.bytes()),
        memory::in_words(most),
        memory::in_words(limit)
    )))
}

/// Least memory of each cell of a suite together with its model, in bytes, by the cell's identifier.
///
/// # Errors
/// If a plugin refuses its parameters.
pub fn memory_of_cells(suite: &Suite, catalogue: &Catalogue) -> Result<BTreeMap<String, f64>> {
    let mut tasks = BTreeMap::new();
    // Seeds need equal memory.
    let mut known: BTreeMap<String, f64> = BTreeMap::new();
    let mut all = BTreeMap::new();
    for cell in &suite.cells {
        let (plan, model) = (&cell.plan, &cell.plan.model);
        let policies = (&plan.policy, &model.policy);
        let depths = (plan.max_depth, model.max_depth);
        let key = format!(
            "{:?} {:?} {policies:?} {depths:?} {:?} {:?} {:?}",
            model.task, model.backbone, plan.evaluation, model.training, model.stages
        );
        let bytes = match known.get(&key) {
            Some(bytes) => *bytes,
            None => {
                let task = task_of(model, catalogue, &mut tasks)?;
                *known.entry(key).or_insert(memory_of(plan, task, catalogue)?.bytes())
            }
        };
        all.insert(cell.id.clone(), bytes);
    }
    Ok(all)
}

/// Lower bounds: a step keeps for each token at least the result of each matrix of the core, and its state alone if its
/// backward pass computes them again.
fn memory_of(plan: &CellPlan, task: &dyn Task, catalogue: &Catalogue) -> Result<Memory> {
    let model = &plan.model;
    let parameters = model.policy_parameters(catalogue)?;
    let recipe = model.stages[0].recipe;
    let digits = task.spec().digits();
    let parts = model.parts(catalogue, (&parameters, vocabulary(task, &digits)), recipe, None)?;
    let weights = parts.weights()?;
    let count = |shape: &Vec<usize>| shape.iter().map(|size| *size as f64).product::<f64>();
    let is_outside = |name: &str| OUTSIDE.iter().any(|prefix| name.starts_with(prefix));
    let matrices = weights.iter().filter(|(name, shape)| shape.len() == 2 && !is_outside(name));
    let d_model = parts.d_model()? as f64;
    let kept = match model.training.recompute {
        true => d_model,
        false => matrices.map(|(_, shape)| shape[0] as f64).sum::<f64>().max(d_model),
    };
    let trained = mean_length(&data::training_instances(task, &model.task.name, MEASURED.min(model.training.batch))?);
    let depth = model.max_depth as f64;
    let joins = model.policy.is_some();
    let is_early = joins && parts.policy.0.kind == PolicyKind::Early;
    Ok(Memory {
        weights: 16.0 * weights.values().map(count).sum::<f64>(),
        steps: 4.0 * trained * model.training.batch as f64 * depth * kept,
        depths: if is_early { 12.0 * depth * depth } else { 0.0 },
        distributions: if joins { 4.0 * evaluated(plan, task)? * plan.max_depth as f64 } else { 0.0 },
    })
}

/// Prefixes of the names of weights that act once, not in every step.
const OUTSIDE: [&str; 6] = ["prelude.", "coda.", "embed_tokens.", "norm.", "lm_head.", POLICY_PREFIX];

fn mean_length(instances: &[EvaluationInstance]) -> f64 {
    let tokens: usize = instances.iter().map(|entry| entry.instance.tokens.len()).sum();
    tokens as f64 / instances.len().max(1) as f64
}

/// Tokens of an evaluation, from one instance of each size, if each size has as many instances as are asked for up to
/// the number that a small size has.
fn evaluated(plan: &CellPlan, task: &dyn Task) -> Result<f64> {
    let sampled = Evaluation { instances: SAMPLED.min(plan.evaluation.instances), ..plan.evaluation.clone() };
    let instances = data::evaluation_instances(task, &plan.model.task.name, &sampled, &|| None)?;
    let tokens: usize = instances.iter().map(|entry| entry.instance.tokens.len()).sum();
    Ok(tokens as f64 * plan.evaluation.instances.min(FEW) as f64 / sampled.instances as f64)
}

/// So many instances exist of most sizes.
const FEW: usize = 100;

fn task_of<'t>(
    plan: &ModelPlan,
    catalogue: &Catalogue,
    tasks: &'t mut BTreeMap<String, Box<dyn Task>>,
) -> Result<&'t dyn Task> {
    let key = format!("{:?}", plan.task);
    if !tasks.contains_key(&key) {
        let declaration = catalogue.task(&plan.task.name)?;
        let build = || Ok((declaration.build)(&plan.task.parameters)?);
        tasks.insert(key.clone(), panics::caught(&plan.task.name, build)?);
    }
    match tasks.get(&key) {
        Some(task) => Ok(task.as_ref()),
        None => Err(Error::Usage(format!("task {}: cannot be built", plan.task.name))),
    }
}

/// Operations of the forward pass of one training batch with every token at D.
fn training_pass(plan: &ModelPlan, task: &dyn Task, catalogue: &Catalogue) -> Result<f64> {
    let digits = task.spec().digits();
    let cost = bare(plan, vocabulary(task, &digits), catalogue)?.cost()?;
    let mut batch = vec![Instance::default(); plan.training.batch];
    data::training_batch(task, &plan.task.name, plan.seed, 0, &mut batch)?;
    Ok(batch.iter().map(|instance| dense(&cost, plan.max_depth, instance)).sum())
}

/// Operations of an evaluation with every token at D, from a few instances of each size.
fn evaluation_pass(plan: &CellPlan, task: &dyn Task, catalogue: &Catalogue) -> Result<f64> {
    let digits = task.spec().digits();
    let cost = bare(&plan.model, vocabulary(task, &digits), catalogue)?.cost()?;
    let count = plan.evaluation.instances as f64;
    let mut sampled = plan.evaluation.clone();
    sampled.instances = SAMPLED.min(plan.evaluation.instances);
    let instances = data::evaluation_instances(task, &plan.model.task.name, &sampled, &|| None)?;
    let operations: f64 = instances.iter().map(|entry| dense(&cost, plan.max_depth, &entry.instance)).sum();
    Ok(operations * count / sampled.instances as f64)
}

/// The tokens of a task with these `digits`.
fn vocabulary<'a>(task: &dyn Task, digits: &'a [u32]) -> Vocabulary<'a> {
    Vocabulary { size: task.spec().vocabulary.len(), digits }
}

/// The backbone of a plan alone.
fn bare<'a>(plan: &'a ModelPlan, vocabulary: Vocabulary<'a>, catalogue: &Catalogue) -> Result<ModelParts<'a>> {
    static NONE: std::sync::LazyLock<haltbench_sdk::parameters::Parameters> =
        std::sync::LazyLock::new(Default::default);
    let mut parts = plan.parts(catalogue, (&NONE, vocabulary), Recipe::LAST_STEP, None)?;
    parts.policy = (&WITHOUT_POLICY, &NONE);
    Ok(parts)
}

/// Operations of a forward pass over one instance with every token at `depth` steps, read out at every token.
fn dense(cost: &BackboneCost, depth: usize, instance: &Instance) -> f64 {
    let rows = instance.tokens.len() as f64;
    let pairs = rows * (rows + 1.0) / 2.0;
    let part = |part: PartCost| part.per_row * rows + part.per_key * pairs;
    part(cost.prelude) + depth as f64 * part(cost.step) + part(cost.coda) + part(cost.readout)
}

/// Operations a second of one training step of a plan's backbone, on as many instances as take a fraction of a second.
fn rate(plan: &ModelPlan, task: &dyn Task, catalogue: &Catalogue) -> Result<f64> {
    let max_depth = plan.max_depth.min(TIMED_DEPTH);
    let digits = task.spec().digits();
    let parts = ModelParts { max_depth, ..bare(plan, vocabulary(task, &digits), catalogue)? };
    let cost = parts.cost()?;
    let mut instances = vec![Instance::default(); plan.training.batch];
    data::training_batch(task, &plan.task.name, plan.seed, 0, &mut instances)?;
    let mut operations = 0.0;
    let mut taken = 0;
    while taken < instances.len() && (taken == 0 || operations < TIMED) {
        operations += 3.0 * dense(&cost, max_depth, &instances[taken]);
        taken += 1;
    }
    let references: Vec<&Instance> = instances[..taken].iter().collect();
    let identities: Vec<u64> = (0..taken as u64).collect();
    let batch = Batch::new(&references, &identities, task.spec().supervision, 0, &Device::Cpu)?;
    let model = Model::new(parts, DType::F32, &Device::Cpu)?;
    let step = || -> Result<f64> {
        let started = Instant::now();
        loss(&model, &batch, &Noise::Seeded(0), None)?.total.backward()?;
        Ok(started.elapsed().as_secs_f64())
    };
    // The first one fills caches. A backward pass over many steps needs the large stack of these threads.
    let seconds = threads::in_pool(|| step().and_then(|_| step()))??;
    let all = RowSet::all(batch.rows());
    let pairs = AttentionPlan::new(&batch.layout, &all, None).pairs() as f64;
    let part = |part: PartCost, rows: f64, pairs: f64| part.per_row * rows + part.per_key * pairs;
    let (rows, read) = (batch.rows() as f64, batch.readout.len() as f64);
    let forward = part(cost.prelude, rows, pairs)
        + max_depth as f64 * part(cost.step, rows, pairs)
        + part(cost.coda, rows, pairs)
        + part(cost.readout, read, pairs * read / rows);
    Ok(3.0 * forward / seconds.max(1e-9))
}

#[cfg(test)]
mod tests {
    use haltbench_sdk::layout::TokenLayout;

    use super::*;

    /// Pairs of a causal sequence are those that attention visits.
    #[test]
    fn operations_of_an_instance_are_those_of_its_rows_and_pairs() {
        let cost = BackboneCost {
            prelude: PartCost { per_row: 3.0, ..PartCost::default() },
            step: PartCost { per_row: 5.0, per_key: 7.0, ..PartCost::default() },
            ..BackboneCost::default()
        };
        let instance = Instance { tokens: vec![0; 4], ..Instance::default() };
        let layout = std::sync::Arc::new(TokenLayout::new(&[4], &[0]).unwrap());
        let pairs = AttentionPlan::new(&layout, &RowSet::all(4), None).pairs() as f64;
        assert_eq!(dense(&cost, 2, &instance), 4.0 * 3.0 + 2.0 * (4.0 * 5.0 + pairs * 7.0));
    }
}
