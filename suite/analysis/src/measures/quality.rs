//! Accuracy, mean depth and saturation: means over the tokens or sequences of a split.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::bootstrap::{Bootstrap, interval_method};
use crate::estimate::Estimate;
use crate::means::{ClusterSum, mean_estimate, mean_replicates, paired_difference};
use crate::reason::Reason;
use crate::table::{Filter, Split, TokenTable, Tokens};

/// A mean over tokens or sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Share of answer tokens that are right.
    TokenAccuracy,
    /// Share of sequences whose answer tokens are all right.
    ExactMatch,
    /// Mean number of steps of answer tokens.
    AnswerDepth,
    /// Mean number of steps of all tokens.
    Depth,
    /// Share of answer tokens that ran to the largest depth allowed. Above about 0.2 the depth is censored, and its
    /// correlation with anything says little.
    Saturation {
        /// The largest depth allowed, in steps.
        max_depth: u32,
    },
}

/// What every sequence of a split contributes to the quantity: one vector per table, in ascending order of instance.
///
/// The units that are counted are tokens, for [`Quantity::ExactMatch`] sequences.
pub fn cluster_sums(tables: &[TokenTable], quantity: Quantity, split: Option<Split>) -> Vec<Vec<ClusterSum>> {
    tables.iter().map(|table| sums_of_table(table, quantity, split)).collect()
}

fn sums_of_table(table: &TokenTable, quantity: Quantity, split: Option<Split>) -> Vec<ClusterSum> {
    let mut sums: BTreeMap<u64, ClusterSum> =
        table.instances(split).into_iter().map(|instance| (instance, ClusterSum::default())).collect();
    if quantity == Quantity::ExactMatch {
        for (&instance, sum) in &mut sums {
            if let Some(exact) = table.exact(instance) {
                sum.add(f64::from(u8::from(exact)));
            }
        }
        return sums.into_values().collect();
    }
    let tokens = if quantity == Quantity::Depth { Tokens::All } else { Tokens::Answer };
    let columns = table.columns();
    for row in table.rows(Filter { split, tokens, ..Filter::default() }) {
        let depth = columns.depth[row];
        let value = match quantity {
            Quantity::TokenAccuracy | Quantity::ExactMatch => f64::from(u8::from(columns.correct[row] == Some(true))),
            Quantity::AnswerDepth | Quantity::Depth => f64::from(depth),
            Quantity::Saturation { max_depth } => f64::from(u8::from(depth >= max_depth)),
        };
        sums.entry(columns.instance[row]).or_default().add(value);
    }
    sums.into_values().collect()
}

/// The quantity with its interval; `count` is the number of tokens, for [`Quantity::ExactMatch`] of sequences, over
/// all seeds. [`Reason::Empty`] if the split has none.
pub fn estimate(tables: &[TokenTable], quantity: Quantity, split: Option<Split>, bootstrap: Bootstrap) -> Estimate {
    mean_estimate(&cluster_sums(tables, quantity, split), &TokenTable::design(tables, split), bootstrap)
}

/// Bootstrap replicates of the quantity, as [`crate::ranking::rank`] takes them. Replicates of policies that were
/// evaluated on the same sequences with the same number of seeds are paired. Errors: [`Reason::Empty`];
/// [`Reason::TooFew`] if a seed has fewer than two sequences; [`Reason::Unstable`] if a resample has no observations.
pub fn replicates(
    tables: &[TokenTable],
    quantity: Quantity,
    split: Option<Split>,
    bootstrap: Bootstrap,
) -> Result<Vec<f64>, Reason> {
    let sums = cluster_sums(tables, quantity, split);
    let design = TokenTable::design(tables, split);
    interval_method(&design)?;
    let all = mean_replicates(&sums, &design, bootstrap);
    let undefined = all.iter().filter(|replicate| replicate.is_none()).count();
    let unstable = Reason::Unstable { undefined, resamples: all.len() };
    all.into_iter().collect::<Option<_>>().ok_or(unstable)
}

/// Difference of the quantity between two policies, a minus b, with a paired interval; `count` is the number of
/// sequences. Table s of both must be of the same seed.
///
/// [`Reason::MissingCells`] if the numbers of tables differ, or if two tables of a seed hold different sequences.
pub fn difference(
    a: &[TokenTable],
    b: &[TokenTable],
    quantity: Quantity,
    split: Option<Split>,
    bootstrap: Bootstrap,
) -> Estimate {
    let same = a.iter().zip(b).all(|(a, b)| a.instances(split) == b.instances(split));
    if a.len() != b.len() || !same {
        return Estimate::missing(Reason::MissingCells, 0);
    }
    let (sums, others) = (cluster_sums(a, quantity, split), cluster_sums(b, quantity, split));
    paired_difference(&sums, &others, &TokenTable::design(a, split), bootstrap)
}

/// Accuracy, depth and saturation of a split.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// See [`Quantity::TokenAccuracy`].
    pub token_accuracy: Estimate,
    /// See [`Quantity::ExactMatch`].
    pub exact_match: Estimate,
    /// See [`Quantity::AnswerDepth`].
    pub answer_depth: Estimate,
    /// See [`Quantity::Depth`].
    pub depth: Estimate,
    /// See [`Quantity::Saturation`].
    pub saturation: Estimate,
}

/// The quality of every split, missing ones with [`Reason::Empty`]. `max_depth` is the largest depth allowed.
pub fn quality(tables: &[TokenTable], max_depth: u32, bootstrap: Bootstrap) -> BTreeMap<Split, Quality> {
    let of_split = |split: Split| {
        let of = |quantity| estimate(tables, quantity, Some(split), bootstrap);
        Quality {
            token_accuracy: of(Quantity::TokenAccuracy),
            exact_match: of(Quantity::ExactMatch),
            answer_depth: of(Quantity::AnswerDepth),
            depth: of(Quantity::Depth),
            saturation: of(Quantity::Saturation { max_depth }),
        }
    };
    Split::ALL.into_iter().map(|split| (split, of_split(split))).collect()
}
