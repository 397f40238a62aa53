//! Audit of a cell's result: what its worker claims is compared with what was asked, and recomputed without its policy.
//!
//! A worker runs the code of a policy, which can write anything into the worker's files. So another process, which
//! never opens the policy's library, draws the instances again, compares every row with them, recomputes the measures
//! and the sums, and evaluates some batches again at the depths that the rows report: the same weights at the same
//! depths must predict the same tokens, for at least this cost.

use std::collections::BTreeMap;
use std::path::Path;

use haltbench_sdk::candle_core::DType;
use haltbench_sdk::task::{Columns, Task};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::setting::{Setting, load};
use crate::data::{self, EvaluationInstance, split_of};
use crate::device;
use crate::error::{Error, Result};
use crate::evaluation::{self, Evaluator};
use crate::guesses;
use crate::model::Model;
use crate::monitor::Monitor;
use crate::plan::CellPlan;
use crate::plugins::Catalogue;
use crate::recurrence::{Execution, evaluate_at};
use crate::store::{CALIBRATION, CellFolder, CellResult, RunFolder, TokenRecord, read_records, read_tokens};

/// Relative difference that sums of many numbers may have.
const ROUNDING: f64 = 1e-9;

/// Audits the cells of one run, and keeps the instances that many of them share.
pub struct Auditor<'a> {
    run: &'a RunFolder,
    catalogue: &'a Catalogue,
    device: &'a str,
    monitor: &'a dyn Monitor,
    drawn: BTreeMap<String, Drawn<'a>>,
}

/// A task with the instances of an evaluation.
struct Drawn<'a> {
    setting: Setting<'a>,
    evaluation: Vec<EvaluationInstance>,
    calibration: Vec<EvaluationInstance>,
}

impl<'a> Auditor<'a> {
    /// An auditor of the cells in `run`, over a catalogue with their tasks and backbones.
    pub fn new(run: &'a RunFolder, catalogue: &'a Catalogue, device: &'a str, monitor: &'a dyn Monitor) -> Self {
        Self { run, catalogue, device, monitor, drawn: BTreeMap::new() }
    }

    /// Audits the result of the cell `id` in the folder `work`.
    ///
    /// # Errors
    /// [`Error::Cell`] that says what is wrong with the result.
    pub fn audit(&mut self, id: &str, work: &Path) -> Result<()> {
        let folder = CellFolder::of_work(work.to_owned(), id);
        let plan = folder.plan()?;
        if plan.id()? != id {
            return Err(wrong(format!("its plan is that of the cell {}", plan.id()?)));
        }
        let result = folder.result()?.ok_or_else(|| wrong("it is missing"))?;
        let key = format!("{:?} {:?}", plan.model.task, plan.evaluation);
        if !self.drawn.contains_key(&key) {
            let drawn = self.draw(&plan)?;
            self.drawn.insert(key.clone(), drawn);
        }
        let drawn = &self.drawn[&key];
        is_of_plan(&result, &plan, drawn)?;
        let audit = Audit { run: self.run, catalogue: self.catalogue, plan: &plan, result: &result, drawn };
        let tokens = read_records(&folder.file("tokens.parquet"), drawn.setting.task.spec())?;
        audit.rows(&drawn.evaluation, &tokens)?;
        audit.sums(&tokens)?;
        audit.measures(&folder)?;
        audit.again(&tokens)?;
        if result.files.contains_key(CALIBRATION) {
            let tokens = read_records(&folder.file(CALIBRATION), drawn.setting.task.spec())?;
            audit.rows(&drawn.calibration, &tokens)?;
        }
        Ok(())
    }

