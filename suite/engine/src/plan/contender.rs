//! The policies of a suite, with everything that does not depend on task, backbone and seed.

use std::collections::BTreeMap;

use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::policy::{PolicyDeclaration, Role};

use super::choice::Choice;
use super::choices::{Expanded, MOST_SETTINGS, expand, is_swept};
use super::model::Stage;
use super::recipes;
use super::settings::check_depth;
use super::suite::SuiteFile;
use crate::error::{Error, Result};
use crate::plugins::Catalogue;

/// A policy of the suite with everything that does not depend on task, backbone and seed.
pub(super) struct Contender {
    /// What the policy declares.
    pub declaration: &'static PolicyDeclaration,
    /// How reports call it.
    pub label: String,
    /// The label without the values of swept knobs.
    pub family: String,
    /// Label of the policy that `of` names.
    pub of: Option<String>,
    /// What training starts from.
    pub start: Option<String>,
    /// The policy with all its parameters.
    pub choice: Choice,
    /// Steps a token may take at most, D.
    pub max_depth: usize,
    /// What halted tokens offer as keys and values.
    pub halted_keys_values: String,
    /// How its model is trained.
    pub stages: Vec<Stage>,
}

/// All policies of a suite, each once for every choice out of its lists.
pub(super) fn policies(file: &SuiteFile, catalogue: &Catalogue) -> Result<Vec<Contender>> {
    let expanded = expand(file.policy.entries(), "policy", |name| Ok(catalogue.policy(name)?.parameters))?;
    let mut all = Vec::new();
    for one in &expanded {
        all.extend(contenders(one, file, catalogue)?);
    }
    let mut families: BTreeMap<&str, Vec<&Contender>> = BTreeMap::new();
    all.iter().for_each(|one| families.entry(&one.family).or_default().push(one));
    for one in &all {
        let start = one.start.as_deref().filter(|start| !is_file(start));
        for (key, label) in [("of", one.of.as_deref()), ("start", start)] {
            let named = all.iter().filter(|other| Some(other.label.as_str()) == label).count();
            if named > 1 {
                let (name, label) = (&one.choice.name, label.unwrap_or_default());
                return Err(Error::Usage(format!(
                    "policy {name}: {key}: expected the label of one policy, found {label}, which {named} have; give each a \
                     `label`"
                )));
            }
        }
        let settings = families[one.family.as_str()].iter().filter(|other| is_setting(one, other)).count();
        if settings == 1 || one.declaration.role != Role::Policy {
            continue;
        }
        if settings > MOST_SETTINGS {
            return Err(Error::Usage(format!(
                "policy {}: expected at most {MOST_SETTINGS} settings of its knobs, found {settings}",
                one.family
            )));
        }
        if file.evaluation.calibration == 0 {
            return Err(Error::Usage(format!(
                "evaluation.calibration: expected at least 1 instance of each size, because policy {} has {settings} \
                 settings of its knobs to choose from, found 0",
                one.family
            )));
        }
    }
    Ok(all)
}

/// Whether two policies differ in the values of knobs at most.
fn is_setting(one: &Contender, other: &Contender) -> bool {
    one.family == other.family
        && one.choice.name == other.choice.name
        && (&one.of, &one.start, &one.stages) == (&other.of, &other.start, &other.stages)
        && (one.max_depth, &one.halted_keys_values) == (other.max_depth, &other.halted_keys_values)
        && others_equal(&one.choice.parameters, &other.choice.parameters, &knobs(one.declaration))
}

/// Names of the knobs whose values are settings to choose from.
pub(super) fn knobs(declaration: &PolicyDeclaration) -> Vec<&'static str> {
    declaration.parameters.iter().filter(|spec| is_swept(spec)).map(|spec| spec.name).collect()
}

/// The choice once for each number of steps and each option of halted keys and values.
fn contenders(one: &Expanded, file: &SuiteFile, catalogue: &Catalogue) -> Result<Vec<Contender>> {
    let entry = one.entry;
    let declaration = catalogue.policy(&one.choice.name)?;
    let owner = format!("policy {}", entry.name);
    let depths: &[usize] = match entry.max_depth.as_ref().or(file.evaluation.max_depth.as_ref()) {
        Some(depths) => depths.values(),
        None => std::slice::from_ref(&file.recurrence.max_depth),
    };
    let options: &[String] = match &entry.halted_keys_values {
        Some(options) => options.values(),
        None => std::slice::from_ref(&file.recurrence.halted_keys_values),
    };
    for (key, empty) in [("max_depth", depths.is_empty()), ("halted_keys_values", options.is_empty())] {
        if empty {
            return Err(Error::Usage(format!("{owner}: {key}: expected at least one value, found []")));
        }
    }
    depths.iter().try_for_each(|depth| check_depth(&format!("{owner}: max_depth"), *depth))?;
    let label = entry.parameters.get("label").and_then(toml::Value::as_str);
    if label.is_some_and(|label| label.trim().is_empty() || label.contains(char::is_control)) {
        let found = label.unwrap_or_default();
        return Err(Error::Usage(format!("{owner}: label: expected a text on one line, found {found:?}")));
    }
    let base = match (&entry.of, label) {
        (Some(of), None) => format!("{}:{of}", entry.name),
        _ => label.unwrap_or(&entry.name).to_owned(),
    };
    let stages = recipes::stages(entry, declaration, &file.recipe, file.training.steps)?;
    let mut all = Vec::new();
    for max_depth in depths {
        for option in options {
            HaltedKeysValues::from_name(option)?;
            let mut more = Vec::new();
            if depths.len() > 1 {
                more.push(format!("max_depth={max_depth}"));
            }
            if options.len() > 1 {
                more.push(format!("halted_keys_values={option}"));
            }
            let named = |words: &[String]| {
                let words: Vec<&str> = words.iter().chain(&more).map(String::as_str).collect();
                if words.is_empty() { base.clone() } else { format!("{base}({})", words.join(",")) }
            };
            all.push(Contender {
                declaration,
                label: named(&one.words),
                family: named(&one.family_words),
                of: entry.of.clone(),
                start: entry.start.clone(),
                choice: one.choice.clone(),
                max_depth: *max_depth,
                halted_keys_values: option.clone(),
                stages: stages.clone(),
            });
        }
    }
    Ok(all)
}

/// Whether all parameters but `knobs` are equal.
pub(super) fn others_equal(own: &Parameters, others: &Parameters, knobs: &[&str]) -> bool {
    let rest = |parameters: &Parameters| -> Parameters {
        let kept = parameters.values().iter().filter(|(name, _)| !knobs.contains(&name.as_str()));
        kept.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    rest(own) == rest(others)
}

/// Whether `start` names a file and no policy.
pub(super) fn is_file(start: &str) -> bool {
    start.ends_with(".safetensors")
}
