//! `haltbench explain`: the documentation page of one implementation, made from its declaration.

mod backbone;
mod page;
mod policy;
mod task;

use std::path::PathBuf;

use haltbench_engine::plan;
use haltbench_engine::plugins::Entry;
use haltbench_sdk::Error;
use haltbench_sdk::registry::Declaration;

use crate::catalogue;
use crate::failure::Failure;
use crate::output;

/// Explain a task, policy, backbone or built-in suite
///
/// Prints, as Markdown, what it computes, its parameters with defaults and ranges, its properties, worked examples and
/// its reference. All of that comes from the declaration in the plugin. Of a built-in suite the file is printed.
#[derive(Debug, clap::Args)]
pub struct ExplainArguments {
    /// Name as `haltbench list` shows it; where several kinds share a name, all are explained
    name: String,
}

/// Prints the pages.
///
/// # Errors
/// If nothing has this name.
pub fn run(arguments: &ExplainArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    let name = arguments.name.as_str();
    let catalogue = catalogue::load(plugins)?;
    let entries = catalogue.entries().filter(|entry| entry.name() == name);
    let mut pages = entries.map(explain).collect::<Result<Vec<_>, Failure>>()?;
    if let Some((name, text)) = plan::built_in().iter().find(|(suite, _)| *suite == name) {
        pages.push(suite(name, text)?);
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

fn explain(entry: &Entry) -> Result<String, Failure> {
    let page = match entry.declaration {
        Declaration::Task(declaration) => task::page(declaration)?,
        Declaration::Backbone(declaration) => backbone::page(declaration),
        Declaration::Policy(declaration) => policy::page(declaration),
    };
    Ok(page.section("Provided by", entry.provider).finish())
}

fn suite(name: &str, text: &str) -> Result<String, Failure> {
    let description = plan::read(name, &[])?.description;
    let page = page::Page::new(name, "Built-in suite", &description);
    Ok(page.section("File", &format!("```toml\n{}\n```", text.trim_end())).finish())
}
