//! `haltbench plugin list`: the plugins that are loaded, and what each provides.

use std::collections::BTreeMap;
use std::path::PathBuf;

use haltbench_engine::plugins::Catalogue;
use serde::Serialize;

use crate::failure::Failure;
use crate::{catalogue, output, sources, table};

/// List the plugins that are loaded: crate, version, hash of the code, file and names
#[derive(Debug, clap::Args)]
pub struct ListArguments {
    /// Print one JSON array of objects with the keys crate, version, code, file and names
    #[arg(long)]
    json: bool,
}

/// One library.
#[derive(Debug, Serialize)]
struct Plugin {
    #[serde(rename = "crate")]
    package: &'static str,
    version: &'static str,
    code: String,
    file: PathBuf,
    /// Kind and name of each item.
    names: Vec<String>,
}

/// Prints the list.
///
/// # Errors
/// If a plugin that was named is refused, or standard output cannot be written.
pub fn run(arguments: &ListArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    let plugins = libraries(&catalogue::load(&sources::prepare(plugins)?)?);
    output::report(&plugins, arguments.json, |plugins| {
        let row = |plugin: &Plugin| {
            let file = plugin.file.display().to_string();
            [plugin.package.to_owned(), plugin.version.to_owned(), plugin.code.clone(), file, plugin.names.join(", ")]
        };
        table::columns(&plugins.iter().map(row).collect::<Vec<_>>())
    })?;
    Ok(0)
}

fn libraries(catalogue: &Catalogue) -> Vec<Plugin> {
    let mut found: BTreeMap<_, Plugin> = BTreeMap::new();
    for entry in catalogue.entries() {
        let plugin = found.entry((entry.provider, &entry.file)).or_insert_with(|| Plugin {
            package: entry.provider,
            version: entry.version,
            code: entry.code.clone(),
            file: entry.file.clone(),
            names: Vec::new(),
        });
        plugin.names.push(format!("{} {}", entry.kind(), entry.name()));
    }
    found.into_values().collect()
}