    fn draw(&self, plan: &CellPlan) -> Result<Drawn<'a>> {
        let setting =
            Setting::new((self.run, self.catalogue), &plan.model.task, device::open(self.device)?, self.monitor)?;
        let interrupted = || self.monitor.interrupted();
        let task = setting.task.as_ref();
        let evaluation = data::evaluation_instances(task, &setting.name, &plan.evaluation, &interrupted)?;
        let calibration = data::calibration_instances(task, &setting.name, &plan.evaluation, &interrupted)?;
        Ok(Drawn { setting, evaluation, calibration })
    }
}

/// The audit of one cell.
struct Audit<'a> {
    run: &'a RunFolder,
    catalogue: &'a Catalogue,
    plan: &'a CellPlan,
    result: &'a CellResult,
    drawn: &'a Drawn<'a>,
}

/// Compares what the result says about itself with the plan.
fn is_of_plan(result: &CellResult, plan: &CellPlan, drawn: &Drawn) -> Result<()> {
    let model = &plan.model;
    let texts = [
        ("model", result.model.clone(), model.id()?),
        ("task", result.task.clone(), model.task.name.clone()),
        ("backbone", result.backbone.clone(), model.backbone.name.clone()),
        ("policy", result.policy.clone(), plan.policy.name.clone()),
        ("source", format!("{:?}", result.source), format!("{:?}", plan.source)),
        ("seed", result.seed.to_string(), model.seed.to_string()),
        ("max_depth", result.max_depth.to_string(), plan.max_depth.to_string()),
        ("halted_keys_values", result.halted_keys_values.clone(), plan.halted_keys_values.clone()),
        ("headline", result.headline.clone(), drawn.setting.task.spec().headline.to_owned()),
    ];
    for (name, found, expected) in texts {
        if found != expected {
            return Err(wrong(format!("{name}: expected {expected}, found {found}")));
        }
    }
    Ok(())
}

