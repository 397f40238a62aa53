//! Shared by finished models and cells.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The content of `result.json` in a finished folder.
pub trait Record: Serialize + DeserializeOwned {
    /// `model` or `cell`: also the key that holds the identifier.
    const OF: &'static str;
    /// Version of its schema.
    const SCHEMA: u32;
    /// The type of its plan.
    type Plan: Serialize + DeserializeOwned;

    /// Hashes of the folder's other files.
    fn files(&self) -> &BTreeMap<String, String>;
}
