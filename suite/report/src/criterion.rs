//! Criteria of `--sort` and the tables that they rank by.

use haltbench_analysis::measures::{Depth, Quantity, Statistic, correlation_table, quantity_table};
use haltbench_analysis::{Crossed, Filter, Reason, Split};
use haltbench_engine::{Error, Result};
use haltbench_sdk::names::nearest;

use crate::board::Order;
use crate::evidence::Evidence;
use crate::gain::{Against, Gains};

/// A criterion for ranking rows. A criterion needs a table of seeds by sequences, so measures without one, such as
/// speed, are not available.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Criterion {
    /// Share of correct answer tokens at trained sizes.
    #[default]
    Accuracy,
    /// Share of correct sequences at trained sizes.
    ExactMatch,
    /// Share of correct answer tokens of trained sizes inside larger instances.
    Embedded,
    /// Share of correct answer tokens at untrained sizes between trained ones.
    Between,
    /// Share of correct answer tokens at sizes beyond the trained ones.
    Beyond,
    /// Mean steps of answer tokens at trained sizes; less is better.
    AnswerDepth,
    /// Mean steps of all tokens at trained sizes; less is better.
    Depth,
    /// Executed operations per token at trained sizes, decisions included; less is better.
    Flops,
    /// Accuracy above fixed depths of the same cost, at trained sizes; below the cheapest depth, above its accuracy.
    AdaptGain,
    /// Accuracy above fixed answer depths of the same cost, whose prompts take one step.
    AdaptGainAnswers,
    /// Spearman's correlation of depth with complexity within a size, at trained sizes.
    Alignment,
}

impl Criterion {
    /// All criteria.
    pub const ALL: [Self; 11] = [
        Self::Accuracy,
        Self::ExactMatch,
        Self::Embedded,
        Self::Between,
        Self::Beyond,
        Self::AnswerDepth,
        Self::Depth,
        Self::Flops,
        Self::AdaptGain,
        Self::AdaptGainAnswers,
        Self::Alignment,
    ];

    /// The criterion with this name.
    ///
    /// # Errors
    /// [`Error::Usage`] with all names and the nearest one.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|criterion| criterion.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name);
            let near = nearest(name, names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            Error::Usage(format!("--sort: expected one of {}, found `{name}`{near}", names.join(", ")))
        })
    }

    /// Name of the criterion.
    pub fn name(self) -> &'static str {
        self.describe().0
    }

    /// Name, measure, split, whether less is better, and description.
    fn describe(self) -> (&'static str, &'static str, Option<Split>, bool, &'static str) {
        let (in_range, between, beyond) = (Some(Split::InRange), Some(Split::Between), Some(Split::Beyond));
        match self {
            Self::Accuracy => {
                ("accuracy", "token_accuracy", in_range, false, "share of answer tokens that are right, in range")
            }
            Self::ExactMatch => {
                ("exact_match", "exact_match", in_range, false, "share of sequences that are right, in range")
            }
            Self::Embedded => {
                let words = "share of answer tokens that are right, of trained sizes inside larger instances";
                ("embedded", "token_accuracy", Some(Split::Embedded), false, words)
            }
            Self::Between => {
                let words = "share of answer tokens that are right, at unseen sizes between";
                ("between", "token_accuracy", between, false, words)
            }
            Self::Beyond => {
                let words = "share of answer tokens that are right, at unseen sizes beyond";
                ("beyond", "token_accuracy", beyond, false, words)
            }
            Self::AnswerDepth => {
                ("answer_depth", "answer_depth", in_range, true, "mean steps of answer tokens, in range")
            }
            Self::Depth => ("depth", "depth", in_range, true, "mean steps of all tokens, in range"),
            Self::Flops => {
                ("flops", "flops", in_range, true, "executed operations per token, decisions included, in range")
            }
            Self::AdaptGain => {
                let words = "accuracy above fixed depths of the same cost, in range";
                ("adapt_gain", "adapt_gain", in_range, false, words)
            }
            Self::AdaptGainAnswers => {
                let words = "accuracy above fixed depths of answers, prompts with one step, of the same cost, in range";
                ("adapt_gain_answers", "adapt_gain_answers", in_range, false, words)
            }
            Self::Alignment => {
                let words = "Spearman's correlation of depth with complexity within a size, in range";
                ("alignment", "spearman_within_size", in_range, false, words)
            }
        }
    }

    /// The criterion as the leaderboard records it.
    pub(crate) fn order(self) -> Order {
        let (name, metric, split, ascending, description) = self.describe();
        Order {
            criterion: name.to_owned(),
            metric: metric.to_owned(),
            split: split.map(|split| split.name().to_owned()),
            ascending,
            description: description.to_owned(),
        }
    }

    /// The table that ranks a row, with more being better, or the reason why there is none.
    pub(crate) fn score(self, row: &Evidence, gains: &Gains, complexity: &str) -> Result<Crossed, Reason> {
        let (.., split, ascending, _) = self.describe();
        let of = |quantity| quantity_table(&row.tables, quantity, split);
        let gain = |against| Ok(gains.gain(row, against)?.at_least().clone());
        let table = match self {
            Self::Accuracy | Self::Embedded | Self::Between | Self::Beyond => of(Quantity::TokenAccuracy)?,
            Self::ExactMatch => of(Quantity::ExactMatch)?,
            Self::AnswerDepth => of(Quantity::AnswerDepth)?,
            Self::Depth => of(Quantity::Depth)?,
            Self::Flops => of(Quantity::Flops)?,
            Self::AdaptGain => gain(Against::FixedDepths)?,
            Self::AdaptGainAnswers => gain(Against::FixedAnswerDepths)?,
            Self::Alignment => {
                let filter = Filter { split, ..Filter::default() };
                correlation_table(&row.tables, complexity, Depth::Steps, filter, Statistic::WithinSize)?
            }
        };
        Ok(if ascending { table.negated() } else { table })
    }
}