impl Audit<'_> {
    /// Whether every token takes at least one step.
    fn halts_tokens(&self) -> bool {
        matches!(self.result.kind.as_str(), "early" | "online")
    }

    /// Compares every row with the instance that was asked for.
    fn rows(&self, instances: &[EvaluationInstance], tokens: &[TokenRecord]) -> Result<()> {
        let task = self.drawn.setting.task.as_ref();
        let mut rows = tokens.iter();
        let mut place = 0;
        for entry in instances {
            for target in 0..entry.instance.tokens.len() {
                if task.spec().supervision.reads_at(target).is_none() {
                    continue;
                }
                let row = rows.next().ok_or_else(|| wrong(format!("it ends after {place} tokens")))?;
                is_target(task, entry, target, row)
                    .and_then(|()| self.is_possible(row))
                    .map_err(|message| wrong(format!("token {place}: {message}")))?;
                place += 1;
            }
        }
        match rows.next() {
            Some(_) => Err(wrong(format!("it has more than {place} tokens"))),
            None => Ok(()),
        }
    }

    /// Checks what the row claims about the model.
    fn is_possible(&self, row: &TokenRecord) -> Result<(), String> {
        let most = self.plan.max_depth as u32;
        let least = u32::from(self.halts_tokens());
        let vocabulary = self.drawn.setting.vocabulary().size as u32;
        let is_depth = |depth: f32| (0.0..=most as f32 * (1.0 + f32::EPSILON)).contains(&depth);
        let cost = [row.flops, row.dense_flops];
        let problem = if !(least..=most).contains(&row.depth) {
            format!("depth: expected {least} to {most}, found {}", row.depth)
        } else if row.depth_at_token.is_some_and(|depth| !(least..=most).contains(&depth)) {
            format!("depth_at_token: expected {least} to {most}, found {:?}", row.depth_at_token)
        } else if row.predicted.is_some() != row.is_answer {
            "predicted: expected a token exactly for an answer token".to_owned()
        } else if row.predicted.is_some_and(|token| token >= vocabulary) {
            format!("predicted: expected a token below {vocabulary}, found {:?}", row.predicted)
        } else if row.confidence.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            format!("confidence: expected 0 to 1, found {:?}", row.confidence)
        } else if !row.expected_depth.is_none_or(is_depth) {
            format!("expected_depth: expected 0 to {most}, found {:?}", row.expected_depth)
        } else if cost.iter().any(|flops| !flops.is_finite() || *flops < 0.0) {
            format!("flops: expected a number from 0, found {cost:?}")
        } else {
            return Ok(());
        };
        Err(problem)
    }

    /// Compares the sums in the result with the rows.
    fn sums(&self, tokens: &[TokenRecord]) -> Result<()> {
        let ledger = &self.result.ledger;
        let steps: u64 = tokens.iter().map(|row| u64::from(row.depth)).sum();
        let whole = [
            ("tokens", ledger.tokens, tokens.len() as u64),
            ("token_steps_scheduled", ledger.token_steps_scheduled, (tokens.len() * self.plan.max_depth) as u64),
        ];
        for (name, found, expected) in whole {
            if found != expected {
                return Err(wrong(format!("ledger: {name}: expected {expected}, found {found}")));
            }
        }
        // Under run-on, halted tokens take steps that are not theirs.
        if ledger.token_steps_executed < steps {
            let found = ledger.token_steps_executed;
            return Err(wrong(format!("ledger: token_steps_executed: expected at least {steps}, found {found}")));
        }
        let sum = |of: fn(&TokenRecord) -> f64| tokens.iter().map(of).sum::<f64>();
        let real = [
            ("flops + decision_flops", ledger.flops + ledger.decision_flops, sum(|row| row.flops)),
            ("dense_flops", ledger.dense_flops, sum(|row| row.dense_flops)),
        ];
        for (name, found, expected) in real {
            if (found - expected).abs() > ROUNDING * expected.abs() {
                return Err(wrong(format!("ledger: {name}: its rows add up to {expected}, found {found}")));
            }
        }
        Ok(())
    }

    /// Recomputes the measures and the scores of the guesses.
    fn measures(&self, folder: &CellFolder) -> Result<()> {
        let task = self.drawn.setting.task.as_ref();
        let table = read_tokens(&folder.file("tokens.parquet"))?;
        let expected = recorded(&evaluation::measure(&table, task.spec().headline, self.plan.max_depth))?;
        for (expected, found) in expected.iter().zip(&self.result.metrics) {
            if expected != found {
                let value = |value: Option<f64>| value.map_or("none".to_owned(), |value| value.to_string());
                let (name, found, expected) = (&found.metric, value(found.value), value(expected.value));
                return Err(wrong(format!("{name}: its rows give {expected}, found {found}")));
            }
        }
        if self.result.metrics.len() < expected.len() {
            return Err(wrong("measures are missing"));
        }
        let guesses = recorded(&guesses::measure(task, &self.drawn.setting.name, &self.drawn.evaluation)?)?;
        if guesses != self.result.guesses {
            return Err(wrong("guesses: they are not those of its task"));
        }
        Ok(())
    }

    /// Evaluates the first and the last batch again, at the depths in the rows.
    fn again(&self, tokens: &[TokenRecord]) -> Result<()> {
        if !self.halts_tokens() || self.result.alters_states {
            return Ok(());
        }
        let setting = &self.drawn.setting;
        let parts = || self.plan.parts_without_policy(self.catalogue, setting.vocabulary());
        let model = Model::new(parts()?, DType::F32, &setting.device)?;
        load(&model.variables, &self.run.model(&self.plan.model.id()?), setting.monitor)?;
        let model = model.constant(parts()?)?;
        let evaluator = Evaluator {
            task: setting.task.as_ref(),
            instances: &self.drawn.evaluation,
            headline: setting.headline,
            range: (0.0, 0.0),
            batch: self.plan.evaluation.batch,
        };
        let chunks: Vec<&[EvaluationInstance]> = evaluator.chunks().collect();
        let mut first = 0;
        for (place, chunk) in chunks.iter().enumerate() {
            let (batch, _) = evaluator.pack(*chunk, &model)?;
            let rows = &tokens[first..first + batch.rows()];
            first += batch.rows();
            if place > 0 && place + 1 < chunks.len() {
                continue;
            }
            let depths: Vec<u32> = rows.iter().map(|row| row.depth).collect();
            let evaluated = evaluate_at(&model, &batch, Execution::Compacted, &depths)?;
            for (row, predicted) in batch.readout.iter().zip(&evaluated.predicted) {
                if rows[row].predicted.is_some_and(|found| found != *predicted) {
                    let token = first - batch.rows() + row;
                    let (depth, found) = (rows[row].depth, rows[row].predicted.unwrap_or_default());
                    return Err(wrong(format!(
                        "token {token}: its model predicts {predicted} at depth {depth}, found {found}"
                    )));
                }
            }
            self.costs(rows, &evaluated.costs.executed, &evaluated.costs.dense)?;
        }
        Ok(())
    }

    /// A row costs at least the steps that it took and, for an answer, one read-out.
    fn costs(&self, rows: &[TokenRecord], executed: &[f64], dense: &[f64]) -> Result<()> {
        for (row, (executed, dense)) in rows.iter().zip(executed.iter().zip(dense)) {
            if (row.dense_flops - dense).abs() > ROUNDING * dense {
                return Err(wrong(format!("dense_flops: expected {dense}, found {}", row.dense_flops)));
            }
            if row.flops < executed * (1.0 - ROUNDING) {
                return Err(wrong(format!("flops: expected at least {executed}, found {}", row.flops)));
            }
        }
        Ok(())
    }
}

