//! From a suite file to its models and cells: names are looked up, parameters resolved, grids expanded.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::{Effect, Parameters};
use haltbench_sdk::policy::{LossAt, PolicyDeclaration, PolicyKind, Recipe, Source, Unroll};
use haltbench_sdk::visible::{is_hidden, on_one_line};

use super::cell::{CellPlan, PLAN_SCHEMA};
use super::choice::Choice;
use super::choices::expand;
use super::contender::{Contender, is_file, policies};
use super::model::{MODEL_SCHEMA, ModelPlan, Stage, Start};
use super::recipes;
use super::suite::{SuiteFile, is_folder_name};
use crate::error::{Error, Result};
use crate::files;
use crate::plugins::Catalogue;
use crate::safetensors_header;

/// A model of a suite.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Identifier.
    pub id: String,
    /// Title in reports: task, backbone, the first policy that is evaluated on it, and seed.
    pub title: String,
    /// Its plan.
    pub plan: ModelPlan,
}

/// A cell of a suite.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Identifier.
    pub id: String,
    /// Identifier of its model.
    pub model: String,
    /// Label of the policy in reports: its name, with the parameters that distinguish it from its siblings.
    pub label: String,
    /// The label without the values of swept knobs: cells of one family are settings of one policy.
    pub family: String,
    /// Number of its sweep: a leaderboard shows one setting of each sweep.
    pub sweep: usize,
    /// Label of the policy that `of` names.
    pub of: Option<String>,
    /// Options of halted keys and values that the policy's training covers.
    pub fits: Vec<String>,
    /// Its plan.
    pub plan: CellPlan,
}

impl Cell {
    /// Title in reports: task, backbone, policy and seed.
    pub fn title(&self) -> String {
        title(&self.plan.model, &self.label)
    }
}

fn title(model: &ModelPlan, label: &str) -> String {
    format!("{} · {} · {label} · seed {}", model.task.name, model.backbone.name, model.seed)
}

/// A suite's models and cells. A model comes before models that start from it, a source before cells that read its
/// depths.
#[derive(Debug, Clone)]
pub struct Suite {
    /// Name of the suite and of its folder of runs.
    pub name: String,
    /// The suite file, with all overrides applied.
    pub source: String,
    /// What may not be meant, one sentence each.
    pub warnings: Vec<String>,
    /// The models, each once.
    pub models: Vec<Model>,
    /// The cells.
    pub cells: Vec<Cell>,
}

/// The name of the folder that holds the models of all suites.
pub const MODELS: &str = "models";

/// Resolves a suite for `device` (`cpu` or `cuda:N`). Reads only declarations: no plugin code runs.
///
/// # Errors
/// [`Error::Usage`] or [`Error::Contract`] naming the operand, what was expected and the nearest valid choice.
pub fn resolve(file: &SuiteFile, catalogue: &Catalogue, device: &str) -> Result<Suite> {
    check(file)?;
    let tasks = expand(file.task.entries(), "task", |name| Ok(catalogue.task(name)?.parameters))?;
    let backbones = expand(file.backbone.entries(), "backbone", |name| Ok(catalogue.backbone(name)?.parameters))?;
    let policies = policies(file, catalogue)?;
    let device = if device == "cpu" { "cpu" } else { "cuda" };
    let cells = [tasks.len(), backbones.len(), policies.len(), file.seeds.len()].into_iter().product::<usize>();
    if cells > MOST_CELLS {
        let counts = format!(
            "{} tasks, {} backbones, {} policies, {} seeds",
            tasks.len(),
            backbones.len(),
            policies.len(),
            file.seeds.len()
        );
        return Err(Error::Usage(format!("the suite: expected at most {MOST_CELLS} cells, found {cells} ({counts})")));
    }
    let mut suite = Suite {
        name: file.name.clone(),
        source: file.source.clone(),
        warnings: Vec::new(),
        models: Vec::new(),
        cells: Vec::new(),
    };
    let mut ids = Ids::default();
    for (task, backbone) in tasks.iter().flat_map(|task| backbones.iter().map(move |backbone| (task, backbone))) {
        for seed in &file.seeds {
            let at = Place { file, catalogue, device, task: &task.choice, backbone: &backbone.choice, seed: *seed };
            at.expand(&policies, &mut suite, &mut ids)?;
        }
    }
    suite.warnings = warnings(file, &policies);
    Ok(suite)
}

/// Most bytes of a file of weights that training starts from.
const LARGEST_START: u64 = 1 << 36;

/// Most cells of a suite.
const MOST_CELLS: usize = 100_000;

