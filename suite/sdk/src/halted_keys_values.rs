//! The options of what a halted token offers.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::names::nearest;

/// What a halted token offers as keys and values to tokens that still run; an option of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HaltedKeysValues {
    /// Keys and values projected from its frozen state h(d*) in every layer; with one core layer, this is the paper's
    /// training unroll. Costs one more projection when a token halts.
    #[default]
    FreezeState,
    /// The keys and values that each layer projected in the token's last executed step.
    LatestKv,
    /// Nothing: later steps do not attend to halted tokens.
    Skip,
    /// The token takes all steps, so that its keys and values keep changing; only its output is frozen. Saves no
    /// computation.
    RunOn,
}

impl HaltedKeysValues {
    /// All options with their names in suite files.
    pub const ALL: [(&'static str, Self); 4] = [
        ("freeze-state", Self::FreezeState),
        ("latest-kv", Self::LatestKv),
        ("skip", Self::Skip),
        ("run-on", Self::RunOn),
    ];

    /// The option called `name`.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub fn from_name(name: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, option)| *option).ok_or_else(|| {
            let known = Self::ALL.map(|(known, _)| known);
            let near = nearest(name, known).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            Error::invalid("halted_keys_values", format!("one of {}", known.join(", ")), format!("{name}{near}"))
        })
    }

    /// The option's name in suite files.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, option)| *option == self).map_or("freeze-state", |(name, _)| name)
    }
}
