//! Evaluation of a cell: compacted passes over all instances, the table of tokens, the measures.

use std::time::Instant;

use haltbench_analysis::measures::{self, Quantity};
use haltbench_analysis::{Bootstrap, Filter, Population, Reason, Split, TokenTable};
use haltbench_sdk::policy::{EvaluatedToken, Privileged};
use haltbench_sdk::task::generation::PredictedString;
use haltbench_sdk::task::{Columns, Instance, Task};

use crate::batch::Batch;
use crate::data::EvaluationInstance;
use crate::error::Result;
use crate::generation;
use crate::ledger::Ledger;
use crate::model::Model;
use crate::recurrence::{Evaluated, Execution, evaluate};
use crate::store::{MetricRow, TokenRecord};
use crate::worker::{Monitor, Stage};

/// What an evaluation reads from.
pub struct Evaluator<'a> {
    /// The task.
    pub task: &'a dyn Task,
    /// All instances.
    pub instances: &'a [EvaluationInstance],
    /// Place of the headline complexity.
    pub headline: usize,
    /// Range of the headline complexity at training sizes, for oracles.
    pub range: (f32, f32),
    /// Instances in a batch.
    pub batch: usize,
}

/// What an evaluation found.
#[derive(Default)]
pub struct Findings {
    /// Every token.
    pub tokens: Vec<TokenRecord>,
    /// What it cost.
    pub ledger: Ledger,
    /// What the model expected at every target of sizes seen in training, of tasks that are languages.
    pub strings: Vec<PredictedString>,
}

/// Batches that are timed both ways, and how often.
const TIMED_BATCHES: usize = 6;
const TIMED_REPETITIONS: usize = 5;

impl Evaluator<'_> {
    /// The batches: instances in the order of their lengths within a size, so that sequences of one batch are alike.
    fn chunks(&self) -> impl Iterator<Item = &[EvaluationInstance]> {
        self.instances.chunks(self.batch)
    }

    fn pack(&self, chunk: &[EvaluationInstance], model: &Model) -> Result<(Batch, Privileged)> {
        let instances: Vec<&Instance> = chunk.iter().map(|entry| &entry.instance).collect();
        let identities: Vec<u64> = chunk.iter().map(|entry| entry.id).collect();
        let batch = Batch::new(&instances, &identities, self.task.spec().supervision, self.headline, &model.device)?;
        let privileged = Privileged { complexity: batch.complexity.clone(), range: self.range };
        Ok((batch, privileged))
    }

    /// Evaluates every instance.
    ///
    /// # Errors
    /// If a pass fails, or [`crate::Error::Interrupted`].
    pub fn run(&self, model: &Model, monitor: &dyn Monitor) -> Result<Findings> {
        let mut found = Findings::default();
        let total = self.instances.len().div_ceil(self.batch) as u64;
        for (done, chunk) in (1..).zip(self.chunks()) {
            let (batch, privileged) = self.pack(chunk, model)?;
            let evaluated = evaluate(model, &batch, Execution::Compacted, Some(&privileged))?;
            found.ledger.add(&evaluated.ledger);
            record(chunk, &batch, &evaluated, &mut found.tokens);
            if self.task.generation().is_some() {
                found.strings.extend(predicted_strings(chunk, &evaluated)?);
            }
            monitor.progress(Stage::Evaluating, done, total, None);
            if let Some(signal) = monitor.interrupted() {
                return Err(crate::Error::Interrupted(signal));
            }
        }
        Ok(found)
    }

    /// Seconds for the same batches, (compacted, dense): medians of alternating repetitions.
    ///
    /// # Errors
    /// If a pass fails.
    pub fn time(&self, model: &Model) -> Result<(f64, f64)> {
        let chunks: Vec<&[EvaluationInstance]> = self.chunks().collect();
        let stride = chunks.len().div_ceil(TIMED_BATCHES).max(1);
        let batches =
            chunks.into_iter().step_by(stride).map(|chunk| self.pack(chunk, model)).collect::<Result<Vec<_>>>()?;
        let mut seconds = [Vec::new(), Vec::new()];
        for _ in 0..TIMED_REPETITIONS {
            for (slot, execution) in [Execution::Compacted, Execution::Dense].into_iter().enumerate() {
                let started = Instant::now();
                for (batch, privileged) in &batches {
                    evaluate(model, batch, execution, Some(privileged))?;
                }
                // An accelerator may still be computing.
                model.device.synchronize()?;
                seconds[slot].push(started.elapsed().as_secs_f64());
            }
        }
        let [compacted, dense] = seconds.map(|mut seconds| {
            seconds.sort_by(f64::total_cmp);
            seconds[seconds.len() / 2]
        });
        Ok((compacted, dense))
    }
}

/// The answers of every instance of a size seen in training, with the distributions that predicted them.
fn predicted_strings(chunk: &[EvaluationInstance], evaluated: &Evaluated) -> Result<Vec<PredictedString>> {
    let mut distributions = generation::distributions(&evaluated.logits)?.into_iter();
    let string = |entry: &EvaluationInstance| {
        let tokens: Vec<u32> = entry.instance.answers().collect();
        let string = PredictedString { distributions: distributions.by_ref().take(tokens.len()).collect(), tokens };
        (entry.split == Split::InRange).then_some(string)
    };
    Ok(chunk.iter().filter_map(string).collect())
}

