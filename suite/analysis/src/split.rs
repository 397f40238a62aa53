//! Sizes that were trained on, and others.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where the size of a token's own problem lies with respect to the sizes trained on. A split is harder than those
/// before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// A size that was trained on.
    InRange,
    /// An answer of a size that was trained on, inside an instance of a larger size: the problem is known, its
    /// surroundings are not.
    Embedded,
    /// A size that was not trained on, between sizes that were.
    Between,
    /// A size beyond all that were trained on.
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

    /// The split of this name in files.
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
