//! A task, and models over its vocabulary with recorded weights.

use std::cell::Cell;

use haltbench_sdk::candle_core::{DType, Device};
use haltbench_sdk::initialise::Variables;
use haltbench_sdk::policy::SourceDepths;
use haltbench_sdk::task::Task;
use haltbench_sdk::vocabulary::Vocabulary;

use super::waiting::wait_for_result;
use crate::data::{self, EvaluationInstance};
use crate::error::{Error, Result};
use crate::evaluation::Evaluator;
use crate::model::Model;
use crate::monitor::Monitor;
use crate::plan::{CellPlan, Choice};
use crate::plugins::Catalogue;
use crate::store::{ModelFolder, RunFolder, State, read_checkpoint};

/// Number of training instances in the depths that a policy with a source reads.
const FITTED_ON: usize = 1000;

/// A task, and the folder with its models.
pub(super) struct Setting<'a> {
    pub run: &'a RunFolder,
    pub monitor: &'a dyn Monitor,
    pub catalogue: &'a Catalogue,
    pub device: Device,
    pub task: Box<dyn Task>,
    /// Name of the task.
    pub name: String,
    /// Tokens that are decimal digits.
    digits: Vec<u32>,
    /// Index of the headline complexity.
    pub headline: usize,
    /// Its range at training sizes, once an oracle has asked for it.
    range: Cell<Option<(f32, f32)>>,
}

impl<'a> Setting<'a> {
    pub fn new(
        (run, catalogue): (&'a RunFolder, &'a Catalogue),
        task: &Choice,
        device: Device,
        monitor: &'a dyn Monitor,
    ) -> Result<Self> {
        let name = task.name.clone();
        let task = (catalogue.task(&name)?.build)(&task.parameters)?;
        let spec = task.spec();
        let headline = spec.complexities.iter().position(|complexity| complexity.name == spec.headline);
        let headline =
            headline.ok_or_else(|| haltbench_sdk::Error::contract(&name, "its headline complexity is not declared"))?;
        let digits = spec.digits();
        Ok(Self { run, monitor, catalogue, device, task, name, digits, headline, range: Cell::new(None) })
    }

    /// The task's tokens.
    pub fn vocabulary(&self) -> Vocabulary<'_> {
        Vocabulary { size: self.task.spec().vocabulary.len(), digits: &self.digits }
    }

    /// Range of the headline complexity at training sizes, for oracles; not computed for other policies.
    pub fn range(&self, uses_labels: bool) -> Result<(f32, f32)> {
        match self.range.get() {
            Some(range) if uses_labels => Ok(range),
            None if uses_labels => {
                let range = data::complexity_range(self.task.as_ref(), &self.name, self.headline)?;
                self.range.set(Some(range));
                Ok(range)
            }
            _ => Ok((0.0, 0.0)),
        }
    }

    /// An evaluation of `instances`, `batch` at a time, for a policy that is an oracle or not.
    pub fn evaluator<'b>(
        &'b self,
        instances: &'b [EvaluationInstance],
        batch: usize,
        uses_labels: bool,
    ) -> Result<Evaluator<'b>> {
        let (headline, range) = (self.headline, self.range(uses_labels)?);
        Ok(Evaluator { task: self.task.as_ref(), instances, headline, range, batch })
    }

    /// The model of a cell with its recorded weights as constants: an evaluation keeps no graph.
    pub fn model(&self, plan: &CellPlan, source: Option<&SourceDepths>) -> Result<Model> {
        let model = Model::new(plan.parts(self.catalogue, self.vocabulary(), None)?, DType::F32, &self.device)?;
        let id = plan.model.id()?;
        load(&model.variables, &self.run.model(&id), self.monitor)?;
        model.constant(plan.parts(self.catalogue, self.vocabulary(), source)?)
    }

    /// Depths that a cell gives to `instances`, and to instances from the training part.
    pub fn depths_of(&self, cell: &str, instances: &[EvaluationInstance]) -> Result<SourceDepths> {
        let folder = self.run.cell(cell);
        let state = folder.status().state;
        if state != State::Done {
            return Err(Error::Cell(format!("its source {cell} is not done but {state:?}")));
        }
        folder.result()?;
        let plan = folder.plan()?;
        let fitted_on = data::training_instances(self.task.as_ref(), &self.name, FITTED_ON)?;
        // The source's model may itself have been trained with depths of another policy.
        let own = plan.source.as_ref().map(|source| self.depths_of(source, &[])).transpose()?;
        let model = self.model(&plan, own.as_ref())?;
        let batch = plan.evaluation.batch;
        let uses_labels = model.declaration.uses_labels.any();
        let depths = |instances: &[EvaluationInstance]| self.evaluator(instances, batch, uses_labels)?.depths(&model);
        Ok(SourceDepths { evaluation: depths(instances)?, training: depths(&fitted_on)? })
    }
}

/// Loads the recorded weights of a finished model into `variables`. Waits if another run is training the model.
pub(super) fn load(variables: &Variables, folder: &ModelFolder, monitor: &dyn Monitor) -> Result<()> {
    let id = folder.id();
    if wait_for_result(folder, monitor)?.is_none() {
        return Err(Error::Cell(format!(
            "its model {id} is missing or not trained; `haltbench run` with --overwrite trains it"
        )));
    }
    let path = folder.file("weights.safetensors");
    let checkpoint = read_checkpoint(&path, id)?;
    let checkpoint =
        checkpoint.ok_or_else(|| Error::Damaged { path: path.clone(), message: "the file is missing".to_owned() })?;
    for (name, own) in variables.weights()? {
        match checkpoint.tensors.get(&name) {
            Some(tensor) if tensor.dims() == own.dims() => variables.set(&name, tensor)?,
            found => {
                let found = found.map_or("none".to_owned(), |tensor| format!("{:?}", tensor.dims()));
                return Err(Error::Cell(format!(
                    "its model {id}: weight {name}: expected the shape {:?}, found {found}",
                    own.dims()
                )));
            }
        }
    }
    Ok(())
}
