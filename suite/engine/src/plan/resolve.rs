//! From a suite file to its cells: names are looked up, parameters resolved, grids expanded.

use std::collections::{BTreeMap, BTreeSet};

use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::{ParameterSpec, Parameters, Value};
use haltbench_sdk::policy::{PolicyDeclaration, PolicyKind, Role, Training};

use super::cell::{CellPlan, Choice, Source};
use super::suite::{Named, SuiteFile};
use crate::error::{Error, Result};
use crate::plugins::Catalogue;

/// A suite's cells, sources before those that read their depths.
#[derive(Debug, Clone)]
pub struct Suite {
    /// Name of the suite and of its folder of runs.
    pub name: String,
    /// The cells with their identifiers.
    pub cells: Vec<(String, CellPlan)>,
}

/// The version of [`CellPlan`]'s schema.
pub const PLAN_SCHEMA: u32 = 2;

/// Resolves a suite for `device` (`cpu` or `cuda:N`). Looks at declarations alone: nothing of a plugin runs.
///
/// # Errors
/// [`Error::Usage`] or [`Error::Contract`] naming the operand, what was expected and the nearest valid choice.
pub fn resolve(file: &SuiteFile, catalogue: &Catalogue, device: &str) -> Result<Suite> {
    file.recurrence.validate()?;
    file.training.validate()?;
    file.evaluation.validate()?;
    if file.name.is_empty() || file.name.contains(['/', '\\']) || file.name.starts_with('.') {
        return Err(Error::Usage(format!("name: expected a name that can be a folder's, found `{}`", file.name)));
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
    let tasks = choices(file.task.entries(), "task", |name| Ok(catalogue.task(name)?.parameters))?;
    let backbones = choices(file.backbone.entries(), "backbone", |name| Ok(catalogue.backbone(name)?.parameters))?;
    let policies = choices(file.policy.entries(), "policy", |name| Ok(catalogue.policy(name)?.parameters))?;
    for policy in &policies {
        check_halted(file, catalogue.policy(&policy.choice.name)?)?;
    }
    let device = if device == "cpu" { "cpu" } else { "cuda" };
    let mut cells: Vec<(String, CellPlan)> = Vec::new();
    let mut ids: BTreeSet<String> = BTreeSet::new();
    for (task, backbone) in tasks.iter().flat_map(|task| backbones.iter().map(move |backbone| (task, backbone))) {
        for seed in &file.seeds {
            let (readers, others): (Vec<&Labelled>, Vec<&Labelled>) = policies.iter().partition(|policy| {
                catalogue.policy(&policy.choice.name).is_ok_and(|policy| policy.training.has_source())
            });
            let mut siblings: BTreeMap<&str, (String, PolicyKind)> = BTreeMap::new();
            for policy in others.into_iter().chain(readers) {
                let source = source_of(policy, catalogue, &siblings)?;
                let plan = CellPlan {
                    schema: PLAN_SCHEMA,
                    label: policy.label.clone(),
                    seed: *seed,
                    device: device.to_owned(),
                    task: task.choice.clone(),
                    backbone: backbone.choice.clone(),
                    policy: policy.choice.clone(),
                    source,
                    recurrence: file.recurrence.clone(),
                    training: file.training.clone(),
                    evaluation: file.evaluation.clone(),
                };
                let id = plan.id()?;
                if !ids.insert(id.clone()) {
                    return Err(Error::Usage(format!("the suite names the cell {} twice", plan.title())));
                }
                siblings.insert(&policy.label, (id.clone(), catalogue.policy(&policy.choice.name)?.kind));
                cells.push((id, plan));
            }
        }
    }
    Ok(Suite { name: file.name.clone(), cells })
}

/// A choice with the label that reports use.
struct Labelled {
    label: String,
    choice: Choice,
    of: Option<String>,
}

fn choices(
    entries: &[Named],
    kind: &str,
    specs: impl Fn(&str) -> Result<&'static [ParameterSpec]>,
) -> Result<Vec<Labelled>> {
    let mut all = Vec::new();
    for entry in entries {
        let specs = specs(&entry.name)?;
        let label = entry.parameters.get("label").and_then(toml::Value::as_str);
        let mut grid: Vec<(Vec<String>, BTreeMap<String, Value>)> = vec![(Vec::new(), BTreeMap::new())];
        for (name, value) in entry.parameters.iter().filter(|(name, _)| *name != "label" || kind != "policy") {
            let values = match value {
                toml::Value::Array(values) => values.as_slice(),
                single => std::slice::from_ref(single),
            };
            if values.is_empty() {
                return Err(Error::Usage(format!(
                    "{kind} {}: {name}: expected at least one value, found []",
                    entry.name
                )));
            }
            let expand = |(words, given): &(Vec<String>, BTreeMap<String, Value>)| {
                let with = |value: &toml::Value| -> Result<_> {
                    let value = plain(&entry.name, name, value)?;
                    let mut words = words.clone();
                    if values.len() > 1 {
                        words.push(format!("{name}={value}"));
                    }
                    let mut given = given.clone();
                    given.insert(name.clone(), value);
                    Ok((words, given))
                };
                values.iter().map(with).collect::<Vec<_>>()
            };
            grid = grid.iter().flat_map(expand).collect::<Result<_>>()?;
        }
        for (words, given) in grid {
            let parameters = Parameters::resolve(&entry.name, specs, &given)?;
            let mut name = label.unwrap_or(&entry.name).to_owned();
            if let (Some(of), None) = (&entry.of, label) {
                name = format!("{name}:{of}");
            }
            if !words.is_empty() {
                name = format!("{name}({})", words.join(","));
            }
            if kind != "policy" && entry.of.is_some() {
                return Err(Error::Usage(format!("{kind} {}: `of` is a key of policies with a source", entry.name)));
            }
            let choice = Choice { name: entry.name.clone(), parameters };
            all.push(Labelled { label: name, choice, of: entry.of.clone() });
        }
    }
    Ok(all)
}

fn plain(owner: &str, name: &str, value: &toml::Value) -> Result<Value> {
    Ok(match value {
        toml::Value::Boolean(value) => Value::Flag(*value),
        toml::Value::Integer(value) => Value::Integer(*value),
        toml::Value::Float(value) => Value::Real(*value),
        toml::Value::String(value) => Value::Text(value.clone()),
        other => {
            return Err(Error::Usage(format!(
                "parameter `{name}` of {owner}: expected a number, a text or true or false, found {}",
                other.type_str()
            )));
        }
    })
}

fn source_of(
    policy: &Labelled,
    catalogue: &Catalogue,
    siblings: &BTreeMap<&str, (String, PolicyKind)>,
) -> Result<Option<Source>> {
    let has_source = catalogue.policy(&policy.choice.name)?.training.has_source();
    let name = &policy.choice.name;
    match (&policy.of, has_source) {
        (None, false) => Ok(None),
        (Some(_), false) => {
            Err(Error::Usage(format!("policy {name}: `of` given, but it reads no other policy's depths")))
        }
        (None, true) => Err(Error::Usage(format!("policy {name}: expected `of = \"a policy of this suite\"`"))),
        (Some(of), true) => match siblings.get(of.as_str()) {
            // The output of a soft policy is a mixture over steps: its weights are of no use at a single depth.
            Some((_, PolicyKind::Soft)) => Err(Error::Usage(format!(
                "policy {name}: of: expected a policy that reads out one step, found {of}, which mixes several (soft)"
            ))),
            Some((cell, _)) => Ok(Some(Source { cell: cell.clone(), label: of.clone() })),
            None => {
                Err(haltbench_sdk::Error::unknown(format!("source of {name}"), of, siblings.keys().copied()).into())
            }
        },
    }
}

/// Refuses `run-on` for policies whose training halts some tokens before others, before anything is trained: the unroll
/// of training keeps one state for each token, and a halted token that runs on has two.
fn check_halted(file: &SuiteFile, policy: &PolicyDeclaration) -> Result<()> {
    let option = &file.recurrence.halted_keys_values;
    let halts = matches!(policy.kind, PolicyKind::Early | PolicyKind::Online)
        && matches!(policy.training, Training::Sampled | Training::Matched);
    if !halts || policy.role == Role::FixedDepth || HaltedKeysValues::from_name(option)? != HaltedKeysValues::RunOn {
        return Ok(());
    }
    Err(Error::Usage(format!(
        "recurrence.halted_keys_values: expected freeze-state, latest-kv or skip to train policy {}, found {option}, \
         which is an option of evaluation",
        policy.name
    )))
}
