//! A cell with everything that its plan names: its instances, its model, and the depths that its policy reads.

use std::path::Path;

use haltbench_sdk::policy::SourceDepths;

use super::setting::Setting;
use crate::data::{self, EvaluationInstance};
use crate::device;
use crate::error::Result;
use crate::evaluation::Evaluator;
use crate::model::Model;
use crate::monitor::{Monitor, Stage};
use crate::plan::CellPlan;
use crate::plugins::Catalogue;
use crate::store::{CellFolder, RunFolder, Speed};
use crate::trace::{self, Contents, Recorded};

/// A cell with everything its plan names.
pub(super) struct Cell<'a> {
    pub folder: CellFolder,
    pub plan: CellPlan,
    pub setting: Setting<'a>,
    /// Instances of the evaluation.
    pub instances: Vec<EvaluationInstance>,
    /// The model, whose weights are constants.
    pub model: Model,
}

impl<'a> Cell<'a> {
    /// Draws the instances of the plan in `folder` and loads the model.
    pub fn open(
        run: &'a RunFolder,
        folder: CellFolder,
        catalogue: &'a Catalogue,
        device: &str,
        monitor: &'a dyn Monitor,
    ) -> Result<Self> {
        let plan = folder.plan()?;
        let setting = Setting::new((run, catalogue), &plan.model.task, device::open(device)?, monitor)?;
        let task = setting.task.as_ref();
        // Every draw asks; a search among few instances takes many draws.
        let (draws, most) = (std::cell::Cell::new(0), data::most_draws(task, &plan.evaluation));
        let interrupted = || {
            draws.set(draws.get() + 1);
            monitor.progress(Stage::Drawing, draws.get(), most, None);
            monitor.interrupted()
        };
        let instances = data::evaluation_instances(task, &setting.name, &plan.evaluation, &interrupted)?;
        let source: Option<SourceDepths> =
            plan.source.as_ref().map(|source| setting.depths_of(source, &instances)).transpose()?;
        let model = setting.model(&plan, source.as_ref())?;
        Ok(Self { folder, plan, setting, instances, model })
    }

    /// Times the policy.
    pub fn time(&mut self, monitor: &dyn Monitor) -> Result<Speed> {
        self.calibrate_policy(monitor)?;
        self.evaluator(&self.instances)?.time(&self.model, monitor)
    }

    /// Writes a trace of at most `most` instances to `path`.
    pub fn trace(
        &self,
        path: &Path,
        contents: Contents,
        most: Option<usize>,
        monitor: &dyn Monitor,
    ) -> Result<Recorded> {
        let instances = &self.instances[..most.unwrap_or(usize::MAX).min(self.instances.len())];
        let setting = &self.setting;
        let places = (setting.headline, self.plan.evaluation.batch);
        let task = (setting.task.as_ref(), setting.name.as_str());
        trace::record(&self.model, task, instances, places, contents, path, monitor)
    }

    /// An evaluation of `instances`.
    pub fn evaluator<'b>(&'b self, instances: &'b [EvaluationInstance]) -> Result<Evaluator<'b>> {
        self.setting.evaluator(instances, self.plan.evaluation.batch, self.model.declaration.uses_labels.any())
    }
}