/// A warm-up that does not end.
fn warnings(file: &SuiteFile, policies: &[Contender]) -> Vec<String> {
    let warmup = file.training.warmup_steps;
    let shortest = policies.iter().flat_map(|policy| &policy.stages).map(|stage| stage.steps).min();
    let short = shortest.filter(|steps| warmup > *steps && *steps > 0);
    let line = |steps: u64| {
        format!(
            "training.warmup_steps is {warmup}, but a stage of training has {steps} steps: its learning rate ends at {:.3} of \
             training.learning_rate",
            steps as f64 / warmup as f64
        )
    };
    short.into_iter().map(line).collect()
}

#[derive(Default)]
struct Ids {
    models: BTreeSet<String>,
    cells: BTreeSet<String>,
}

fn check(file: &SuiteFile) -> Result<()> {
    file.recurrence.validate()?;
    file.training.validate()?;
    file.evaluation.validate()?;
    recipes::check(&file.recipe)?;
    let name = file.name.as_str();
    if !is_folder_name(name) || name == MODELS {
        let found = on_one_line(name);
        return Err(Error::Usage(format!(
            "name: expected a name that can be a folder's and is not `{MODELS}`, found `{found}`"
        )));
    }
    if file.description.contains(is_hidden) {
        let found = on_one_line(&file.description);
        return Err(Error::Usage(format!("description: expected a text on one line, found \"{found}\"")));
    }
    for (key, empty) in [
        ("seeds", file.seeds.is_empty()),
        ("task", file.task.entries().is_empty()),
        ("backbone", file.backbone.entries().is_empty()),
        ("policy", file.policy.entries().is_empty()),
    ] {
        if empty {
            return Err(Error::Usage(format!("{key}: expected at least one, found none")));
        }
    }
    Ok(())
}

/// A task, a backbone and a seed of the suite.
struct Place<'a> {
    file: &'a SuiteFile,
    catalogue: &'a Catalogue,
    device: &'a str,
    task: &'a Choice,
    backbone: &'a Choice,
    seed: u64,
}

/// What other policies need to know of a resolved policy.
struct Sibling {
    cell: String,
    model: ModelPlan,
    kind: PolicyKind,
    source: Source,
    /// Whether it represents all settings of a policy, which share a model but have different depths.
    is_family: bool,
}

