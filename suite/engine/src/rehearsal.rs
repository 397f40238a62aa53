//! Rehearsal: builds the model of every plan before anything is trained, so that a size, parameter or combination that
//! a plugin refuses is reported at once. It runs in a process of its own, because plugin code may end the process.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use haltbench_sdk::candle_core::{DType, Device};
use haltbench_sdk::task::TaskSpec;
use haltbench_sdk::vocabulary::Vocabulary;
use serde::{Deserialize, Serialize};

use crate::data;
use crate::error::{Error, Result};
use crate::forecast;
use crate::model::{Model, POLICY_PREFIX};
use crate::panics;
use crate::plan::{CellPlan, Choice, Start, Suite, check_sizes};
use crate::plugins::Catalogue;
use crate::process::{self, Log, ParentDeath, Process};
use crate::worker::check_start;

/// Interval at which a rehearsal looks for a signal.
const PAUSE: Duration = Duration::from_millis(50);

/// Plans that may use up the limit. The rest is left to its workers: a suite with many cells of a plugin that hangs would
/// otherwise not begin for hours.
const MOST_SLOW: usize = 4;

/// A line that a rehearsing process prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RehearsalLine {
    /// The process is isolated, except for what this says.
    Open(Vec<String>),
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
    let mut specs = BTreeMap::new();
    for (number, trial) in trials.iter().enumerate() {
        say(&RehearsalLine::Begun(number));
        if let Err(error) = try_plan(trial, catalogue, &mut specs) {
            say(&RehearsalLine::Refused(Refusal { message: error.to_string(), status: error.exit_status() }));
            return;
        }
    }
    say(&RehearsalLine::Finished);
}

fn try_plan(trial: &Trial, catalogue: &Catalogue, specs: &mut BTreeMap<String, TaskSpec>) -> Result<()> {
    let plan = &trial.plan;
    let model = &plan.model;
    let key = format!("{:?} {:?}", model.task, plan.evaluation);
    let spec = match specs.entry(key) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(new) => new.insert(panics::caught(&model.task.name, || try_task(plan, catalogue))?),
    };
    let digits = spec.digits();
    let vocabulary = Vocabulary { size: spec.vocabulary.len(), digits: &digits };
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
            None if model.max_depth != plan.max_depth
                && trained.keys().any(|weight| weight.starts_with(POLICY_PREFIX)) =>
            {
                return Err(Error::Usage(format!(
                    "policy {name}: max_depth: expected {}, for which it was trained, found {}: there is no {weight} then",
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

/// Checks that the sizes belong to the lists they stand in; returns what the task is.
fn try_task(plan: &CellPlan, catalogue: &Catalogue) -> Result<TaskSpec> {
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
    Ok(task.spec().clone())
}

/// What stops a rehearsal, and who hears of a slow one.
pub struct Watch<'a> {
    /// The longest that the trial of one plan may take. A plan that takes longer is not refused: its worker has limits
    /// of its own.
    pub limit: Duration,
    /// The signal that asks to stop, if any.
    pub signal: &'a dyn Fn() -> Option<i32>,
    /// Called with each thing that isolated processes can do, because the system does not prevent it.
    pub open: &'a mut dyn FnMut(&str),
    /// Whether `open` has been called with all of them.
    pub is_told: bool,
    /// Called with the title of a plan that has used up a quarter of the limit.
    pub slow: &'a mut dyn FnMut(&str),
}

/// Rehearses the plans of `suite` in processes started by `command`. Each process reads plans as JSON and prints
/// [`RehearsalLine`]s. If one dies, or takes too long for a plan, the next process continues after this plan.
///
/// # Errors
/// If no process can be started, or [`Error::Interrupted`].
pub fn rehearse(suite: &Suite, command: &dyn Fn() -> Command, watch: &mut Watch) -> Result<Rehearsal> {
    let trials = distinct(suite);
    let mut deadly: Vec<(String, String)> = Vec::new();
    let (mut from, mut slow) = (0, 0);
    while from < trials.len() {
        if slow == MOST_SLOW {
            let how = format!(
                "was not started, because {MOST_SLOW} plans before it took too long; {} plans are left to their workers",
                trials.len() - from
            );
            deadly.push((trials[from].title.clone(), how));
            break;
        }
        let Attempt { last, how, is_slow } = attempt(&trials[from..], &mut command(), watch)?;
        slow += usize::from(is_slow);
        match last {
            Some(RehearsalLine::Finished) => break,
            Some(RehearsalLine::Refused(refusal)) => return Ok(Rehearsal::Refused(refusal)),
            Some(RehearsalLine::Begun(number)) => {
                let trial = trials.get(from + number).unwrap_or(&trials[from]);
                deadly.push((trial.title.clone(), how));
                from += number + 1;
            }
            Some(RehearsalLine::Open(_)) | None => {
                return Err(Error::Cell(format!("the plans cannot be tried: the process {how}")));
            }
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

/// What one process did.
struct Attempt {
    /// The last line that it printed.
    last: Option<RehearsalLine>,
    /// How it ended.
    how: String,
    /// Whether it was ended because a plan took too long.
    is_slow: bool,
}

fn attempt(trials: &[Trial], command: &mut Command, watch: &mut Watch) -> Result<Attempt> {
    let program = PathBuf::from(command.get_program());
    let text = serde_json::to_vec(trials).map_err(|error| Error::Usage(format!("plan: {error}")))?;
    let (sender, events) = sync_channel(64);
    // Output that is no rehearsal line comes from a plugin: it is ignored.
    let hear = move |event: process::Event| match event {
        process::Event::Line(line) => serde_json::from_slice(&line).is_ok_and(|line| sender.send(Ok(line)).is_ok()),
        process::Event::Ended(ending) => sender.send(Err(ending)).is_ok(),
    };
    let mut process = Process::start(command, ParentDeath::Kill, Log::none(), hear)
        .map_err(Error::file(&program, "cannot be started"))?;
    if let Some(mut input) = process.take_input() {
        // A process that does not read must not stop this one. If it is already gone, its exit status says so.
        thread::spawn(move || input.write_all(&text));
    }
    let mut last = None;
    let (mut since, mut is_slow) = (Instant::now(), false);
    loop {
        if let Some(number) = (watch.signal)() {
            return Err(Error::Interrupted(number));
        }
        match events.recv_timeout(PAUSE) {
            Ok(Ok(RehearsalLine::Open(missing))) => {
                // Every process of a rehearsal says the same.
                if !std::mem::replace(&mut watch.is_told, true) {
                    missing.iter().for_each(|what| (watch.open)(what));
                }
            }
            Ok(Ok(line)) => {
                last = Some(line);
                (since, is_slow) = (Instant::now(), false);
            }
            Ok(Err(ending)) => return Ok(Attempt { last, how: process::ended(ending.exit), is_slow: false }),
            Err(RecvTimeoutError::Disconnected) => {
                return Ok(Attempt { last, how: "ended".to_owned(), is_slow: false });
            }
            Err(RecvTimeoutError::Timeout) if since.elapsed() > watch.limit => {
                let how = format!("took longer than {} s and was ended", watch.limit.as_secs_f64());
                return Ok(Attempt { last, how, is_slow: true });
            }
            Err(RecvTimeoutError::Timeout) if since.elapsed() > watch.limit / 4 && !is_slow => {
                is_slow = true;
                if let Some(RehearsalLine::Begun(number)) = &last
                    && let Some(trial) = trials.get(*number)
                {
                    (watch.slow)(&trial.title);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}
