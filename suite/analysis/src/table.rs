//! The evaluated tokens of one cell: one column per property, one row per token.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::design::Design;

/// Where a problem size lies with respect to the sizes trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// A size that was trained on.
    InRange,
    /// A size that was trained on, inside an instance of a size that was not.
    Embedded,
    /// A size that was not trained on, between sizes that were.
    Between,
    /// A size beyond all that were trained on.
    Beyond,
}

impl Split {
    /// All splits, in order of difficulty.
    pub const ALL: [Split; 4] = [Split::InRange, Split::Embedded, Split::Between, Split::Beyond];
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Split::InRange => "in range",
            Split::Embedded => "embedded",
            Split::Between => "between",
            Split::Beyond => "beyond",
        })
    }
}

/// The columns of a [`TokenTable`], not yet checked. Entry i of every column belongs to token i.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TokenColumns {
    /// Which sequence the token is of: the cluster of the bootstrap. Unique within the table, over all sizes. In the
    /// tables of several seeds, one number is one sequence.
    pub instance: Vec<u64>,
    /// Where the size of the sequence lies.
    pub split: Vec<Split>,
    /// Size of the problem, in the units of the task's size knob.
    pub size: Vec<u32>,
    /// Size of the token's own problem.
    pub own_size: Vec<u32>,
    /// Token read at the position that made the prediction.
    pub input_token: Vec<u32>,
    /// Steps executed at the token's own position.
    pub depth_at_token: Vec<Option<u32>>,
    /// Expected depth there.
    pub expected_depth_at_token: Vec<Option<f32>>,
    /// Operations executed.
    pub flops: Vec<f64>,
    /// Operations of all D steps.
    pub dense_flops: Vec<f64>,
    /// Position of the token in the sequence, from 0.
    pub position: Vec<u32>,
    /// Whether the token is part of the answer.
    pub is_answer: Vec<bool>,
    /// Steps executed for the token, from 1.
    pub depth: Vec<u32>,
    /// Mean of the policy's distribution over depths, if it has one.
    pub expected_depth: Vec<Option<f32>>,
    /// Whether the token was predicted rightly; present on answer tokens, `None` on prompt tokens.
    pub correct: Vec<Option<bool>>,
    /// Probability that the model gave to its prediction, if recorded.
    pub confidence: Vec<Option<f32>>,
    /// Complexity of the token by name, `None` where the task defines none.
    pub complexities: BTreeMap<String, Vec<Option<f32>>>,
    /// Features of the token by name, `None` where the task defines none.
    pub features: BTreeMap<String, Vec<Option<f32>>>,
}

/// Why columns are not a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableError {
    /// A column is not as long as the column `instance`.
    Length {
        /// Name of the column, such as `depth` or `complexities.stack`.
        column: String,
        /// Its length.
        found: usize,
        /// Length of the column `instance`.
        expected: usize,
    },
    /// An answer token without correctness.
    Ungraded {
        /// Row of the token, from 0.
        row: usize,
    },
    /// An instance with rows of several sizes or splits: two sequences share one number.
    SharedInstance {
        /// Number of the instance.
        instance: u64,
    },
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TableError::Length { column, found, expected } => {
                write!(f, "column `{column}` has {found} rows, expected {expected} as in `instance`")
            }
            TableError::Ungraded { row } => write!(f, "row {row} is an answer token, but `correct` is null"),
            TableError::SharedInstance { instance } => {
                write!(f, "instance {instance} has rows of several sizes or splits: its number is not unique")
            }
        }
    }
}

impl std::error::Error for TableError {}

/// Which tokens of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tokens {
    /// Answer tokens, those under the loss.
    #[default]
    Answer,
    /// Prompt tokens: all others.
    Prompt,
    /// All tokens.
    All,
}

/// Which sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Population {
    /// All sequences.
    #[default]
    All,
    /// Sequences whose answer tokens are all right. A selection by the outcome: two policies of different accuracy
    /// are then compared on different sequences.
    CorrectOnly,
}

/// Which rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Filter {
    /// Rows of this split, or of all.
    pub split: Option<Split>,
    /// Rows of these tokens.
    pub tokens: Tokens,
    /// Rows of these sequences.
    pub population: Population,
}

