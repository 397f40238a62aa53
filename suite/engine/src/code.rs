//! Hashes of this program's code. They are part of every identifier, so that changed code never reuses an old result.

use haltbench_sdk::fingerprint;

/// Hash of the sources that training runs through.
pub const TRAINING: &str = env!("HALTBENCH_TRAINING");

/// Hash of the sources that an evaluation and its measures run through.
pub const ENGINE: &str = env!("HALTBENCH_EVALUATION");

/// Hash of the SDK's sources.
pub fn sdk() -> String {
    let fields = fingerprint::own_fields();
    fields.into_iter().find(|(name, _)| name == "sdk").map(|(_, value)| value).unwrap_or_default()
}
