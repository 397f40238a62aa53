//! Isolation of the processes that run plugins.

use std::path::{Path, PathBuf};

use haltbench_engine::isolation::Isolation;
use haltbench_engine::memory;
use haltbench_engine::plugins;

/// Isolates this process, which must have no other thread. It may read plugins, the files that `plan` names, and
/// `readable`; it may change `writable`. Returns what the system does not offer.
pub fn enter(
    plugin_files: &[PathBuf],
    plan: &serde_json::Value,
    readable: &[&Path],
    writable: &[&Path],
    device: &str,
) -> Vec<String> {
    let mut all: Vec<PathBuf> = readable.iter().map(|path| path.to_path_buf()).collect();
    all.extend(plugin_files.iter().cloned());
    all.extend(plugins::search_folders().into_iter().map(|folder| folder.path));
    named_in(plan, &mut all);
    // An accelerator's driver maps more addresses than there is memory.
    let memory = memory::limit().filter(|_| device == "cpu");
    let isolation =
        Isolation { readable: all, writable: writable.iter().map(|path| path.to_path_buf()).collect(), memory };
    isolation.enter()
}

/// Adds the files that a plan names: grammars, weights to start from.
fn named_in(plan: &serde_json::Value, found: &mut Vec<PathBuf>) {
    match plan {
        serde_json::Value::String(text) if text.len() < 4096 && Path::new(text).is_file() => found.push(text.into()),
        serde_json::Value::Array(values) => values.iter().for_each(|value| named_in(value, found)),
        serde_json::Value::Object(values) => values.values().for_each(|value| named_in(value, found)),
        _ => {}
    }
}
