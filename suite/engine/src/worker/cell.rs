//! A cell with everything its plan names: training it, timing it, and what its policy reads of another cell.

use std::path::Path;
use std::time::Instant;

use haltbench_sdk::candle_core::DType;
use haltbench_sdk::policy::{Policy, SourceDepths, Training};
use haltbench_sdk::task::Task;

use crate::data::{self, EvaluationInstance};
use crate::device;
use crate::error::{Error, Result};
use crate::evaluation::Evaluator;
use crate::model::Model;
use crate::monitor::Monitor;
use crate::plan::CellPlan;
use crate::plugins::Catalogue;
use crate::store::{CellFolder, RunFolder, State, Timings, read_checkpoint};
use crate::trace::{self, Contents, Recorded};
use crate::training::{Progress, Trainer};

/// Training instances that policies with a source are shown.
const FITTED_ON: usize = 1000;

/// A cell with everything its plan names.
pub(super) struct Cell<'a> {
    run: &'a RunFolder,
    pub(super) id: &'a str,
    pub(super) folder: CellFolder,
    pub(super) plan: CellPlan,
    pub(super) catalogue: &'a Catalogue,
    pub(super) task: Box<dyn Task>,
    headline: usize,
    range: (f32, f32),
    pub(super) model: Model,
    /// What the policy reads of another cell, if it has a source.
    source: Option<SourceDepths>,
}

/// What training leaves besides the weights.
pub(super) struct Trained {
    /// What is to be evaluated.
    pub instances: Vec<EvaluationInstance>,
    /// What training took.
    pub timings: Timings,
}

impl<'a> Cell<'a> {
    pub fn open(run: &'a RunFolder, id: &'a str, catalogue: &'a Catalogue, device: &str) -> Result<Self> {
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

    /// Draws the evaluation's instances and trains the model, if it is to be trained.
    pub fn train(&mut self, monitor: &dyn Monitor) -> Result<Trained> {
        let mut timings = self.timings();
        let instances = self.instances(monitor)?;
        self.read_source(&instances)?;
        if self.model.declaration.training != Training::Borrowed {
            let trainer =
                Trainer { plan: &self.plan, task: self.task.as_ref(), headline: self.headline, range: self.range };
            let started = Instant::now();
            let progress = trainer.train(&self.model, &self.folder, monitor)?;
            timings.training_seconds += started.elapsed().as_secs_f64();
            // What ends the evaluation must not lose the time of training.
            self.folder.write_json("timings.json", &timings)?;
            if let Progress::Interrupted(signal) = progress {
                return Err(Error::Interrupted(signal));
            }
            timings.training_steps = self.plan.training.steps;
        }
        self.keep_weights()?;
        Ok(Trained { instances, timings })
    }

    /// Times the policy on the weights that were recorded.
    pub fn time(mut self, monitor: &dyn Monitor) -> Result<()> {
        let instances = self.instances(monitor)?;
        self.read_source(&instances)?;
        load(&self.model, &self.folder, "the cell")?;
        self.keep_weights()?;
        let speed = self.evaluator(&instances).time(&self.model, monitor)?;
        self.folder.write_json("timings.json", &Timings { speed: Some(speed), ..self.timings() })
    }

    /// A finished cell's weights, as constants, and what they are evaluated on.
    fn recall(mut self, monitor: &dyn Monitor) -> Result<(Self, Vec<EvaluationInstance>)> {
        let instances = self.instances(monitor)?;
        load(&self.model, &self.folder, "the cell")?;
        self.keep_weights()?;
        Ok((self, instances))
    }

    /// Writes what the model computes at every step to `path`, of at most `most` instances.
    pub fn trace(
        self,
        path: &Path,
        contents: Contents,
        most: Option<usize>,
        monitor: &dyn Monitor,
    ) -> Result<Recorded> {
        let (cell, mut instances) = self.recall(monitor)?;
        instances.truncate(most.unwrap_or(usize::MAX));
        let places = (cell.headline, cell.plan.evaluation.batch);
        trace::record(
            &cell.model,
            (cell.task.as_ref(), &cell.plan.task.name),
            &instances,
            places,
            contents,
            path,
            monitor,
        )
    }

    fn instances(&self, monitor: &dyn Monitor) -> Result<Vec<EvaluationInstance>> {
        let (task, plan) = (self.task.as_ref(), &self.plan);
        data::evaluation_instances(task, &plan.task.name, &plan.evaluation, &|| monitor.interrupted())
    }

    pub(super) fn evaluator<'b>(&'b self, instances: &'b [EvaluationInstance]) -> Evaluator<'b> {
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
}

/// Gives a model the weights that a finished cell has recorded; `title` names that cell.
fn load(model: &Model, folder: &CellFolder, title: &str) -> Result<()> {
    let path = folder.file("checkpoint/model.safetensors");
    let checkpoint = read_checkpoint(&path, folder.id())?;
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
