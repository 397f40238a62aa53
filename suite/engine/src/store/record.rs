//! What models and cells have in common once they are finished.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a folder records about its plan once it is finished, in `result.json`.
pub trait Record: Serialize + DeserializeOwned {
    /// What has such a record: `model` or `cell`, the name of the key that holds the identifier.
    const OF: &'static str;
    /// Version of its schema.
    const SCHEMA: u32;
    /// The plan that it is of.
    type Plan: Serialize + DeserializeOwned;

    /// Hashes of the folder's other files.
    fn files(&self) -> &BTreeMap<String, String>;
}
