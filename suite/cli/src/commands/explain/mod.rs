//! `haltbench explain`: the documentation page of one implementation, made from its declaration.

mod backbone;
mod json;
mod page;
mod policy;
mod suite;
mod task;

use std::path::{Path, PathBuf};

use haltbench_engine::plan;
use haltbench_engine::plugins::Entry;
use haltbench_sdk::Error;
use haltbench_sdk::registry::Declaration;

use crate::catalogue;
use crate::failure::Failure;
use crate::output;
use crate::sources;

/// Explain a task, policy, backbone or suite
///
/// Prints, as Markdown, what it computes, its parameters with defaults and ranges, its properties, worked examples and
/// its reference, all from the declaration in the plugin. For a suite, prints its models and cells, their cost, and the
/// file.
#[derive(Debug, clap::Args)]
pub struct ExplainArguments {
    /// Name as `haltbench list` shows it, path of a suite file, or name of a suite that was run; if several kinds share a name, all are explained
    name: String,
    /// Print the declarations as a JSON array; for policies with the shapes of their weights at the `sizes` in the
    /// output
    #[arg(long, conflicts_with = "overrides")]
    json: bool,
    /// Override a value of the suite file, such as training.steps=100
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Folder of all runs, to count models and cells that are already done
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
}

/// Prints the pages.
///
/// # Errors
/// If nothing has this name.
pub fn run(arguments: &ExplainArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    let name = arguments.name.as_str();
    let is_file = Path::new(name).is_file();
    let plugins = match is_file {
        true => &sources::with_those_of(&plan::read(name, &arguments.overrides)?, plugins)?,
        false => plugins,
    };
    let catalogue = catalogue::load(plugins)?;
    let entries = catalogue.entries().filter(|entry| entry.name() == name);
    if arguments.json {
        let documents = entries.map(json::document).collect::<Result<Vec<_>, Failure>>()?;
        if documents.is_empty() {
            let error = Error::unknown("task, policy or backbone", name, catalogue.entries().map(Entry::name));
            return Err(Failure::usage(error.to_string()));
        }
        let text = serde_json::to_string_pretty(&documents).map_err(|error| Failure::usage(error.to_string()))?;
        output::print(&format!("{text}\n"))?;
        return Ok(0);
    }
    let mut pages = entries.map(explain).collect::<Result<Vec<_>, Failure>>()?;
    if is_suite(arguments, pages.is_empty()) {
        pages.push(suite::page(arguments, plugins, &catalogue)?.finish());
    }
    if pages.is_empty() {
        let suites = plan::built_in().iter().map(|(name, _)| *name);
        let known = catalogue.entries().map(Entry::name).chain(suites);
        let error = Error::unknown("task, policy, backbone or suite", name, known);
        return Err(Failure::usage(format!("{error} (`haltbench list` shows all names)")));
    }
    output::print(&pages.join("\n"))?;
    Ok(0)
}

/// Whether a suite has this name: a built-in suite, a file or, if nothing else has the name, a finished run.
fn is_suite(arguments: &ExplainArguments, is_else_unknown: bool) -> bool {
    let name = arguments.name.as_str();
    let path = Path::new(name);
    let was_run = || arguments.runs.join(name).join(plan::RECORDED).is_file();
    let is_built_in = plan::built_in().iter().any(|(suite, _)| *suite == name);
    // A folder of a crate often has the name of its policy.
    is_built_in || (path.exists() && !path.is_dir()) || (is_else_unknown && (path.exists() || was_run()))
}

fn explain(entry: &Entry) -> Result<String, Failure> {
    let page = match entry.declaration {
        Declaration::Task(declaration) => task::page(declaration)?,
        Declaration::Backbone(declaration) => backbone::page(declaration),
        Declaration::Policy(declaration) => policy::page(declaration),
    };
    Ok(page.section("Provided by", entry.provider).finish())
}
