//! Accuracy, depth and cost: means over the tokens or sequences of a split.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::crossed::Crossed;
use crate::estimate::Estimate;
use crate::means::ClusterSum;
use crate::reason::Reason;
use crate::split::Split;
use crate::table::TokenTable;

/// A mean over tokens or sequences.
///
/// Means of answer tokens are over the tokens whose own problem is in a split; means of sequences, and of all their
/// tokens, over the sequences whose hardest token is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Share of correct answer tokens.
    TokenAccuracy,
    /// Share of sequences whose answer tokens are all correct.
    ExactMatch,
    /// Mean number of steps of answer tokens.
    AnswerDepth,
    /// Mean number of steps of all tokens of the sequences.
    Depth,
    /// Share of answer tokens that halted after their first step, or took none.
    FirstStep,
    /// Share of answer tokens that ran to the largest depth allowed. Above about 0.2 the depth is censored, and its
    /// correlation with anything says little.
    Saturation {
        /// The largest depth allowed, in steps.
        max_depth: u32,
    },
    /// Executed operations per token of the sequences, decisions included.
    Flops,
    /// Executed operations of the sequences, decisions included, as a share of all D steps without decisions.
    FlopsShare,
}

impl Quantity {
    /// Adds a row to its sequence.
    fn add(self, table: &TokenTable, row: usize, sum: &mut ClusterSum) {
        let columns = table.columns();
        let share = |holds: bool| f64::from(u8::from(holds));
        match self {
            // Counted per sequence, not per row.
            Quantity::ExactMatch => {}
            Quantity::TokenAccuracy => sum.add(share(columns.correct[row] == Some(true))),
            Quantity::AnswerDepth | Quantity::Depth => sum.add(f64::from(columns.depth[row])),
            Quantity::FirstStep => sum.add(share(columns.depth[row] <= 1)),
            Quantity::Saturation { max_depth } => sum.add(share(columns.depth[row] >= max_depth)),
            Quantity::Flops => sum.add(columns.flops[row]),
            Quantity::FlopsShare => {
                sum.sum += columns.flops[row];
                sum.count += columns.dense_flops[row];
            }
        }
    }

    /// Whether a row counts.
    fn counts(self, table: &TokenTable, row: usize, split: Option<Split>) -> bool {
        let is_of_sequences = matches!(self, Quantity::Depth | Quantity::Flops | Quantity::FlopsShare);
        let own = if is_of_sequences { table.split_of_instance(row) } else { table.columns().split[row] };
        (is_of_sequences || table.columns().is_answer[row]) && split.is_none_or(|split| split == own)
    }

    /// Bounds of the mean and of every sequence's value.
    fn bounded(self, table: Crossed) -> Crossed {
        match self {
            Quantity::TokenAccuracy | Quantity::ExactMatch | Quantity::FirstStep | Quantity::Saturation { .. } => {
                table.within(0.0, 1.0)
            }
            _ => table,
        }
    }
}

/// The table of a quantity, with one [`TokenTable`] per seed; `count` is the number of tokens over all seeds, or of
/// sequences for [`Quantity::ExactMatch`].
///
/// [`Reason::Empty`] if the split has no tokens, [`Reason::MissingCells`] if the seeds were not evaluated on the same
/// instances.
pub fn quantity_table(tables: &[TokenTable], quantity: Quantity, split: Option<Split>) -> Result<Crossed, Reason> {
    let problems = TokenTable::common_problems(tables)?;
    let mut observations = 0;
    let mut sums = Vec::with_capacity(tables.len());
    for table in tables {
        let mut own = vec![ClusterSum::default(); problems.len()];
        if quantity == Quantity::ExactMatch {
            for (place, exact) in table.graded(split) {
                own[place].add(f64::from(u8::from(exact)));
                observations += 1;
            }
        }
        for row in
            (0..table.len()).filter(|&row| quantity != Quantity::ExactMatch && quantity.counts(table, row, split))
        {
            quantity.add(table, row, &mut own[table.place(row)]);
            observations += 1;
        }
        sums.push(own);
    }
    Ok(quantity.bounded(Crossed::of_sums(&problems, &sums)?.with_count(observations)))
}

/// The quantity with its interval; see [`quantity_table`].
pub fn estimate(tables: &[TokenTable], quantity: Quantity, split: Option<Split>) -> Estimate {
    quantity_table(tables, quantity, split).map_or_else(|reason| Estimate::missing(reason, 0), |table| table.estimate())
}

/// Difference of the quantity between two policies, a minus b, with a paired interval; `count` is the number of
/// problems. Table s of both must come from the same seed.
///
/// [`Reason::MissingCells`] if the numbers of tables or their sequences differ.
pub fn difference(a: &[TokenTable], b: &[TokenTable], quantity: Quantity, split: Option<Split>) -> Estimate {
    let table = quantity_table(a, quantity, split).and_then(|table| table.minus(&quantity_table(b, quantity, split)?));
    table.map_or_else(|reason| Estimate::missing(reason, 0), |table| table.estimate())
}

/// Accuracy, depth and cost of a split.
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
    /// See [`Quantity::FirstStep`].
    pub first_step: Estimate,
    /// See [`Quantity::Saturation`].
    pub saturation: Estimate,
    /// See [`Quantity::Flops`].
    pub flops: Estimate,
    /// See [`Quantity::FlopsShare`].
    pub flops_share: Estimate,
}

/// The quality of every split; empty splits are missing with [`Reason::Empty`]. `max_depth` is the largest depth
/// allowed.
pub fn quality(tables: &[TokenTable], max_depth: u32) -> BTreeMap<Split, Quality> {
    let of_split = |split: Split| {
        let of = |quantity| estimate(tables, quantity, Some(split));
        Quality {
            token_accuracy: of(Quantity::TokenAccuracy),
            exact_match: of(Quantity::ExactMatch),
            answer_depth: of(Quantity::AnswerDepth),
            depth: of(Quantity::Depth),
            first_step: of(Quantity::FirstStep),
            saturation: of(Quantity::Saturation { max_depth }),
            flops: of(Quantity::Flops),
            flops_share: of(Quantity::FlopsShare),
        }
    };
    Split::ALL.into_iter().map(|split| (split, of_split(split))).collect()
}
