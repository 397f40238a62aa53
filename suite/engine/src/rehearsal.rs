//! Rehearsal: builds the model of every plan before anything is trained, so that a size, parameter or combination that
//! a plugin refuses is reported at once. It runs in a process of its own, because plugin code may end the process.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use haltbench_sdk::candle_core::{DType, Device};
use serde::{Deserialize, Serialize};

use crate::data;
use crate::error::{Error, Result};
use crate::forecast;
use crate::model::{Model, POLICY_PREFIX};
use crate::panics;
use crate::plan::{CellPlan, Choice, Start, Suite, check_sizes};
use crate::plugins::Catalogue;
use crate::scheduler::ended;
use crate::worker::check_start;

/// A line that a rehearsing process prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RehearsalLine {
    /// The plan of this index is about to be tried.
    Begun(usize),
    /// A plan was refused.
    Refused(Refusal),
    /// All plans were accepted.
    Finished,
}

/// Why a plan is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The error message.
    pub message: String,
    /// The exit status for this error.
    pub status: i32,
}

/// Result of a rehearsal.
#[derive(Debug, PartialEq, Eq)]
pub enum Rehearsal {
    /// A plan was refused.
    Refused(Refusal),
    /// No plan was refused. The listed plans ended the process that tried them, as (title, how it ended); their cells
    /// will report more.
    Admitted(Vec<(String, String)>),
}

/// A cell that is tried.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Trial {
    /// Title for messages.
    pub title: String,
    /// Whether it is evaluated on another policy's model.
    pub is_lent: bool,
    /// Its plan.
    pub plan: CellPlan,
}

/// Builds the task and the model of each plan, so that they can refuse their parameters, and reports to `say`.
pub fn perform(trials: &[Trial], catalogue: &Catalogue, say: &mut dyn FnMut(&RehearsalLine)) {
    let mut vocabularies: BTreeMap<String, usize> = BTreeMap::new();
    for (number, trial) in trials.iter().enumerate() {
        say(&RehearsalLine::Begun(number));
        if let Err(error) = try_plan(trial, catalogue, &mut vocabularies) {
            say(&RehearsalLine::Refused(Refusal { message: error.to_string(), status: error.exit_status() }));
            return;
        }
    }
    say(&RehearsalLine::Finished);
}

fn try_plan(trial: &Trial, catalogue: &Catalogue, vocabularies: &mut BTreeMap<String, usize>) -> Result<()> {
    let plan = &trial.plan;
    let model = &plan.model;
    let key = format!("{:?} {:?}", model.task, plan.evaluation);
    let vocabulary = match vocabularies.get(&key) {
        Some(vocabulary) => *vocabulary,
        None => {
            let vocabulary = panics::caught(&model.task.name, || try_task(plan, catalogue))?;
            vocabularies.insert(key, vocabulary);
            vocabulary
        }
    };
    let parameters = model.policy_parameters(catalogue)?;
    let trained = model.parts(catalogue, (&parameters, vocabulary), model.stages[0].recipe, None)?.weights()?;
    if let Some(Start::File { path, .. }) = &model.start {
        let parts = model.parts(catalogue, (&parameters, vocabulary), model.stages[0].recipe, None)?;
        let fresh = panics::caught(&model.backbone.name, || Model::new(parts, DType::F32, &Device::Cpu))?;
        check_start(path, &fresh.variables.weights()?)?;
    }
    let parts = plan.parts(catalogue, vocabulary, None)?;
    if parts.needs_calibration()? {
        plan.evaluation.check_calibration(&plan.policy.name)?;
    }
    let evaluated = parts.weights()?;
    panics::caught(&model.task.name, || forecast::check_memory(plan, catalogue))?;
    let name = &plan.policy.name;
    let owner = model.policy.as_ref().map(|policy| policy.name.as_str());
    for (weight, shape) in &evaluated {
        if let Some(owner) = owner.filter(|owner| owner != name && weight.starts_with(POLICY_PREFIX)) {
            return Err(Error::Usage(format!(
                "policy {name}: of: expected {name} itself or a policy without weights, because {name} has weights of its \
                 own ({weight}); found {owner}, whose weights are trained for {owner}"
            )));
        }
        match trained.get(weight) {
            Some(known) if known == shape => {}
            Some(known) => {
                return Err(Error::Usage(format!(
                    "policy {name}: max_depth: expected {}, for which it was trained, found {}: its weight {weight} has the \
                     shape {known:?} there and {shape:?} here",
                    model.max_depth, plan.max_depth
                )));
            }
            None => {
                let recipe = &model.stages[model.stages.len() - 1].recipe;
                return Err(Error::Usage(format!(
                    "policy {name}: {}: expected one that trains its weights, with loss = \"halted\" and unroll = \
                     \"policy\", or step_weights = \"policy\"; found {}, which trains no {weight}",
                    if trial.is_lent { "the recipe of the policy named by `of`" } else { "recipe" },
                    recipe.describe()
                )));
            }
        }
    }
    Ok(())
}

