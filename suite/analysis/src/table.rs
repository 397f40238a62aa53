//! The evaluated tokens of one cell: one column per property, one row per token.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::reason::Reason;
use crate::split::Split;

/// The unchecked columns of a [`TokenTable`]. Entry i of every column belongs to token i.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TokenColumns {
    /// Id of the token's sequence, unique within the table, over all sizes. In the tables of several seeds, equal ids
    /// mean the same sequence.
    pub instance: Vec<u64>,
    /// Id of the sequence's problem. Training holds out whole problems, so the sequences of one problem are one unit of
    /// every interval.
    pub problem: Vec<u64>,
    /// Split of the token's own problem.
    pub split: Vec<Split>,
    /// Size of the instance, in the units of the task's size knob.
    pub size: Vec<u32>,
    /// Size of the token's own problem, which may be smaller than the instance around it.
    pub own_size: Vec<u32>,
    /// Position of the token in the sequence, 0-based.
    pub position: Vec<u32>,
    /// Whether the token is part of the answer: covered by the loss, and graded.
    pub is_answer: Vec<bool>,
    /// The token read at the position that made the prediction.
    pub input_token: Vec<u32>,
    /// Steps executed where the token was predicted, 1-based.
    pub depth: Vec<u32>,
    /// Steps executed at the token's own position, where it was read.
    pub depth_at_token: Vec<Option<u32>>,
    /// Mean of the policy's distribution over depths where the token was predicted, if it has one.
    pub expected_depth: Vec<Option<f32>>,
    /// The same at the token's own position.
    pub expected_depth_at_token: Vec<Option<f32>>,
    /// Whether the token was predicted correctly; present for answer tokens, `None` for prompt tokens.
    pub correct: Vec<Option<bool>>,
    /// Probability that the model gave its prediction, if recorded.
    pub confidence: Vec<Option<f32>>,
    /// Executed operations charged to the token, decisions included.
    pub flops: Vec<f64>,
    /// Operations of all D steps for the token, without decisions.
    pub dense_flops: Vec<f64>,
    /// Complexity of the token by name, `None` where the task defines none.
    pub complexities: BTreeMap<String, Vec<Option<f32>>>,
    /// Features of the token by name, `None` where the task defines none.
    pub features: BTreeMap<String, Vec<Option<f32>>>,
}

/// Why columns do not form a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableError {
    /// A column differs in length from the column `instance`.
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
        /// Row of the token, 0-based.
        row: usize,
    },
    /// An instance has rows of several sizes or problems: two sequences share an id.
    SharedInstance {
        /// Id of the instance.
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
                write!(f, "instance {instance} has rows of several sizes or problems: its number is not unique")
            }
        }
    }
}

impl std::error::Error for TableError {}

/// Selects tokens of a sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tokens {
    /// Answer tokens, which the loss covers.
    #[default]
    Answer,
    /// Prompt tokens: all others.
    Prompt,
    /// All tokens.
    All,
}

/// Selects sequences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Population {
    /// All sequences.
    #[default]
    All,
    /// Sequences whose answer tokens are all correct. This selects by outcome: two policies of different accuracy are
    /// then compared on different sequences.
    CorrectOnly,
}

/// Selects rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Filter {
    /// Rows whose own problem is in this split, or all rows.
    pub split: Option<Split>,
    /// Rows of these tokens.
    pub tokens: Tokens,
    /// Rows of these sequences.
    pub population: Population,
}

/// The evaluated tokens of one cell with one seed: columns of equal length, graded answers, one size per instance.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenTable {
    columns: TokenColumns,
    /// Instances, ascending by id.
    instances: Vec<Instance>,
    /// Index in `instances` of every row's instance.
    places: Vec<usize>,
    /// Ids of the problems, ascending.
    problems: Vec<u64>,
}

/// A sequence of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Instance {
    number: u64,
    problem: u64,
    /// The hardest split among its rows.
    split: Split,
    size: u32,
    answers: usize,
    wrong: usize,
}

