//! Finishes a cell: evaluation, measures, files.

use std::time::Instant;

use haltbench_analysis::{Estimate, Population, Reason, Split};
use haltbench_sdk::policy::{Calibrated, Role};
use haltbench_sdk::task::FeatureKind;

use super::cell::Cell;
use super::record::{environment, finished_now, hashes, weight_counts};
use crate::data::{self, EvaluationInstance};
use crate::error::Result;
use crate::evaluation::{self, Findings};
use crate::generation::{self, acceptance};
use crate::guesses;
use crate::memory;
use crate::monitor::{Monitor, Stage, Unseen};
use crate::store::{
    CALIBRATION, CellResult, Checks, GuessResult, MetricRow, MetricsLog, RESULT_SCHEMA, Timings, TrainingLine,
    read_tokens, write_tokens,
};

/// The files of a cell besides its result.
const FILES: [&str; 5] = ["plan.toml", "tokens.parquet", CALIBRATION, "generated.parquet", "vocabulary.json"];

impl Cell<'_> {
    /// Evaluates, measures and records.
    pub fn finish(&mut self, monitor: &dyn Monitor) -> Result<()> {
        let mut timings = Timings::default();
        let started = Instant::now();
        let calibrated = self.calibrate_policy(monitor)?;
        let instances = self.instances.as_slice();
        let (task, plan) = (self.setting.task.as_ref(), &self.plan);
        let found = self.evaluator(instances)?.run(&self.model, monitor)?;
        timings.evaluation_seconds = started.elapsed().as_secs_f64();
        monitor.progress(Stage::Measuring, 0, 1, None);
        let path = self.folder.file("tokens.parquet");
        write_tokens(&path, task.spec(), &found.tokens)?;
        self.folder.write_json("vocabulary.json", &task.spec().vocabulary)?;
        self.calibrate(monitor)?;
        // Measures are computed from the written file, so that anyone can compute them again.
        let table = read_tokens(&path)?;
        let mut metrics = evaluation::measure(&table, task.spec().headline, plan.max_depth);
        metrics.extend(self.measure_training()?);
        let key = (plan.model.seed, plan.evaluation.generated_strings);
        let interrupted = || monitor.interrupted();
        let (of_strings, drawn) = generation::measure(&self.model, task, &found.strings, key, &interrupted)?;
        metrics.extend(of_strings);
        metrics.extend(self.measure_generated(&generation::as_instances(task, &drawn), monitor)?);
        let batch = plan.evaluation.batch;
        metrics.extend(acceptance::measure(&self.model, task, instances, batch, &interrupted)?);
        let guesses = guesses::measure(task, &self.setting.name, instances)?;
        // Last, so that a policy has had time and calls enough to change its mind.
        let checks = self.check(&found.seen)?;
        self.write_result(calibrated, checks, metrics, guesses, &found)?;
        finished_now(&mut timings);
        timings.peak_memory_bytes = memory::peak_memory();
        self.folder.write_json("timings.json", &timings)?;
        monitor.progress(Stage::Measuring, 1, 1, None);
        Ok(())
    }

    /// Checks the policy's claims. Numbers that a deterministic policy does not repeat are no result.
    fn check(&self, seen: &[evaluation::Seen]) -> Result<Checks> {
        let checks = self.evaluator(&self.instances)?.check(&self.model, seen)?;
        let is_stochastic = self.model.declaration.stochastic.given(&self.plan.policy.parameters);
        if checks.repetition.is_broken() && !is_stochastic {
            return Err(self.model.broken(format!(
                "it does not declare `stochastic`, but gives other depths or scores the second time: {}",
                checks.repetition.evidence()
            )));
        }
        Ok(checks)
    }

    /// Lets a policy calibrate itself on the calibration part.
    pub(super) fn calibrate_policy(&mut self, monitor: &dyn Monitor) -> Result<Calibrated> {
        if !self.model.policy.needs_calibration() {
            return Ok(Calibrated::default());
        }
        self.plan.evaluation.check_calibration(&self.plan.policy.name)?;
        let (task, name) = (self.setting.task.as_ref(), &self.setting.name);
        let interrupted = || monitor.interrupted();
        let instances = data::calibration_instances(task, name, &self.plan.evaluation, &interrupted)?;
        let trace = self.evaluator(&instances)?.calibration(&self.model, &Unseen(monitor))?;
        let calibrated = self.model.policy.calibrate(&trace);
        calibrated.map_err(|error| crate::recurrence::named(&self.model, error))
    }

    /// Evaluates the calibration part, on which knobs are chosen. Not for policies that repeat recorded depths, which
    /// have none for these instances, nor for controls without knobs.
    fn calibrate(&self, monitor: &dyn Monitor) -> Result<()> {
        let declaration = self.model.declaration;
        if declaration.source.has_depths() || !matches!(declaration.role, Role::Policy | Role::FixedDepth) {
            return Ok(());
        }
        let (task, name) = (self.setting.task.as_ref(), &self.setting.name);
        let interrupted = || monitor.interrupted();
        let instances = data::calibration_instances(task, name, &self.plan.evaluation, &interrupted)?;
        if instances.is_empty() {
            return Ok(());
        }
        let found = self.evaluator(&instances)?.run(&self.model, &Unseen(monitor))?;
        write_tokens(&self.folder.file(CALIBRATION), task.spec(), &found.tokens)
    }

    /// Depths and accuracy at the end of training, where depths may be sampled: means over the last tenth of the
    /// training log. And the share of tokens at each depth before training.
    fn measure_training(&self) -> Result<Vec<MetricRow>> {
        let steps = self.plan.model.training.steps;
        let folder = self.setting.run.model(&self.plan.model.id()?);
        let log = MetricsLog::open(&folder.file("metrics.jsonl"), steps);
        // A control that repeats another policy's depths on its model was not trained.
        let is_trained = self.plan.source == self.plan.model.source;
        // Only a policy that took part in training has depths of its own there.
        let takes_part = self.plan.model.policy.as_ref().is_some_and(|policy| policy.name == self.plan.policy.name);
        let first = log.lines().next().filter(|line| is_trained && takes_part && line.step == 1);
        let last: Vec<TrainingLine> = log.lines().filter(|line| is_trained && 10 * line.step > 9 * steps).collect();
        let mean = |of: &dyn Fn(&TrainingLine) -> f64| match last.len() {
            0 => Estimate::missing(Reason::NotApplicable, 0),
            count => Estimate::point(last.iter().map(of).sum::<f64>() / count as f64, count),
        };
        let row =
            |name: &str, estimate: Estimate| MetricRow::new(name, Some(Split::InRange), Population::All, &estimate);
        let mut rows = vec![
            row("trained_accuracy", mean(&|line| line.accuracy)),
            row("trained_answer_depth", mean(&|line| line.answer_depth)),
            row("trained_depth", mean(&|line| line.depth)),
        ];
        rows.extend(first.iter().flat_map(|line| line.depth_shares.iter().enumerate()).map(|(depth, share)| {
            MetricRow { level: Some(depth as f64), ..row("initial_depth_share", Estimate::point(*share, 1)) }
        }));
        Ok(rows)
    }

    /// Correlation of depths and complexities along strings that the model drew; also writes their tokens.
    fn measure_generated(&self, strings: &[EvaluationInstance], monitor: &dyn Monitor) -> Result<Vec<MetricRow>> {
        if strings.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.evaluator(strings)?.run(&self.model, &Unseen(monitor))?;
        let path = self.folder.file("generated.parquet");
        write_tokens(&path, self.setting.task.spec(), &found.tokens)?;
        let complexities = self.setting.task.spec().complexities.iter().map(|complexity| complexity.name);
        Ok(evaluation::alignment_of_generated(&read_tokens(&path)?, complexities))
    }

    fn write_result(
        &self,
        calibrated: Calibrated,
        checks: Checks,
        metrics: Vec<MetricRow>,
        guesses: Vec<GuessResult>,
        found: &Findings,
    ) -> Result<()> {
        let (plan, declaration) = (&self.plan, self.model.declaration);
        let model = &plan.model;
        let providers = [
            ("task", model.task.name.as_str()),
            ("backbone", model.backbone.name.as_str()),
            ("policy", plan.policy.name.as_str()),
        ];
        let result = CellResult {
            schema: RESULT_SCHEMA,
            cell: self.folder.id().to_owned(),
            model: model.id()?,
            task: model.task.name.clone(),
            backbone: model.backbone.name.clone(),
            policy: plan.policy.name.clone(),
            source: plan.source.clone(),
            kind: declaration.kind.name().to_owned(),
            causal: self.model.is_causal,
            uses_labels: declaration.uses_labels.any(),
            alters_states: found.alters_states,
            role: declaration.role.name().to_owned(),
            seed: model.seed,
            device: model.device.clone(),
            max_depth: plan.max_depth,
            halted_keys_values: plan.halted_keys_values.clone(),
            headline: self.setting.task.spec().headline.to_owned(),
            static_features: self.static_features(),
            weights: weight_counts(&self.model.variables),
            calibrated,
            checks,
            ledger: found.ledger,
            metrics,
            guesses,
            environment: environment(self.setting.catalogue, &providers),
            files: hashes(&self.folder, &FILES)?,
        };
        self.folder.write_json("result.json", &result)
    }

    fn static_features(&self) -> Vec<String> {
        let features = self.setting.task.spec().features.iter();
        features.filter(|feature| feature.kind == FeatureKind::Static).map(|feature| feature.name.to_owned()).collect()
    }
}