impl Place<'_> {
    /// The cells of all policies. A policy that refers to another waits until that one is resolved.
    fn expand(&self, policies: &[Contender], suite: &mut Suite, ids: &mut Ids) -> Result<()> {
        let mut siblings: BTreeMap<&str, Sibling> = BTreeMap::new();
        let mut waiting: Vec<&Contender> = policies.iter().collect();
        while !waiting.is_empty() {
            let (ready, rest): (Vec<&Contender>, Vec<&Contender>) =
                waiting.iter().partition(|policy| policy.named().all(|(_, label)| siblings.contains_key(label)));
            if let ([], [first, ..]) = (ready.as_slice(), rest.as_slice()) {
                return Err(self.unresolved(first, &rest, &siblings));
            }
            for policy in &ready {
                let (cell, model) = self.plan(policy, &siblings)?;
                let (id, model_id) = (cell.id()?, model.id()?);
                if !ids.cells.insert(id.clone()) {
                    return Err(Error::Usage(format!(
                        "the suite names the cell {} twice",
                        title(&model, &policy.label)
                    )));
                }
                if ids.models.insert(model_id.clone()) {
                    let title = title(&model, &policy.family);
                    suite.models.push(Model { id: model_id.clone(), title, plan: model.clone() });
                }
                let PolicyDeclaration { kind, source, .. } = *policy.declaration;
                let sibling = |is_family| Sibling { cell: id.clone(), model: model.clone(), kind, source, is_family };
                // All settings of a policy share one model; the label without settings refers to it.
                if policy.family != policy.label {
                    siblings.entry(&policy.family).or_insert_with(|| sibling(true));
                }
                siblings.insert(&policy.label, sibling(false));
                suite.cells.push(Cell {
                    id,
                    model: model_id,
                    label: policy.label.clone(),
                    family: policy.family.clone(),
                    sweep: policy.sweep,
                    of: policy.of.clone(),
                    fits: fits(policy.declaration, &model),
                    plan: cell,
                });
            }
            waiting = rest;
        }
        Ok(())
    }

    /// The error if no waiting policy can be planned: the first one refers to an unknown label, or to a policy that
    /// waits too.
    fn unresolved(&self, policy: &Contender, waiting: &[&Contender], siblings: &BTreeMap<&str, Sibling>) -> Error {
        let name = &policy.choice.name;
        let missing = policy.named().find(|(_, label)| !siblings.contains_key(label));
        let (key, label) = missing.unwrap_or(("of", ""));
        let siblings_of_it: Vec<&str> = settings_of(label, siblings, waiting);
        if siblings_of_it.len() > 1 {
            return Error::Usage(format!(
                "policy {name}: {key}: expected the label of one policy, found {label}, which {} have: {}",
                siblings_of_it.len(),
                siblings_of_it.join(", ")
            ));
        }
        if waiting.iter().any(|other| other.label == label) {
            return Error::Usage(format!(
                "policy {name}: {key}: expected a policy that does not wait for {}, found {label}, which does",
                policy.label
            ));
        }
        let what = match key {
            "of" => "policy of this suite",
            _ => "policy of this suite, or .safetensors file,",
        };
        let unknown = haltbench_sdk::Error::unknown(what, label, siblings.keys().copied());
        Error::Usage(format!("policy {name}: {key}: {unknown}"))
    }

    fn plan(&self, policy: &Contender, siblings: &BTreeMap<&str, Sibling>) -> Result<(CellPlan, ModelPlan)> {
        let source = self.source(policy, siblings)?;
        let reads = policy.declaration.source.has_depths();
        let cell = source.filter(|_| reads).map(|source| source.cell.clone());
        let model = match (source, policy.declaration.source) {
            (Some(source), Source::Nothing | Source::DepthsAndModel) => source.model.clone(),
            _ => self.model(policy, cell.clone(), siblings)?,
        };
        let mut code = self.code([("policy", policy.choice.name.as_str())])?;
        code.insert("engine".to_owned(), crate::code::ENGINE.to_owned());
        let plan = CellPlan {
            schema: PLAN_SCHEMA,
            max_depth: policy.max_depth,
            halted_keys_values: policy.halted_keys_values.clone(),
            source: cell,
            code,
            policy: policy.choice.clone(),
            evaluation: super::settings::Evaluation { max_depth: None, ..self.file.evaluation.clone() },
            model: model.clone(),
        };
        Ok((plan, model))
    }

    /// The policy that `of` names.
    fn source<'s>(&self, policy: &Contender, siblings: &'s BTreeMap<&str, Sibling>) -> Result<Option<&'s Sibling>> {
        let name = &policy.choice.name;
        let Some(of) = &policy.of else {
            return match policy.declaration.source.has_depths() {
                true => Err(Error::Usage(format!("policy {name}: expected `of = \"a policy of this suite\"`"))),
                false => Ok(None),
            };
        };
        match siblings.get(of.as_str()) {
            // The output of a soft policy is a mixture over steps, so its model was not trained to be read at a single
            // depth.
            Some(Sibling { kind: PolicyKind::Soft, .. }) => Err(Error::Usage(format!(
                "policy {name}: of: expected a policy that reads out one step, found {of}, which mixes several (soft)"
            ))),
            Some(Sibling { source: Source::DepthsAndModel, .. }) if policy.declaration.source.has_depths() => {
                Err(Error::Usage(format!(
                    "policy {name}: of: expected a policy that decides itself, found {of}, which repeats another policy's depths"
                )))
            }
            Some(Sibling { is_family: true, .. }) if policy.declaration.source.has_depths() => {
                let all = settings_of(of, siblings, &[]).join(", ");
                Err(Error::Usage(format!(
                    "policy {name}: of: expected one setting of its knobs, because each has depths of its own, found {of}, \
                     which is {all}"
                )))
            }
            source => Ok(source),
        }
    }

    /// The model that the policy's recipe trains.
    fn model(
        &self,
        policy: &Contender,
        source: Option<String>,
        siblings: &BTreeMap<&str, Sibling>,
    ) -> Result<ModelPlan> {
        let (file, declaration) = (self.file, policy.declaration);
        let mut stages = policy.stages.clone();
        let mut max_depth = file.recurrence.max_depth;
        // Every token takes the same number of steps: the loss is at the last step, and the model does not depend on
        // the policy.
        if let Some(depth) = constant_depth(policy, max_depth)? {
            for stage in &mut stages {
                if stage.recipe.unroll == Unroll::Policy {
                    stage.recipe = Recipe { loss: LossAt::Last, unroll: Unroll::Full, ..stage.recipe };
                    max_depth = depth;
                }
            }
        }
        let takes_part = stages.iter().any(|stage| stage.recipe.uses_policy());
        let trained = policy.choice.parameters.values().iter().filter(|(name, _)| {
            declaration.parameters.iter().any(|spec| spec.name == name.as_str() && !spec.is_knob())
        });
        let parameters: Parameters = trained.map(|(name, value)| (name.clone(), value.clone())).collect();
        let chosen = takes_part.then(|| Choice { name: policy.choice.name.clone(), parameters });
        let mut names = vec![("task", self.task.name.as_str()), ("backbone", self.backbone.name.as_str())];
        names.extend(chosen.iter().map(|policy| ("policy", policy.name.as_str())));
        let mut code = self.code(names)?;
        code.insert("training".to_owned(), crate::code::TRAINING.to_owned());
        let mut training = file.training.clone();
        training.steps = stages.iter().map(|stage| stage.steps).sum();
        Ok(ModelPlan {
            schema: MODEL_SCHEMA,
            seed: self.seed,
            device: self.device.to_owned(),
            max_depth,
            halted_keys_values: halted_in_training(&file.recurrence.halted_keys_values, declaration, &stages)?,
            source: source.filter(|_| takes_part),
            start: self.start(policy, siblings)?,
            code,
            task: self.task.clone(),
            backbone: self.backbone.clone(),
            policy: chosen,
            training,
            stages,
        })
    }

    fn start(&self, policy: &Contender, siblings: &BTreeMap<&str, Sibling>) -> Result<Option<Start>> {
        let Some(start) = &policy.start else { return Ok(None) };
        if is_file(start) {
            let path = PathBuf::from(start);
            let unreadable = || Error::file(&path, "cannot be read");
            safetensors_header::check(files::open(&path).map_err(unreadable())?.0, &path)?;
            let bytes = files::read(&path, LARGEST_START).map_err(unreadable())?;
            let path = std::path::absolute(&path).map_err(Error::file(&path, "cannot be found"))?;
            return Ok(Some(Start::File { hash: blake3::hash(&bytes).to_hex().to_string(), path }));
        }
        siblings.get(start.as_str()).map(|sibling| Ok(Start::Model(sibling.model.id()?))).transpose()
    }

    /// Hashes of the SDK and of the libraries that provide `names`.
    fn code<'n>(&self, names: impl IntoIterator<Item = (&'static str, &'n str)>) -> Result<BTreeMap<String, String>> {
        let mut code = BTreeMap::from([("sdk".to_owned(), crate::code::sdk())]);
        for (kind, name) in names {
            code.insert(kind.to_owned(), self.catalogue.find(kind, name)?.code.clone());
        }
        Ok(code)
    }
}

