//! Features and columns that a regression leaves out.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A feature or column that was left out. Tables show every one of them, because a feature that disappears silently
/// reads like a feature that explains nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dropped {
    /// Name of the feature, or of one column of a categorical feature: `size=4`.
    pub name: String,
    /// Why it was left out.
    pub cause: Cause,
}

/// Why a feature or column was left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// All rows have the same value.
    Constant,
    /// Some rows have no finite value.
    Missing {
        /// Their number.
        rows: usize,
    },
    /// The column is a linear function of one other column.
    Duplicate {
        /// The other column, which stays.
        of: String,
    },
    /// The correlation with another feature is above the limit, and the target correlates more with the other one.
    Correlated {
        /// The other feature, which stayed at this point.
        with: String,
        /// Pearson's correlation of the two.
        correlation: f64,
    },
    /// The variance inflation factor is above the limit. It is the largest one of the features that were left.
    Inflated {
        /// The factor; of a categorical feature with d columns, the d-th root of the generalised one.
        factor: f64,
    },
    /// The column is a linear combination of other columns.
    RankDeficient,
    /// The caller did not select it.
    NotSelected,
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.cause {
            Cause::Constant => write!(f, "{name}: constant"),
            Cause::Missing { rows } => write!(f, "{name}: {rows} rows have no value"),
            Cause::Duplicate { of } => write!(f, "{name}: a linear function of {of}"),
            Cause::Correlated { with, correlation } => {
                write!(f, "{name}: correlation {correlation:.3} with {with}, which the target follows more")
            }
            Cause::Inflated { factor } => write!(f, "{name}: variance inflation factor {factor:.3}"),
            Cause::RankDeficient => write!(f, "{name}: a linear combination of other columns"),
            Cause::NotSelected => write!(f, "{name}: not selected"),
        }
    }
}