fn record(chunk: &[EvaluationInstance], batch: &Batch, evaluated: &Evaluated, tokens: &mut Vec<TokenRecord>) {
    let mut answers = vec![None; batch.rows()];
    for (place, row) in batch.readout.iter().enumerate() {
        answers[row] = Some(place);
    }
    for (sequence, entry) in chunk.iter().enumerate() {
        for row in batch.layout.rows_of(sequence) {
            let target = batch.target_index[row] as usize;
            let entries = |columns: &Columns| (0..columns.count()).map(|column| columns.get(column, target)).collect();
            tokens.push(TokenRecord {
                instance: entry.id,
                size: entry.size,
                split: entry.split,
                position: target as u32,
                is_answer: answers[row].is_some(),
                depth: evaluated.depths[row],
                expected_depth: evaluated.expected_depths.as_ref().map(|expected| expected[row] as f32),
                target: entry.instance.targets()[target],
                predicted: answers[row].map(|place| evaluated.predicted[place]),
                confidence: answers[row].map(|place| evaluated.confidence[place]),
                complexities: entries(&entry.instance.complexities),
                features: entries(&entry.instance.features),
            });
        }
    }
}

/// The tokens of a source cell as a borrowing policy reads them: positions are those of the states.
pub fn as_source(table: &TokenTable, supervision: haltbench_sdk::task::Supervision) -> Vec<EvaluatedToken> {
    let columns = table.columns();
    let token = |row: usize| EvaluatedToken {
        identity: columns.instance[row],
        position: supervision.reads_at(columns.position[row] as usize).unwrap_or(0) as u32,
        size: columns.size[row],
        part: columns.split[row] as u32,
        is_answer: columns.is_answer[row],
        depth: columns.depth[row],
    };
    (0..table.len()).map(token).collect()
}

/// The measures of a cell as tidy rows.
pub fn measure(table: &TokenTable, headline: &str, max_depth: usize) -> Vec<MetricRow> {
    let tables = std::slice::from_ref(table);
    let bootstrap = Bootstrap::default();
    let most = max_depth as u32;
    let splits: Vec<Split> = Split::ALL.into_iter().filter(|split| !table.instances(Some(*split)).is_empty()).collect();
    let mut rows = Vec::new();
    let quantities = [
        ("token_accuracy", Quantity::TokenAccuracy),
        ("exact_match", Quantity::ExactMatch),
        ("answer_depth", Quantity::AnswerDepth),
        ("depth", Quantity::Depth),
        ("saturation", Quantity::Saturation { max_depth: most }),
    ];
    for split in &splits {
        for (name, quantity) in quantities {
            let estimate = measures::estimate(tables, quantity, Some(*split), bootstrap);
            rows.push(MetricRow::new(name, Some(*split), Population::All, &estimate));
        }
        for population in [Population::All, Population::CorrectOnly] {
            let filter = Filter { split: Some(*split), population, ..Filter::default() };
            let alignment = measures::alignment(tables, headline, filter, most, bootstrap);
            let estimates = [
                ("spearman", &alignment.spearman),
                ("spearman_within_size", &alignment.within_size),
                ("spearman_partial", &alignment.partial),
                ("somers_d", &alignment.somers_d),
                ("tau_b", &alignment.tau_b),
            ];
            for (name, estimate) in estimates {
                let complexity = Some(headline.to_owned());
                rows.push(MetricRow { complexity, ..MetricRow::new(name, Some(*split), population, estimate) });
            }
        }
        rows.extend(by_level(tables, headline, *split, bootstrap));
    }
    rows
}

/// Spearman's correlation of depth with each complexity over the tokens of strings that the model drew.
pub fn alignment_of_generated<'a>(
    table: &TokenTable,
    complexities: impl Iterator<Item = &'a str>,
    max_depth: usize,
) -> Vec<MetricRow> {
    let filter = Filter { split: Some(Split::InRange), ..Filter::default() };
    let row = |complexity: &str| {
        let tables = std::slice::from_ref(table);
        let found = measures::alignment(tables, complexity, filter, max_depth as u32, Bootstrap::default());
        let row = MetricRow::new("generated_spearman", filter.split, Population::All, &found.spearman);
        MetricRow { complexity: Some(complexity.to_owned()), ..row }
    };
    complexities.map(row).collect()
}

fn by_level(tables: &[TokenTable], headline: &str, split: Split, bootstrap: Bootstrap) -> Vec<MetricRow> {
    let missing = |reason: Reason| {
        let estimate = haltbench_analysis::Estimate::missing(reason, 0);
        let row = MetricRow::new("token_accuracy_by_level", Some(split), Population::All, &estimate);
        vec![MetricRow { complexity: Some(headline.to_owned()), ..row }]
    };
    let levels = match measures::by_level(tables, headline, Some(split), bootstrap) {
        Ok(levels) => levels,
        Err(reason) => return missing(reason),
    };
    let row = |name: &str, level: f64, estimate: &haltbench_analysis::Estimate| MetricRow {
        complexity: Some(headline.to_owned()),
        level: Some(level),
        ..MetricRow::new(name, Some(split), Population::All, estimate)
    };
    levels
        .iter()
        .flat_map(|level| {
            let value = level.level;
            [row("token_accuracy_by_level", value, &level.accuracy), row("answer_depth_by_level", value, &level.depth)]
        })
        .collect()
}