/// Checks that the sizes belong to the lists they stand in; returns the size of the task's vocabulary.
fn try_task(plan: &CellPlan, catalogue: &Catalogue) -> Result<usize> {
    let Choice { name, parameters } = &plan.model.task;
    let task = (catalogue.task(name)?.build)(parameters)?;
    let evaluation = &plan.evaluation;
    let given = [&evaluation.in_range, &evaluation.between, &evaluation.beyond];
    match &task.spec().size {
        Some(knob) => check_sizes(name, knob, evaluation)?,
        None if given.into_iter().flatten().flatten().count() > 0 => {
            return Err(Error::Usage(format!("evaluation: task {name} has no sizes to choose")));
        }
        None => {}
    }
    data::check_splits(task.as_ref(), name, evaluation)?;
    Ok(task.spec().vocabulary.len())
}

/// Rehearses the plans of `suite` in processes started by `command`. Each process reads plans as JSON and prints
/// [`RehearsalLine`]s. If one dies, the next process continues after the plan that ended it.
///
/// # Errors
/// If no process can be started.
pub fn rehearse(suite: &Suite, command: &dyn Fn() -> Command) -> Result<Rehearsal> {
    let trials = distinct(suite);
    let mut deadly: Vec<(String, String)> = Vec::new();
    let mut from = 0;
    while from < trials.len() {
        let (last, exit) = attempt(&trials[from..], &mut command())?;
        match last {
            Some(RehearsalLine::Finished) => break,
            Some(RehearsalLine::Refused(refusal)) => return Ok(Rehearsal::Refused(refusal)),
            Some(RehearsalLine::Begun(number)) => {
                let trial = trials.get(from + number).unwrap_or(&trials[from]);
                deadly.push((trial.title.clone(), ended(exit)));
                from += number + 1;
            }
            None => return Err(Error::Cell(format!("the plans cannot be tried: {}", ended(exit)))),
        }
    }
    Ok(Rehearsal::Admitted(deadly))
}

/// One cell for each group of cells that differ only in seed and source.
fn distinct(suite: &Suite) -> Vec<Trial> {
    let mut seen = BTreeSet::new();
    let mut trials = Vec::new();
    for cell in &suite.cells {
        let mut plan = cell.plan.clone();
        plan.source = None;
        (plan.model.source, plan.model.seed) = (None, 0);
        if let Some(Start::Model(id)) = &mut plan.model.start {
            id.clear();
        }
        if seen.insert(format!("{plan:?}")) {
            trials.push(Trial { title: cell.title(), is_lent: cell.of.is_some(), plan: cell.plan.clone() });
        }
    }
    trials
}

/// The last line that one process printed, and how it ended.
fn attempt(trials: &[Trial], command: &mut Command) -> Result<(Option<RehearsalLine>, ExitStatus)> {
    let program = PathBuf::from(command.get_program());
    let trials = serde_json::to_vec(trials).map_err(|error| Error::Usage(format!("plan: {error}")))?;
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(Error::file(&program, "cannot be started"))?;
    if let Some(mut input) = child.stdin.take() {
        // If the process is already gone, its exit status says so.
        let _ = input.write_all(&trials);
    }
    let lines =
        child.stdout.take().into_iter().flat_map(|lines| BufReader::new(lines).split(b'\n').map_while(Result::ok));
    // Output that is no rehearsal line comes from a plugin: ignore it.
    let last = lines.filter_map(|line| serde_json::from_slice(&line).ok()).last();
    let exit = child.wait().map_err(Error::file(&program, "cannot be waited for"))?;
    Ok((last, exit))
}
