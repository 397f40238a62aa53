//! Shared by all plans: implementations with their parameters, and the identifier of a plan's text.

use haltbench_sdk::parameters::Parameters;
use serde::{Deserialize, Serialize};

/// An implementation with its resolved parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Name of the implementation.
    pub name: String,
    /// All parameters.
    pub parameters: Parameters,
}

/// The identifier of a plan with this text.
pub(super) fn identifier(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
}