/// The evaluated tokens of one cell, of one seed: columns of equal length, answers graded, every instance of one size.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenTable {
    columns: TokenColumns,
    wrong: BTreeMap<u64, usize>,
}

impl TokenTable {
    /// Checks the columns: equal lengths, correctness on every answer token, one size and split per instance.
    pub fn new(columns: TokenColumns) -> Result<Self, TableError> {
        check_lengths(&columns)?;
        let mut kinds: BTreeMap<u64, (u32, Split)> = BTreeMap::new();
        let mut wrong: BTreeMap<u64, usize> = BTreeMap::new();
        let rows = columns.instance.iter().zip(&columns.size).zip(&columns.split);
        for (((&instance, &size), &split), row) in rows.zip(0..) {
            if *kinds.entry(instance).or_insert((size, split)) != (size, split) {
                return Err(TableError::SharedInstance { instance });
            }
            if columns.is_answer[row] {
                let correct = columns.correct[row].ok_or(TableError::Ungraded { row })?;
                *wrong.entry(instance).or_default() += usize::from(!correct);
            }
        }
        Ok(TokenTable { columns, wrong })
    }

    /// The columns.
    pub fn columns(&self) -> &TokenColumns {
        &self.columns
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.columns.instance.len()
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.columns.instance.is_empty()
    }

    /// Whether every answer token of the instance is right; `None` if it has none.
    pub fn exact(&self, instance: u64) -> Option<bool> {
        self.wrong.get(&instance).map(|&wrong| wrong == 0)
    }

    /// The rows that the filter lets through, ascending.
    pub fn rows(&self, filter: Filter) -> Vec<usize> {
        (0..self.len()).filter(|&row| self.admits(row, filter)).collect()
    }

    /// The instances of a split, or of all, ascending.
    pub fn instances(&self, split: Option<Split>) -> Vec<u64> {
        let rows = self.columns.instance.iter().zip(&self.columns.split);
        let mut instances: Vec<u64> =
            rows.filter(|&(_, s)| split.is_none_or(|wanted| wanted == *s)).map(|(&i, _)| i).collect();
        instances.sort_unstable();
        instances.dedup();
        instances
    }

    /// The design of the tables of several seeds, over the sequences of a split or of all. The clusters of a seed are
    /// its sequences in ascending order.
    pub fn design(tables: &[TokenTable], split: Option<Split>) -> Design {
        Design::of(&tables.iter().map(|table| table.instances(split)).collect::<Vec<_>>())
    }

    fn admits(&self, row: usize, filter: Filter) -> bool {
        filter.split.is_none_or(|split| self.columns.split[row] == split)
            && match filter.tokens {
                Tokens::Answer => self.columns.is_answer[row],
                Tokens::Prompt => !self.columns.is_answer[row],
                Tokens::All => true,
            }
            && match filter.population {
                Population::All => true,
                Population::CorrectOnly => self.exact(self.columns.instance[row]) == Some(true),
            }
    }
}

impl TryFrom<TokenColumns> for TokenTable {
    type Error = TableError;

    fn try_from(columns: TokenColumns) -> Result<Self, TableError> {
        TokenTable::new(columns)
    }
}

fn check_lengths(columns: &TokenColumns) -> Result<(), TableError> {
    let expected = columns.instance.len();
    let check = |column: &str, found: usize| {
        if found == expected { Ok(()) } else { Err(TableError::Length { column: column.to_owned(), found, expected }) }
    };
    check("split", columns.split.len())?;
    check("size", columns.size.len())?;
    check("position", columns.position.len())?;
    check("is_answer", columns.is_answer.len())?;
    check("depth", columns.depth.len())?;
    check("expected_depth", columns.expected_depth.len())?;
    check("correct", columns.correct.len())?;
    check("confidence", columns.confidence.len())?;
    for (name, values) in &columns.complexities {
        check(&format!("complexities.{name}"), values.len())?;
    }
    for (name, values) in &columns.features {
        check(&format!("features.{name}"), values.len())?;
    }
    Ok(())
}