/// Compares a row with the target of an instance.
fn is_target(task: &dyn Task, entry: &EvaluationInstance, target: usize, row: &TokenRecord) -> Result<(), String> {
    let instance = &entry.instance;
    let size = task.token_size(entry.size, instance, target);
    let read = task.spec().supervision.reads_at(target).map(|read| instance.tokens[read]);
    let numbers = [
        ("instance", row.instance, entry.id),
        ("problem", row.problem, instance.problem_id()),
        ("size", row.size.into(), entry.size.into()),
        ("own_size", row.own_size.into(), size.size.into()),
        ("position", row.position.into(), target as u64),
        ("input_token", row.input_token.into(), read.unwrap_or_default().into()),
        ("target", row.target.into(), instance.targets()[target].into()),
        ("is_answer", row.is_answer.into(), (instance.loss_mask[target] && instance.is_graded(target)).into()),
    ];
    for (name, found, expected) in numbers {
        if found != expected {
            return Err(format!("{name}: expected {expected}, found {found}"));
        }
    }
    if row.split != split_of(size.split) {
        return Err(format!("split: expected {}, found {}", split_of(size.split).name(), row.split.name()));
    }
    let values =
        |columns: &Columns| (0..columns.count()).map(|column| columns.get(column, target)).collect::<Vec<f32>>();
    let is_same = |found: &[f32], expected: &[f32]| {
        found.len() == expected.len()
            && found
                .iter()
                .zip(expected)
                .all(|(found, expected)| found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan()))
    };
    if !is_same(&row.complexities, &values(&instance.complexities)) {
        return Err("complexities: they are not those of the instance".to_owned());
    }
    if !is_same(&row.features, &values(&instance.features)) {
        return Err("features: they are not those of the instance".to_owned());
    }
    Ok(())
}

/// What a reader finds if these values are recorded: reading a number can change its last digit.
fn recorded<T: Serialize + DeserializeOwned>(values: &T) -> Result<T> {
    let recorded = serde_json::to_vec(values).and_then(|text| serde_json::from_slice(&text));
    recorded.map_err(|error| wrong(error.to_string()))
}

fn wrong(message: impl Into<String>) -> Error {
    Error::Cell(message.into())
}
