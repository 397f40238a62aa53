//! Trained sizes and other sizes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How the size of a token's own problem relates to the trained sizes. Splits are ordered by difficulty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// A trained size.
    InRange,
    /// An answer of a trained size inside an instance of a larger size: the problem is known, its surroundings are not.
    Embedded,
    /// An untrained size between trained ones.
    Between,
    /// A size beyond all trained ones.
    Beyond,
}

impl Split {
    /// All splits, in order of difficulty.
    pub const ALL: [Split; 4] = [Split::InRange, Split::Embedded, Split::Between, Split::Beyond];

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Split::InRange => "in_range",
            Split::Embedded => "embedded",
            Split::Between => "between",
            Split::Beyond => "beyond",
        }
    }

    /// The split with this name in files.
    pub fn from_name(name: &str) -> Option<Self> {
        Split::ALL.into_iter().find(|split| split.name() == name)
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Split::InRange => "in range",
            split => split.name(),
        })
    }
}
