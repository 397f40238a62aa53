//! Names that distinguish the entries of a board, and the parameters worth showing.

use haltbench_engine::host::registrations;
use haltbench_engine::plan::Choice;
use haltbench_sdk::parameters::ParameterSpec;
use haltbench_sdk::registry::Declaration;

use crate::board::Implementation;

/// A task or backbone (`kind`) with the parameters that differ from their defaults.
pub(crate) fn implementation(kind: &str, choice: &Choice) -> Implementation {
    let specs = declared(kind, &choice.name);
    let values = choice.parameters.values();
    let changed = values.iter().filter(|(name, value)| {
        let default = specs.and_then(|specs| specs.iter().find(|spec| spec.name == *name)).map(ParameterSpec::default);
        default.as_ref() != Some(value)
    });
    Implementation {
        name: choice.name.clone(),
        changed: changed.map(|(name, _)| name.clone()).collect(),
        // Parameters are flags, finite numbers or texts, and JSON has all of these.
        parameters: values
            .iter()
            .map(|(name, value)| (name.clone(), serde_json::to_value(value).unwrap_or_default()))
            .collect(),
    }
}

/// The parameters that the implementation declares, if this process has registered it.
fn declared(kind: &str, name: &str) -> Option<&'static [ParameterSpec]> {
    registrations().into_iter().map(|entry| entry.declaration).find_map(|declaration| match declaration {
        Declaration::Task(task) if kind == "task" && task.name == name => Some(task.parameters),
        Declaration::Backbone(backbone) if kind == "backbone" && backbone.name == name => Some(backbone.parameters),
        _ => None,
    })
}

/// The role that the policy declares, if this process has registered it.
pub(crate) fn role(name: &str) -> Option<&'static str> {
    registrations().into_iter().find_map(|entry| match entry.declaration {
        Declaration::Policy(policy) if policy.name == name => Some(policy.role.name()),
        _ => None,
    })
}

/// Distinct names for several choices: the implementation's name, with the parameters whose values differ between
/// choices of the same name.
pub(crate) fn distinguished(choices: &[&Choice]) -> Vec<String> {
    let name = |choice: &&Choice| match differences(choice, choices) {
        words if words.is_empty() => choice.name.clone(),
        words => format!("{}({})", choice.name, words.join(",")),
    };
    choices.iter().map(name).collect()
}

/// Makes labels unique. Two policies of a suite may share a label if they differ only in a parameter that both set
/// explicitly.
pub(crate) fn unique_labels(rows: &[(&str, &Choice)]) -> Vec<String> {
    let unique = |(label, choice): &(&str, &Choice)| {
        let namesakes: Vec<&Choice> =
            rows.iter().filter(|(other, _)| other == label).map(|(_, other)| *other).collect();
        let mut words = differences(choice, &namesakes);
        if namesakes.iter().any(|other| other.name != choice.name) {
            words.insert(0, choice.name.clone());
        }
        if words.is_empty() { (*label).to_owned() } else { format!("{label} [{}]", words.join(",")) }
    };
    rows.iter().map(unique).collect()
}

/// `name=value` for the parameters of `choice` that differ from other choices of the same name.
fn differences(choice: &Choice, others: &[&Choice]) -> Vec<String> {
    let values = choice.parameters.values();
    let differs = |name: &String| {
        let others = others.iter().filter(|other| other.name == choice.name);
        others.map(|other| other.parameters.values().get(name)).any(|value| value != values.get(name))
    };
    values.iter().filter(|(name, _)| differs(name)).map(|(name, value)| format!("{name}={value}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use haltbench_sdk::parameters::{Parameters, Value};
    use haltbench_sdk::task::TaskDeclaration;

    use super::*;

    const DECLARATION: TaskDeclaration = TaskDeclaration {
        name: "registered",
        summary: "",
        documentation: "",
        reference: "",
        licence: "",
        parameters: SPECS,
        build: |_| Err(haltbench_sdk::Error::contract("registered", "is never built")),
    };

    haltbench_sdk::register_task!(DECLARATION);

    const SPECS: &[ParameterSpec] =
        &[ParameterSpec::integer("depth", 1, (1, 9), ""), ParameterSpec::real("gamma", 0.5, (0.0, 1.0), "")];

    fn choice(name: &str, depth: i64, gamma: f64) -> Choice {
        let given =
            BTreeMap::from([("depth".to_owned(), Value::Integer(depth)), ("gamma".to_owned(), Value::Real(gamma))]);
        Choice { name: name.to_owned(), parameters: Parameters::resolve(name, SPECS, &given).unwrap() }
    }

    #[test]
    fn names_only_what_differs() {
        let (one, two, other) = (choice("mano", 1, 0.5), choice("mano", 2, 0.5), choice("brevo", 3, 0.1));
        assert_eq!(distinguished(&[&one, &two, &other]), ["mano(depth=1)", "mano(depth=2)", "brevo"]);
        assert_eq!(distinguished(&[&one]), ["mano"]);
        let labels = unique_labels(&[("a", &one), ("a", &two), ("a", &other), ("b", &two)]);
        assert_eq!(labels, ["a [mano,depth=1]", "a [mano,depth=2]", "a [brevo]", "b"]);
    }

    #[test]
    fn parameters_at_declared_defaults_are_not_shown() {
        assert_eq!(implementation("task", &choice("registered", 2, 0.5)).changed, ["depth"]);
        assert_eq!(implementation("backbone", &choice("registered", 2, 0.5)).changed, ["depth", "gamma"]);
        assert_eq!(implementation("task", &choice("mano", 1, 0.5)).changed, ["depth", "gamma"]);
    }
}
