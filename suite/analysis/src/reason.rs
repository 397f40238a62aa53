//! Why a number is missing.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a number, or its interval, cannot be computed.
///
/// Serialised in snake case: `"constant"`, `{"too_few": {"needed": 2, "found": 1}}`. Displayed as a short sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There is nothing to compute from.
    Empty,
    /// A variable does not vary, or its controls explain all of its variation.
    Constant,
    /// There are fewer observations, problems or strata than the statistic needs.
    TooFew {
        /// Number that the statistic needs.
        needed: usize,
        /// Number found.
        found: usize,
    },
    /// There are more groups, columns or rows than the method can handle.
    TooMany {
        /// Largest number possible.
        limit: usize,
        /// Number found.
        found: usize,
    },
    /// No feature is left to explain the target with.
    NoFeatures,
    /// A value is outside its range, such as a probability above 1.
    OutOfRange,
    /// The cost is below the cheapest point of the frontier.
    OutsideFrontier,
    /// There is no fixed-depth frontier to compare with.
    NoFrontier,
    /// Some of the compared seeds or problems were not evaluated.
    MissingCells,
    /// The quantity does not exist here, such as a complexity that the task does not define.
    NotApplicable,
    /// Inputs that belong together differ in length.
    Mismatched,
    /// An input or the result is infinite or NaN.
    NotFinite,
    /// Leaving out a block of problems makes the statistic undefined, so it has no interval.
    Unstable {
        /// How often it was undefined.
        undefined: usize,
        /// How often a block was left out, over all seeds.
        blocks: usize,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Empty => write!(f, "there are no observations"),
            Reason::Constant => write!(f, "one of the two is constant, or nothing is left of it"),
            Reason::TooFew { needed, found } => write!(f, "{needed} are needed, {found} found"),
            Reason::TooMany { limit, found } => write!(f, "at most {limit} are possible, {found} found"),
            Reason::NoFeatures => write!(f, "no feature is left"),
            Reason::OutOfRange => write!(f, "a value is outside its range"),
            Reason::OutsideFrontier => write!(f, "the cost is below the cheapest fixed depth"),
            Reason::NoFrontier => write!(f, "there is no fixed-depth frontier"),
            Reason::MissingCells => write!(f, "some cells are missing"),
            Reason::NotApplicable => write!(f, "the quantity is not defined here"),
            Reason::Mismatched => write!(f, "the inputs differ in length"),
            Reason::NotFinite => write!(f, "a value is infinite or not a number"),
            Reason::Unstable { undefined, blocks } => {
                write!(f, "undefined without {undefined} of {blocks} blocks of problems")
            }
        }
    }
}

impl std::error::Error for Reason {}
