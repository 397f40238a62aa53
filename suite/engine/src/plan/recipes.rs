//! A policy's recipe: the declared one, with the keys that the suite overrides.

use std::collections::BTreeMap;

use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::policy::{PolicyDeclaration, Recipe, RecipeStage, Source};

use super::model::Stage;
use super::settings::check_steps;
use super::suite::{Named, RecipeChoice};
use super::wording;
use crate::error::{Error, Result};

/// Training stages of an entry's model; `steps` is the suite's `training.steps`.
pub(super) fn stages(
    entry: &Named,
    (declaration, parameters): (&PolicyDeclaration, &Parameters),
    named: &BTreeMap<String, toml::Table>,
    steps: u64,
) -> Result<Vec<Stage>> {
    let owner = format!("policy {}", entry.name);
    let keys = match &entry.recipe {
        None => toml::Table::new(),
        Some(RecipeChoice::Keys(keys)) => keys.clone(),
        Some(RecipeChoice::Name(name)) => {
            let known = named.keys().map(String::as_str);
            let unknown = || haltbench_sdk::Error::unknown(format!("recipe of {owner}"), name, known);
            named.get(name).cloned().ok_or_else(unknown)?
        }
    };
    if declaration.source == Source::DepthsAndModel || entry.of.is_some() && declaration.source == Source::Nothing {
        let given =
            [("recipe", entry.recipe.is_some()), ("stages", entry.stages.is_some()), ("start", entry.start.is_some())];
        if let Some((key, _)) = given.iter().find(|(_, given)| *given) {
            return Err(Error::Usage(format!(
                "{owner}: {key}: expected none, because its model is that of the policy named by `of`"
            )));
        }
    }
    let own = overlaid(&owner, "recipe", declaration, declaration.recipe, &keys)?;
    let Some(tables) = &entry.stages else {
        if entry.recipe.is_some() {
            return Ok(vec![Stage { steps, recipe: own }]);
        }
        let declared = declaration.stages(parameters).into_iter();
        let stage = |stage: RecipeStage| Stage {
            steps: ((stage.share * steps as f64).round() as u64).max(1),
            recipe: stage.recipe.canonical(),
        };
        return Ok(declared.map(stage).collect());
    };
    if tables.is_empty() {
        return Err(Error::Usage(format!("{owner}: stages: expected at least one, found none")));
    }
    let stage = |(place, table): (usize, &toml::Table)| {
        let mut keys = table.clone();
        let key = format!("stages[{place}]");
        let steps = match keys.remove("steps").map(|steps| steps.as_integer().and_then(|steps| steps.try_into().ok())) {
            None => steps,
            Some(Some(steps)) => steps,
            Some(None) => {
                let expected = "expected a whole number of at least 0";
                return Err(Error::Usage(format!("{owner}: {key}.steps: {expected}, found {}", table["steps"])));
            }
        };
        check_steps(&format!("{owner}: {key}.steps"), steps)?;
        Ok(Stage { steps, recipe: overlaid(&owner, &key, declaration, own, &keys)? })
    };
    let stages = tables.iter().enumerate().map(stage).collect::<Result<Vec<_>>>()?;
    // The policy takes part in all stages or in none; otherwise a cell could not know whether the model has the
    // policy's weights.
    let joint = stages.iter().filter(|stage| stage.recipe.uses_policy()).count();
    if joint > 0 && stages.last().is_some_and(|last| !last.recipe.uses_policy()) {
        return Err(Error::Usage(format!(
            "{owner}: stages: expected the policy to take part in the last one, found a recipe without it"
        )));
    }
    Ok(stages)
}

/// Checks all named recipes, used or not, for unknown keys and invalid values.
pub(super) fn check(named: &BTreeMap<String, toml::Table>) -> Result<()> {
    named.iter().try_for_each(|(name, table)| read(&format!("recipe.{name}"), Recipe::SAMPLED, table).map(|_| ()))
}

/// `base` with the keys of `table`; `key` is the path of the table, for messages.
fn read(key: &str, base: Recipe, table: &toml::Table) -> Result<Recipe> {
    const WORDS: [&str; 5] = ["loss", "step_weights", "unroll", "per", "trains"];
    if let Some((name, value)) = table.iter().find(|(name, value)| WORDS.contains(&name.as_str()) && !value.is_str()) {
        return Err(Error::Usage(format!("{key}.{name}: expected a text, found {value}")));
    }
    let unwritable = |error: toml::ser::Error| Error::Usage(format!("{key}: {error}"));
    let mut whole = toml::Table::try_from(base).map_err(unwritable)?;
    whole.extend(table.iter().map(|(name, value)| {
        // A whole number is accepted where a number is expected.
        let value = match (value, whole_is_real(name)) {
            (toml::Value::Integer(value), true) => toml::Value::Float(*value as f64),
            (value, _) => value.clone(),
        };
        (name.clone(), value)
    }));
    whole.try_into().map_err(|error| Error::Usage(format!("{key}: {}", wording::sentence(&error))))
}

/// `base` with the keys of `table`, checked against the policy.
fn overlaid(
    owner: &str,
    key: &str,
    declaration: &PolicyDeclaration,
    base: Recipe,
    table: &toml::Table,
) -> Result<Recipe> {
    if let Some(parameter) = declaration.parameters.iter().find(|spec| table.contains_key(spec.name)) {
        let what =
            if parameter.is_knob() { "a knob, which acts in evaluation alone" } else { "a parameter of the policy" };
        return Err(Error::Usage(format!(
            "{owner}: {key}: `{}` is {what}; write it beside the recipe",
            parameter.name
        )));
    }
    let recipe = read(&format!("{owner}: {key}"), base, table)?;
    if let Some((field, expected)) = recipe.fault() {
        return Err(Error::Usage(format!("{owner}: {key}.{field}: expected {expected}")));
    }
    if let Some(expected) = recipe.fault_of(declaration.kind) {
        return Err(Error::Usage(format!("{owner}: {key}: {expected}")));
    }
    Ok(recipe.canonical())
}

fn whole_is_real(key: &str) -> bool {
    ["ratio", "mean_depth", "sigma", "progressive"].contains(&key)
}