impl TokenTable {
    /// Checks the columns: equal lengths, correctness on every answer token, one size per instance.
    pub fn new(columns: TokenColumns) -> Result<Self, TableError> {
        check_lengths(&columns)?;
        let mut numbers = columns.instance.clone();
        numbers.sort_unstable();
        numbers.dedup();
        let blank =
            |&number: &u64| Instance { number, problem: 0, split: Split::InRange, size: 0, answers: 0, wrong: 0 };
        let mut instances: Vec<Instance> = numbers.iter().map(blank).collect();
        let mut known = vec![false; instances.len()];
        let mut places = Vec::with_capacity(columns.instance.len());
        for (row, number) in columns.instance.iter().enumerate() {
            // Every id occurs in the list.
            let place = numbers.partition_point(|other| other < number);
            places.push(place);
            let own = &mut instances[place];
            if known[place] && (own.size, own.problem) != (columns.size[row], columns.problem[row]) {
                return Err(TableError::SharedInstance { instance: *number });
            }
            known[place] = true;
            own.size = columns.size[row];
            own.problem = columns.problem[row];
            own.split = own.split.max(columns.split[row]);
            if columns.is_answer[row] {
                let correct = columns.correct[row].ok_or(TableError::Ungraded { row })?;
                own.answers += 1;
                own.wrong += usize::from(!correct);
            }
        }
        let mut problems: Vec<u64> = instances.iter().map(|own| own.problem).collect();
        problems.sort_unstable();
        problems.dedup();
        Ok(TokenTable { columns, instances, places, problems })
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

    /// The rows that the filter selects, ascending.
    pub fn rows(&self, filter: Filter) -> Vec<usize> {
        (0..self.len()).filter(|&row| self.admits(row, filter)).collect()
    }

    /// The splits of all rows, easiest first.
    pub fn splits(&self) -> Vec<Split> {
        Split::ALL.into_iter().filter(|split| self.columns.split.contains(split)).collect()
    }

    /// The split of a row's instance.
    pub(crate) fn split_of_instance(&self, row: usize) -> Split {
        self.instances[self.places[row]].split
    }

    /// The index of a row's problem among all problems, ascending by id.
    pub(crate) fn place(&self, row: usize) -> usize {
        self.place_of(self.instances[self.places[row]])
    }

    fn place_of(&self, instance: Instance) -> usize {
        // Every problem occurs in the list.
        self.problems.partition_point(|other| *other < instance.problem)
    }

    /// The sequences of a split that have answer tokens: the index of each one's problem, and whether every answer is
    /// correct. The split of a sequence is the hardest among its rows.
    pub(crate) fn graded(&self, split: Option<Split>) -> impl Iterator<Item = (usize, bool)> {
        let wanted = move |own: &&Instance| own.answers > 0 && split.is_none_or(|split| own.split == split);
        self.instances.iter().filter(wanted).map(|own| (self.place_of(*own), own.wrong == 0))
    }

    /// The ids of the problems that all tables share, with one table per seed. [`Reason::MissingCells`] if the tables
    /// have different instances, [`Reason::Empty`] without tables.
    pub fn common_problems(tables: &[TokenTable]) -> Result<Vec<u64>, Reason> {
        let first = tables.first().ok_or(Reason::Empty)?;
        let numbers = |table: &TokenTable| -> Vec<(u64, u64)> {
            table.instances.iter().map(|own| (own.number, own.problem)).collect()
        };
        let own = numbers(first);
        let same = tables.iter().skip(1).all(|table| numbers(table) == own);
        if same { Ok(first.problems.clone()) } else { Err(Reason::MissingCells) }
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
                Population::CorrectOnly => {
                    let own = &self.instances[self.places[row]];
                    own.answers > 0 && own.wrong == 0
                }
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
    check("problem", columns.problem.len())?;
    check("split", columns.split.len())?;
    check("size", columns.size.len())?;
    check("own_size", columns.own_size.len())?;
    check("position", columns.position.len())?;
    check("is_answer", columns.is_answer.len())?;
    check("input_token", columns.input_token.len())?;
    check("depth", columns.depth.len())?;
    check("depth_at_token", columns.depth_at_token.len())?;
    check("expected_depth", columns.expected_depth.len())?;
    check("expected_depth_at_token", columns.expected_depth_at_token.len())?;
    check("correct", columns.correct.len())?;
    check("confidence", columns.confidence.len())?;
    check("flops", columns.flops.len())?;
    check("dense_flops", columns.dense_flops.len())?;
    for (name, values) in &columns.complexities {
        check(&format!("complexities.{name}"), values.len())?;
    }
    for (name, values) in &columns.features {
        check(&format!("features.{name}"), values.len())?;
    }
    Ok(())
}
