//! One cell from plan to result.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use haltbench_analysis::{Estimate, Population, Reason, Split};
use haltbench_sdk::candle_core::DType;
use haltbench_sdk::fingerprint;
use haltbench_sdk::policy::{Policy, SourceDepths, Training};
use haltbench_sdk::task::{FeatureKind, Task};
use haltbench_sdk::threads;
use serde::{Deserialize, Serialize};

use crate::baselines;
use crate::data::{self, EvaluationInstance};
use crate::device;
use crate::error::{Error, Result};
use crate::evaluation::{self, Evaluator};
use crate::generation::{self, acceptance};
use crate::ledger::Ledger;
use crate::memory;
use crate::model::Model;
use crate::panics;
use crate::plan::CellPlan;
use crate::plugins::Catalogue;
use crate::store::{
    BaselineResult, CellFolder, CellResult, MetricRow, MetricsLog, RESULT_SCHEMA, RunFolder, State, Status, Timings,
    TrainingLine, read_checkpoint, read_tokens, write_atomic, write_model, write_tokens,
};
use crate::training::{Progress, Trainer};

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Optimiser steps.
    Training,
    /// Batches of the evaluation.
    Evaluating,
    /// Measures and files.
    Measuring,
    /// Passes against the clock.
    Timing,
}

/// Who watches a worker, and can stop it.
pub trait Monitor {
    /// `done` of `total` steps or batches of a stage; `line` is the last training step.
    fn progress(&self, stage: Stage, done: u64, total: u64, line: Option<&TrainingLine>);

    /// The signal that asks to stop, if one does.
    fn interrupted(&self) -> Option<i32>;
}

/// Passes on no progress: work that is part of what was announced already.
struct Unseen<'a>(&'a dyn Monitor);

impl Monitor for Unseen<'_> {
    fn progress(&self, _: Stage, _: u64, _: u64, _: Option<&TrainingLine>) {}

    fn interrupted(&self) -> Option<i32> {
        self.0.interrupted()
    }
}

/// Training instances that policies with a source are shown.
const FITTED_ON: usize = 1000;

/// How long a worker waits for another process that still holds the cell, such as a worker of a run that was killed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a cell on a thread with a large stack; a panic is a failure of the cell. The cell's status is recorded.
///
/// # Errors
/// Why the cell failed, or [`Error::Interrupted`].
pub fn run_cell(
    run: &RunFolder,
    id: &str,
    catalogue: &Catalogue,
    device: &str,
    monitor: &(dyn Monitor + Sync),
) -> Result<()> {
    memory::keep_freed();
    let folder = run.cell(id);
    let _lock = wait_for_lock(&folder)?;
    // Another run may have finished it meanwhile.
    if matches!(folder.result(), Ok(Some(_))) {
        return Ok(());
    }
    folder.set_status(&Status::of(State::Running))?;
    let work = || Cell::open(run, id, catalogue, device)?.run(monitor);
    let outcome = match threads::in_pool(|| catch_unwind(AssertUnwindSafe(work))) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Err(Error::Cell(format!("panicked: {}", panics::message(panic.as_ref())))),
        Err(error) => Err(error.into()),
    };
    match &outcome {
        Ok(()) => folder.set_done()?,
        Err(Error::Interrupted(_)) => folder.set_status(&Status::of(State::Pending))?,
        Err(error) => {
            folder.log(&format!("failed: {error}"))?;
            folder.set_status(&Status::failed(error.to_string()))?;
        }
    }
    outcome
}

