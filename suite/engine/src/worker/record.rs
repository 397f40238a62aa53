//! Shared records of models and cells: code, files, numbers of weights, time.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::time::{SystemTime, UNIX_EPOCH};

use haltbench_sdk::fingerprint;
use haltbench_sdk::initialise::Variables;

use crate::error::{Error, Result};
use crate::plugins::Catalogue;
use crate::store::{Folder, Record, Timings};

/// Number of weights by the first part of their names.
pub(super) fn weight_counts(variables: &Variables) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::from([("total".to_owned(), variables.parameters() as u64)]);
    for (name, variable) in variables.all() {
        let part = name.split('.').next().unwrap_or_default().to_owned();
        *counts.entry(part).or_default() += variable.elem_count() as u64;
    }
    counts
}

/// Compiler, candle, and the crates that provide `names`, given as (kind, name), with their versions and the hashes of
/// their code. Where their libraries lie is no part of a result, which is the same wherever it is computed.
pub(super) fn environment(catalogue: &Catalogue, names: &[(&'static str, &str)]) -> BTreeMap<String, String> {
    let mut environment: BTreeMap<String, String> = fingerprint::own_fields().into_iter().collect();
    for (kind, name) in names {
        if let Ok(entry) = catalogue.find(kind, name) {
            environment.insert(format!("{kind}_provider"), entry.provider.to_owned());
            environment.insert(format!("{kind}_version"), entry.version.to_owned());
            environment.insert(format!("{kind}_code"), entry.code.clone());
        }
    }
    environment
}

/// blake3 of each of the named files that exists.
pub(super) fn hashes<R: Record>(folder: &Folder<R>, names: &[&str]) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for name in names {
        let path = folder.file(name);
        match fs::read(&path) {
            Ok(bytes) => {
                files.insert((*name).to_owned(), blake3::hash(&bytes).to_hex().to_string());
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Error::file(&path, "cannot be read")(error)),
        }
    }
    Ok(files)
}

/// Records the time and the threads of this process.
pub(super) fn finished_now(timings: &mut Timings) {
    timings.threads = haltbench_sdk::candle_core::utils::get_num_threads();
    timings.finished_unix_seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
}