/// The labels of the policies that one entry's lists stand for, if `label` is the entry's without the listed values.
fn settings_of<'l>(label: &str, siblings: &BTreeMap<&'l str, Sibling>, waiting: &[&'l Contender]) -> Vec<&'l str> {
    let known = siblings.iter().filter(|(_, sibling)| !sibling.is_family).map(|(one, _)| *one);
    let all = known.chain(waiting.iter().map(|policy| policy.label.as_str()));
    all.filter(|one| one.strip_prefix(label).is_some_and(|values| values.starts_with('('))).collect()
}

/// The number of steps of every token, for a policy with a parameter of
/// [`Effect::Depth`](haltbench_sdk::parameters::Effect::Depth).
fn constant_depth(policy: &Contender, max_depth: usize) -> Result<Option<usize>> {
    let Some(spec) = policy.declaration.parameters.iter().find(|spec| spec.effect == Effect::Depth) else {
        return Ok(None);
    };
    let depth = policy.choice.parameters.integer(spec.name)?;
    if policy.of.is_none() && depth > max_depth {
        let expected = format!("a whole number from 1 to recurrence.max_depth = {max_depth}");
        let name = format!("parameter `{}` of {}", spec.name, policy.choice.name);
        return Err(haltbench_sdk::Error::invalid(name, expected, depth).into());
    }
    Ok(Some(depth))
}

/// Options of halted keys and values that a policy's training covers: the declared ones, or the option that its model
/// was trained with. A model trained without halting has seen every token run on.
fn fits(declaration: &PolicyDeclaration, model: &ModelPlan) -> Vec<String> {
    match declaration.fits {
        [] => vec![model.halted_keys_values.clone().unwrap_or_else(|| HaltedKeysValues::RunOn.name().to_owned())],
        declared => declared.iter().map(|option| option.name().to_owned()).collect(),
    }
}

/// Keys and values of halted tokens in training, if some tokens halt before others. `run-on` is available in evaluation
/// only: it needs two states for each halted token, and the training unroll keeps one.
fn halted_in_training(option: &str, declaration: &PolicyDeclaration, stages: &[Stage]) -> Result<Option<String>> {
    if !stages.iter().any(|stage| stage.recipe.halts()) {
        return Ok(None);
    }
    let halts = matches!(declaration.kind, PolicyKind::Early | PolicyKind::Online);
    let runs_on = HaltedKeysValues::from_name(option)? == HaltedKeysValues::RunOn;
    Ok(Some(if halts && runs_on { "freeze-state".to_owned() } else { option.to_owned() }))
}
