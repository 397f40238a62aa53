//! The policies of a suite, with everything that does not depend on task, backbone and seed.

use std::collections::BTreeMap;

use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::policy::{PolicyDeclaration, Role};
use haltbench_sdk::visible::{is_hidden, on_one_line};

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
    /// The policy's declaration.
    pub declaration: &'static PolicyDeclaration,
    /// Index of its entry in the suite.
    pub entry: usize,
    /// Label in reports.
    pub label: String,
    /// The label without the values of swept knobs.
    pub family: String,
    /// Number of its sweep: policies of one sweep differ only in the values of knobs.
    pub sweep: usize,
    /// Label of the policy that `of` names.
    pub of: Option<String>,
    /// Weights that training starts from.
    pub start: Option<String>,
    /// The policy with all its parameters.
    pub choice: Choice,
    /// Steps a token may take at most, D.
    pub max_depth: usize,
    /// Keys and values of halted tokens.
    pub halted_keys_values: String,
    /// How its model is trained.
    pub stages: Vec<Stage>,
}

impl Contender {
    /// Labels of other policies that it refers to, with the keys `of` and `start`.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let start = self.start.as_deref().filter(|start| !is_file(start));
        [("of", self.of.as_deref()), ("start", start)].into_iter().filter_map(|(key, label)| Some((key, label?)))
    }

    /// Everything but the values of swept knobs, as text.
    fn without_knobs(&self) -> String {
        let is_swept =
            |name: &String| self.declaration.parameters.iter().any(|spec| spec.name == name && is_swept(spec));
        let kept: Vec<_> = self.choice.parameters.values().iter().filter(|(name, _)| !is_swept(name)).collect();
        let Self { family, choice, of, start, max_depth, halted_keys_values, stages, .. } = self;
        format!("{:?}", (family, &choice.name, kept, of, start, max_depth, halted_keys_values, stages))
    }
}

/// All policies of a suite, one for every combination of listed values.
pub(super) fn policies(file: &SuiteFile, catalogue: &Catalogue) -> Result<Vec<Contender>> {
    let expanded = expand(file.policy.entries(), "policy", |name| Ok(catalogue.policy(name)?.parameters))?;
    let mut all = Vec::new();
    for one in &expanded {
        all.extend(contenders(one, file, catalogue)?);
    }
    refuse_shared_labels(&all)?;
    let mut sweeps: BTreeMap<String, usize> = BTreeMap::new();
    let mut settings: Vec<usize> = Vec::new();
    for one in &mut all {
        one.sweep = *sweeps.entry(one.without_knobs()).or_insert(settings.len());
        match settings.get_mut(one.sweep) {
            Some(count) => *count += 1,
            None => settings.push(1),
        }
    }
    all.iter().try_for_each(|one| check_settings(one, settings[one.sweep], file.evaluation.calibration))?;
    Ok(all)
}

/// Refuses a label that two entries have: a reference to it, or an override, would mean either.
fn refuse_shared_labels(all: &[Contender]) -> Result<()> {
    let mut holders: BTreeMap<&str, usize> = BTreeMap::new();
    for one in all {
        for label in [&one.label, &one.family] {
            let first = *holders.entry(label).or_insert(one.entry);
            if first != one.entry {
                let (first, second) = (first + 1, one.entry + 1);
                return Err(Error::Usage(format!(
                    "policy {}: label: expected a label that no other policy has, found {label} for the policies {first} and \
                     {second} of the suite; give each a `label`",
                    one.choice.name
                )));
            }
        }
    }
    Ok(())
}

/// Refuses a policy with too many settings, or with several settings and no calibration instances.
fn check_settings(one: &Contender, settings: usize, calibration: usize) -> Result<()> {
    if settings == 1 || one.declaration.role != Role::Policy {
        return Ok(());
    }
    if settings > MOST_SETTINGS {
        return Err(Error::Usage(format!(
            "policy {}: expected at most {MOST_SETTINGS} settings of its knobs, found {settings}",
            one.family
        )));
    }
    if calibration == 0 {
        return Err(Error::Usage(format!(
            "evaluation.calibration: expected at least 1 instance of each size, because policy {} has {settings} settings of \
             its knobs to choose from, found 0",
            one.family
        )));
    }
    Ok(())
}

/// One contender for each number of steps and each option of halted keys and values.
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
    let label = match entry.parameters.get("label") {
        None => None,
        Some(toml::Value::String(label)) => Some(label.as_str()),
        Some(other) => return Err(Error::Usage(format!("{owner}: label: expected a text, found {other}"))),
    };
    label.map_or(Ok(()), |label| check_label(&owner, label))?;
    let base = match (&entry.of, label) {
        (Some(of), None) => format!("{}:{of}", entry.name),
        _ => label.unwrap_or(&entry.name).to_owned(),
    };
    let stages = recipes::stages(entry, (declaration, &one.choice.parameters), &file.recipe, file.training.steps)?;
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
            let label = named(&one.words);
            // Values out of lists are part of it.
            check_label(&owner, &label)?;
            all.push(Contender {
                declaration,
                entry: one.place,
                label,
                family: named(&one.family_words),
                sweep: 0,
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

/// Refuses a label that cannot be seen as a whole.
fn check_label(owner: &str, label: &str) -> Result<()> {
    let is_visible = !label.contains(is_hidden) && label.trim() == label && !label.is_empty();
    if is_visible {
        return Ok(());
    }
    let expected = "a text on one line, without spaces around it or characters that are not shown";
    Err(Error::Usage(format!("{owner}: label: expected {expected}, found \"{}\"", on_one_line(label))))
}

/// Whether `start` names a file, not a policy.
pub(super) fn is_file(start: &str) -> bool {
    start.ends_with(".safetensors")
}
