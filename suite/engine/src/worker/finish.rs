//! What a trained cell leaves: evaluation, measures, files.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use haltbench_analysis::{Estimate, Population, Reason, Split};
use haltbench_sdk::fingerprint;
use haltbench_sdk::policy::Training;
use haltbench_sdk::task::FeatureKind;

use super::cell::{Cell, Trained};
use crate::baselines;
use crate::data::EvaluationInstance;
use crate::error::{Error, Result};
use crate::evaluation;
use crate::generation::{self, acceptance};
use crate::ledger::Ledger;
use crate::memory;
use crate::monitor::{Monitor, Stage, Unseen};
use crate::store::{
    BaselineResult, CellResult, Checkpoint, MetricRow, MetricsLog, RESULT_SCHEMA, TrainingLine, read_tokens,
    write_model, write_tokens,
};

impl Cell<'_> {
    /// Evaluates, measures and records.
    pub fn finish(&self, trained: Trained, monitor: &dyn Monitor) -> Result<()> {
        let Trained { instances, mut timings } = trained;
        let instances = instances.as_slice();
        let (task, plan) = (self.task.as_ref(), &self.plan);
        let started = Instant::now();
        let found = self.evaluator(instances).run(&self.model, monitor)?;
        timings.evaluation_seconds = started.elapsed().as_secs_f64();
        monitor.progress(Stage::Measuring, 0, 1, None);
        let path = self.folder.file("tokens.parquet");
        write_tokens(&path, task.spec(), &found.tokens)?;
        self.folder.write_json("vocabulary.json", &task.spec().vocabulary)?;
        let configuration = self.configuration();
        let step = if self.is_trained() { plan.training.steps } else { 0 };
        let tensors = self.model.variables.weights()?;
        let model = Checkpoint { cell: self.folder.id().to_owned(), step, tensors };
        write_model(&self.folder.file("checkpoint"), &model, &configuration)?;
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
        timings.peak_memory_bytes = memory::peak_memory();
        timings.finished_unix_seconds =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
        self.folder.write_json("timings.json", &timings)?;
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
        Ok(evaluation::alignment_of_generated(&read_tokens(&path)?, complexities))
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
            // A policy that borrows its weights has no log of training.
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
        self.folder.write_json("result.json", &result)
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
}
