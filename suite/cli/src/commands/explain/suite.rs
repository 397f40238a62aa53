//! The page of a suite: its models and cells, their cost, and its file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::thread;

use haltbench_engine::forecast::forecast;
use haltbench_engine::plan::{self, ModelPlan, Suite};
use haltbench_engine::plugins::Catalogue;
use haltbench_engine::store::{RunFolder, State};

use super::ExplainArguments;
use super::page::{Page, property};
use crate::commands::run;
use crate::failure::Failure;
use crate::quantity::duration;

/// The page of the suite that `arguments` name.
///
/// # Errors
/// If its file is wrong or a plugin refuses its parameters.
pub fn page(arguments: &ExplainArguments, plugins: &[PathBuf], catalogue: &Catalogue) -> Result<Page, Failure> {
    let name = arguments.name.as_str();
    let built_in = plan::built_in().iter().find(|(suite, _)| *suite == name).map(|(_, text)| (*text).to_owned());
    let text = match &built_in {
        Some(text) => text.clone(),
        None => fs::read_to_string(name).map_err(|error| Failure::usage(format!("{name}: cannot be read: {error}")))?,
    };
    let file = plan::read(name, &arguments.overrides)?;
    let suite = plan::resolve(&file, catalogue, "cpu")?;
    run::rehearse(&suite, plugins, &|| None)?;
    let folder = RunFolder::new(&arguments.runs, &suite.name);
    let kind = if built_in.is_some() { "Built-in suite" } else { "Suite" };
    Ok(Page::new(&suite.name, kind, &file.description)
        .properties(&properties(&suite, &folder, catalogue)?)
        .section("Models", &models(&suite))
        .section("File", &format!("```toml\n{}\n```", text.trim_end())))
}

fn properties(suite: &Suite, run: &RunFolder, catalogue: &Catalogue) -> Result<Vec<[String; 2]>, Failure> {
    let done: BTreeSet<&str> = suite
        .models
        .iter()
        .map(|model| (model.id.as_str(), run.model(&model.id).status().state))
        .chain(suite.cells.iter().map(|cell| (cell.id.as_str(), run.cell(&cell.id).status().state)))
        .filter(|(_, state)| *state == State::Done)
        .map(|(id, _)| id)
        .collect();
    let is_due = |id: &str| !done.contains(id);
    // A model whose cells are all done need not be trained.
    let needed: BTreeSet<&str> =
        suite.cells.iter().filter(|cell| is_due(&cell.id)).map(|cell| cell.model.as_str()).collect();
    let models: BTreeSet<&str> = suite.models.iter().map(|model| model.id.as_str()).collect();
    let is_due = |id: &str| is_due(id) && (needed.contains(id) || !models.contains(id));
    let ahead = forecast(suite, catalogue, &is_due)?;
    let due = |count: usize, all: usize| if count == all { all.to_string() } else { format!("{all}, {count} to do") };
    let models = suite.models.iter().filter(|model| is_due(&model.id)).count();
    let cells = suite.cells.iter().filter(|cell| is_due(&cell.id)).count();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let time = match cells {
        0 => "none: everything is done".to_owned(),
        _ => format!(
            "about {} of {cores} cores, at {:.1e} operations a second, the rate of one training step here",
            duration(ahead.seconds()),
            ahead.rate
        ),
    };
    Ok(vec![
        property("models", due(models, suite.models.len())),
        property("cells", due(cells, suite.cells.len())),
        property("optimiser steps to do", ahead.steps.to_string()),
        property(
            "operations to do",
            format!("{} in training, {} in evaluation", operations(ahead.training), operations(ahead.evaluation)),
        ),
        property("time, every token at D", time),
    ])
}

fn operations(count: f64) -> String {
    if count == 0.0 { "none".to_owned() } else { format!("{count:.1e}") }
}

/// The models without their seeds: how each is trained, and the policies that are evaluated on it.
fn models(suite: &Suite) -> String {
    let mut order: Vec<String> = Vec::new();
    // Settings of one policy are counted.
    let mut cells: BTreeMap<String, Vec<(&str, usize)>> = BTreeMap::new();
    let seed = suite.models.first().map(|model| model.plan.seed);
    for cell in suite.cells.iter().filter(|cell| Some(cell.plan.model.seed) == seed) {
        let line = described(&cell.plan.model);
        if !order.contains(&line) {
            order.push(line.clone());
        }
        let families = cells.entry(line).or_default();
        match families.iter_mut().find(|(family, _)| *family == cell.family) {
            Some((_, count)) => *count += 1,
            None => families.push((&cell.family, 1)),
        }
    }
    let named = |(family, count): &(&str, usize)| match count {
        1 => (*family).to_owned(),
        count => format!("{family} with {count} settings"),
    };
    let line = |line: &String| format!("* {line}: {}\n", cells[line].iter().map(named).collect::<Vec<_>>().join(", "));
    format!(
        "For each seed, with the policies that are evaluated on them:\n\n{}",
        order.iter().map(line).collect::<String>()
    )
}

fn described(plan: &ModelPlan) -> String {
    let stages = plan.stages.iter().map(|stage| {
        format!(
            "{} steps, {}",
            stage.steps,
            stage
                .recipe
                .describe()
                .replace("all D steps", &counted(plan.max_depth, "step of the core", "steps of the core"))
        )
    });
    let parameters = |choice: &plan::Choice| {
        let values: Vec<String> =
            choice.parameters.values().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if values.is_empty() { choice.name.clone() } else { format!("{}({})", choice.name, values.join(",")) }
    };
    let start = match &plan.start {
        None => "",
        Some(plan::Start::Model(_)) => " from the weights of another model",
        Some(plan::Start::File { .. }) => " from the weights of a file",
    };
    let who = plan.policy.as_ref().map_or("backbone alone".to_owned(), parameters);
    format!(
        "{} · {} · {who} · {}{start}",
        plan.task.name,
        plan.backbone.name,
        stages.collect::<Vec<_>>().join("; then ")
    )
}

fn counted(number: usize, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}
