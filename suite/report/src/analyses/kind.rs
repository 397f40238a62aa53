//! The kinds of analyses by name.

use haltbench_engine::{Error, Result};

use super::sheet::Findings;
use super::{Subject, alignment, frontier, generalization, needed_depth, questions, timing};

/// A kind of analysis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Does depth follow complexity?
    Alignment,
    /// Do accuracy and depth hold at sizes that were not trained?
    Generalization,
    /// Is depth explained by what the prompt shows, or by the state of the algorithm?
    Timing,
    /// Where does a policy compute while it reads a question?
    Questions,
    /// What do mixtures of fixed depths, random depths and read-outs reach at the same cost?
    Frontier,
    /// How does depth compare with the depth that a token needs?
    NeededDepth,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::Alignment, Self::Generalization, Self::Timing, Self::Questions, Self::Frontier, Self::NeededDepth];

    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alignment => "alignment",
            Self::Generalization => "generalization",
            Self::Timing => "timing",
            Self::Questions => "questions",
            Self::Frontier => "frontier",
            Self::NeededDepth => "needed-depth",
        }
    }

    /// One sentence.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Alignment => "correlation of depth with every complexity: pooled, within sizes and partial",
            Self::Generalization => "accuracy and depth at every size, trained or not, and at other largest depths",
            Self::Timing => {
                "share of the depth that the prompt explains, and share that the algorithm's state explains"
            }
            Self::Questions => "depth of question tokens by features of the parser's state",
            Self::Frontier => "accuracy against cost over all settings, beside fixed and shuffled depths and read-outs",
            Self::NeededDepth => "depth beside the least depth after which a token's answer stays right",
        }
    }

    /// The kind with this name.
    ///
    /// # Errors
    /// [`Error::Usage`] with all names and the nearest one.
    pub fn from_name(name: &str) -> Result<Self> {
        let known = Self::ALL.map(Self::name);
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| Error::from(haltbench_sdk::Error::unknown("analysis", name, known)))
    }

    /// The findings about one board.
    pub(crate) fn of(self, subject: &Subject) -> Findings {
        match self {
            Self::Alignment => alignment::findings(subject),
            Self::Generalization => generalization::findings(subject),
            Self::Timing => timing::findings(subject),
            Self::Questions => questions::findings(subject),
            Self::Frontier => frontier::findings(subject),
            Self::NeededDepth => needed_depth::findings(subject),
        }
    }
}