fn wait_for_lock(folder: &CellFolder) -> Result<File> {
    let started = Instant::now();
    loop {
        if let Some(lock) = folder.lock()? {
            return Ok(lock);
        }
        if started.elapsed() > PATIENCE {
            let path = folder.path().display();
            return Err(Error::Cell(format!("{path}: another process is at work on this cell")));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Times a finished cell on a thread with a large stack, and records it in `timings.json`.
///
/// # Errors
/// If the cell is not done or cannot be timed, or [`Error::Interrupted`].
pub fn time_cell(
    run: &RunFolder,
    id: &str,
    catalogue: &Catalogue,
    device: &str,
    monitor: &(dyn Monitor + Sync),
) -> Result<()> {
    memory::keep_freed();
    let folder = run.cell(id);
    let _lock = wait_for_lock(&folder)?;
    if folder.result()?.is_none() {
        return Err(Error::Cell(format!("{}: this cell is not done", folder.path().display())));
    }
    let work = || Cell::open(run, id, catalogue, device)?.time(monitor);
    match threads::in_pool(|| catch_unwind(AssertUnwindSafe(work))) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => Err(Error::Cell(format!("panicked: {}", panics::message(panic.as_ref())))),
        Err(error) => Err(error.into()),
    }
}

/// A cell with everything its plan names.
struct Cell<'a> {
    run: &'a RunFolder,
    id: &'a str,
    folder: CellFolder,
    plan: CellPlan,
    catalogue: &'a Catalogue,
    task: Box<dyn Task>,
    headline: usize,
    range: (f32, f32),
    model: Model,
    /// What the policy reads of another cell, if it has a source.
    source: Option<SourceDepths>,
}

impl<'a> Cell<'a> {
    fn open(run: &'a RunFolder, id: &'a str, catalogue: &'a Catalogue, device: &str) -> Result<Self> {
        let folder = run.cell(id);
        let plan = folder.plan()?;
        let device = device::open(device)?;
        let task = (catalogue.task(&plan.task.name)?.build)(&plan.task.parameters)?;
        let spec = task.spec();
        let headline =
            spec.complexities.iter().position(|complexity| complexity.name == spec.headline).ok_or_else(|| {
                haltbench_sdk::Error::contract(&plan.task.name, "its headline complexity is not declared")
            })?;
        let model = Model::new(plan.model_parts(catalogue, task.spec().vocabulary.len())?, DType::F32, &device)?;
        let range = if model.declaration.uses_labels {
            data::complexity_range(task.as_ref(), &plan.task.name, headline)?
        } else {
            (0.0, 0.0)
        };
        Ok(Self { run, id, folder, plan, catalogue, task, headline, range, model, source: None })
    }

    fn run(mut self, monitor: &dyn Monitor) -> Result<()> {
        let mut timings = self.timings();
        let instances = self.instances(monitor)?;
        self.read_source(&instances)?;
        if self.model.declaration.training != Training::Borrowed {
            let trainer =
                Trainer { plan: &self.plan, task: self.task.as_ref(), headline: self.headline, range: self.range };
            let started = Instant::now();
            let progress = trainer.train(&self.model, &self.folder, monitor)?;
            timings.training_seconds += started.elapsed().as_secs_f64();
            if let Progress::Interrupted(signal) = progress {
                self.write_json("timings.json", &timings)?;
                return Err(Error::Interrupted(signal));
            }
            timings.training_steps = self.plan.training.steps;
        }
        self.keep_weights()?;
        self.finish(&instances, timings, monitor)
    }

    /// Times the policy on the weights that were recorded.
    fn time(mut self, monitor: &dyn Monitor) -> Result<()> {
        let instances = self.instances(monitor)?;
        self.read_source(&instances)?;
        load(&self.model, &self.folder, "the cell")?;
        self.keep_weights()?;
        let speed = self.evaluator(&instances).time(&self.model, monitor)?;
        self.write_json("timings.json", &Timings { speed: Some(speed), ..self.timings() })
    }

    fn instances(&self, monitor: &dyn Monitor) -> Result<Vec<EvaluationInstance>> {
        let (task, plan) = (self.task.as_ref(), &self.plan);
        data::evaluation_instances(task, &plan.task.name, &plan.evaluation, &|| monitor.interrupted())
    }

    fn evaluator<'b>(&'b self, instances: &'b [EvaluationInstance]) -> Evaluator<'b> {
        let (headline, range, batch) = (self.headline, self.range, self.plan.evaluation.batch);
        Evaluator { task: self.task.as_ref(), instances, headline, range, batch }
    }

    /// From here on the weights are constants: an evaluation keeps no graph.
    fn keep_weights(&mut self) -> Result<()> {
        let parts = self.plan.model_parts(self.catalogue, self.task.spec().vocabulary.len())?;
        self.model = self.model.constant(parts)?;
        self.prepare()
    }

    /// What earlier processes recorded about this cell.
    fn timings(&self) -> Timings {
        self.folder.timings().unwrap_or_default()
    }

    /// Reads the source's depths, if the policy has one, and takes its weights if it borrows them.
    fn read_source(&mut self, instances: &[EvaluationInstance]) -> Result<()> {
        if !self.model.declaration.training.has_source() {
            return Ok(());
        }
        let Some(source) = &self.plan.source else {
            return Err(Error::Usage(format!("policy {}: its plan names no source", self.plan.policy.name)));
        };
        let folder = self.run.cell(&source.cell);
        let title = format!("its source {} ({})", source.label, source.cell);
        let state = folder.status().state;
        if state != State::Done {
            return Err(Error::Cell(format!("{title} is not done but {state:?}")));
        }
        folder.result()?;
        if self.model.declaration.training == Training::Borrowed {
            load(&self.model, &folder, &title)?;
        }
        let plan = folder.plan()?;
        let parts = plan.model_parts(self.catalogue, self.task.spec().vocabulary.len())?;
        let model = Model::new(parts, DType::F32, &self.model.device)?;
        load(&model, &folder, &title)?;
        let model = model.constant(parts)?;
        let fitted_on = data::training_instances(self.task.as_ref(), &self.plan.task.name, FITTED_ON)?;
        let depths = |instances: &[EvaluationInstance]| self.evaluator(instances).depths(&model);
        self.source = Some(SourceDepths { evaluation: depths(instances)?, training: depths(&fitted_on)? });
        self.prepare()
    }

    /// Shows the policy what its source did.
    fn prepare(&mut self) -> Result<()> {
        if let (Some(source), Policy::Early(policy)) = (&self.source, &mut self.model.policy) {
            policy.prepare(source, self.plan.seed)?;
        }
        Ok(())
    }

    /// Evaluates, measures and records.
    fn finish(&self, instances: &[EvaluationInstance], mut timings: Timings, monitor: &dyn Monitor) -> Result<()> {
        let (task, plan) = (self.task.as_ref(), &self.plan);
        let started = Instant::now();
        let found = self.evaluator(instances).run(&self.model, monitor)?;
        timings.evaluation_seconds = started.elapsed().as_secs_f64();
        monitor.progress(Stage::Measuring, 0, 1, None);
        let path = self.folder.file("tokens.parquet");
        write_tokens(&path, task.spec(), &found.tokens)?;
        self.write_json("vocabulary.json", &task.spec().vocabulary)?;
        let configuration = self.configuration();
        let step = if self.is_trained() { plan.training.steps } else { 0 };
        write_model(&self.folder.file("checkpoint"), step, &self.model.variables.weights()?, &configuration)?;
        // The measures come from the file as it can be read back, as anybody else would compute them.
        let table = read_tokens(&path)?;
        let mut metrics = evaluation::measure(&table, task.spec().headline, plan.recurrence.max_depth);
        metrics.extend(self.measure_training());
        let key = (plan.seed, plan.evaluation.generated_strings);
        let (of_strings, drawn) =
            generation::measure(&self.model, task, &found.strings, key, &|| monitor.interrupted())?;
        metrics.extend(of_strings);
        metrics.extend(self.measure_generated(&generation::as_instances(task, &drawn), monitor)?);
        let interrupted = || monitor.interrupted();
        let batch = plan.evaluation.batch;
        metrics.extend(acceptance::measure(&self.model, task, instances, batch, &interrupted)?);
        let baselines = baselines::measure(task, &plan.task.name, instances)?;
        self.write_result(metrics, baselines, found.ledger)?;
        let training = self.folder.file("checkpoint/training.safetensors");
        if training.exists() {
            fs::remove_file(&training).map_err(Error::file(&training, "cannot be removed"))?;
        }
        timings.threads = haltbench_sdk::candle_core::utils::get_num_threads();
        timings.peak_memory_bytes = peak_memory();
        timings.finished_unix_seconds =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
        self.write_json("timings.json", &timings)?;
        monitor.progress(Stage::Measuring, 1, 1, None);
        Ok(())
    }

    fn is_trained(&self) -> bool {
        self.model.declaration.training != Training::Borrowed
    }

    /// Depths and accuracy at the end of training, where depths may be sampled: means over the last tenth of its log.
    fn measure_training(&self) -> Vec<MetricRow> {
        let steps = self.plan.training.steps;
        let log = MetricsLog::open(&self.folder.file("metrics.jsonl"), steps);
        let last: Vec<TrainingLine> = log.lines().filter(|line| 10 * line.step > 9 * steps).collect();
        let mean = |of: &dyn Fn(&TrainingLine) -> f64| match last.len() {
            0 => Estimate::missing(Reason::NotApplicable, 0),
            count => Estimate::point(last.iter().map(of).sum::<f64>() / count as f64, count),
        };
        let row =
            |name: &str, estimate: Estimate| MetricRow::new(name, Some(Split::InRange), Population::All, &estimate);
        vec![
            row("trained_accuracy", mean(&|line| line.accuracy)),
            row("trained_answer_depth", mean(&|line| line.answer_depth)),
            row("trained_depth", mean(&|line| line.depth)),
        ]
    }

    /// Depths along strings that the model drew itself, which are written down, against their complexities.
    fn measure_generated(&self, strings: &[EvaluationInstance], monitor: &dyn Monitor) -> Result<Vec<MetricRow>> {
        if strings.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.evaluator(strings).run(&self.model, &Unseen(monitor))?;
        let path = self.folder.file("generated.parquet");
        write_tokens(&path, self.task.spec(), &found.tokens)?;
        let complexities = self.task.spec().complexities.iter().map(|complexity| complexity.name);
        Ok(evaluation::alignment_of_generated(&read_tokens(&path)?, complexities, self.plan.recurrence.max_depth))
    }

    /// What another implementation needs to load the weights.
    fn configuration(&self) -> serde_json::Value {
        let plan = &self.plan;
        serde_json::json!({
            "vocabulary": self.task.spec().vocabulary.len(),
            "backbone": plan.backbone,
            "policy": plan.policy,
            "max_depth": plan.recurrence.max_depth,
            "halted_keys_values": plan.recurrence.halted_keys_values,
        })
    }

    fn write_result(&self, metrics: Vec<MetricRow>, baselines: Vec<BaselineResult>, ledger: Ledger) -> Result<()> {
        let (plan, declaration) = (&self.plan, self.model.declaration);
        let mut files = BTreeMap::new();
        let names = [
            "plan.toml",
            "metrics.jsonl",
            "tokens.parquet",
            "generated.parquet",
            "vocabulary.json",
            "checkpoint/model.safetensors",
            "checkpoint/config.json",
        ];
        for name in names {
            let path = self.folder.file(name);
            // A policy that borrows its weights has no training metrics.
            if path.exists() {
                let bytes = fs::read(&path).map_err(Error::file(&path, "cannot be read"))?;
                files.insert(name.to_owned(), blake3::hash(&bytes).to_hex().to_string());
            }
        }
        let result = CellResult {
            schema: RESULT_SCHEMA,
            cell: self.id.to_owned(),
            task: plan.task.name.clone(),
            backbone: plan.backbone.name.clone(),
            policy: plan.policy.name.clone(),
            label: plan.label.clone(),
            of: plan.source.as_ref().map(|source| source.label.clone()),
            kind: declaration.kind.name().to_owned(),
            causal: declaration.causal,
            uses_labels: declaration.uses_labels,
            role: declaration.role.name().to_owned(),
            seed: plan.seed,
            device: plan.device.clone(),
            max_depth: plan.recurrence.max_depth,
            halted_keys_values: plan.recurrence.halted_keys_values.clone(),
            headline: self.task.spec().headline.to_owned(),
            static_features: self.static_features(),
            weights: self.weight_counts(),
            ledger,
            metrics,
            baselines,
            environment: self.environment(),
            files,
        };
        self.write_json("result.json", &result)
    }

    fn static_features(&self) -> Vec<String> {
        let features = self.task.spec().features.iter();
        features.filter(|feature| feature.kind == FeatureKind::Static).map(|feature| feature.name.to_owned()).collect()
    }

    /// Number of weights by the first part of their names.
    fn weight_counts(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::from([("total".to_owned(), self.model.variables.parameters() as u64)]);
        for (name, variable) in self.model.variables.all() {
            let part = name.split('.').next().unwrap_or_default().to_owned();
            *counts.entry(part).or_default() += variable.elem_count() as u64;
        }
        counts
    }

    /// Compiler, candle and providers.
    fn environment(&self) -> BTreeMap<String, String> {
        let mut environment: BTreeMap<String, String> = fingerprint::own_fields().into_iter().collect();
        for (kind, name) in
            [("task", &self.plan.task.name), ("backbone", &self.plan.backbone.name), ("policy", &self.plan.policy.name)]
        {
            if let Ok(entry) = self.catalogue.find(kind, name) {
                environment.insert(format!("{kind}_provider"), entry.provider.to_owned());
            }
        }
        environment
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(|error| Error::Cell(format!("{name}: {error}")))?;
        write_atomic(&self.folder.file(name), format!("{text}\n").as_bytes())
    }
}

/// Gives a model the weights that a finished cell has recorded; `title` names that cell.
fn load(model: &Model, folder: &CellFolder, title: &str) -> Result<()> {
    let path = folder.file("checkpoint/model.safetensors");
    let checkpoint = read_checkpoint(&path)?;
    let checkpoint =
        checkpoint.ok_or_else(|| Error::Damaged { path: path.clone(), message: "the file is missing".to_owned() })?;
    for name in model.variables.weights()?.into_keys() {
        match checkpoint.tensors.get(&name) {
            Some(tensor) => model.variables.set(&name, tensor)?,
            None => return Err(Error::Cell(format!("{title} has no weight {name}"))),
        }
    }
    Ok(())
}

/// Largest resident memory of this process so far, in bytes, where the system tells.
pub(crate) fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}
