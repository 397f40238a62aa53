//! The tokens of several tables that carry a named complexity and a depth, as columns of problems.

use serde::{Deserialize, Serialize};

use crate::jackknife::Blocks;
use crate::reason::Reason;
use crate::table::{Filter, TokenColumns, TokenTable};

/// The depth of a token that is compared with its complexity.
///
/// If a task predicts the next token, a token is predicted where the token before it is read, so a policy can spend its
/// steps on a token at two places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Steps executed where the token was predicted.
    #[default]
    Steps,
    /// Steps executed at the token's own position, where it was read.
    StepsAtToken,
    /// Mean of the policy's distribution over depths where the token was predicted.
    Expected,
    /// The same at the token's own position.
    ExpectedAtToken,
}

impl Depth {
    /// All four.
    pub const ALL: [Depth; 4] = [Depth::Steps, Depth::StepsAtToken, Depth::Expected, Depth::ExpectedAtToken];

    /// Name of the table's column.
    pub fn column(self) -> &'static str {
        match self {
            Depth::Steps => "depth",
            Depth::StepsAtToken => "depth_at_token",
            Depth::Expected => "expected_depth",
            Depth::ExpectedAtToken => "expected_depth_at_token",
        }
    }

    /// The depth of a token, if the policy has it.
    pub fn of(self, columns: &TokenColumns, row: usize) -> Option<f64> {
        match self {
            Depth::Steps => Some(f64::from(columns.depth[row])),
            Depth::StepsAtToken => columns.depth_at_token[row].map(f64::from),
            Depth::Expected => columns.expected_depth[row].map(f64::from),
            Depth::ExpectedAtToken => columns.expected_depth_at_token[row].map(f64::from),
        }
    }
}

/// Observations of one seed. Entry i of every vector belongs to token i.
#[derive(Default)]
pub(crate) struct Observed {
    /// Row of the table.
    pub row: Vec<usize>,
    pub complexity: Vec<f64>,
    pub depth: Vec<f64>,
    pub own_size: Vec<f64>,
    pub position: Vec<f64>,
    /// Block of problems that the token belongs to.
    pub block: Vec<usize>,
}

/// Observations of all seeds.
pub(crate) struct Observations {
    pub seeds: Vec<Observed>,
    pub blocks: Blocks,
    /// Tokens that the filter selects but that lack this complexity or this depth.
    pub excluded: usize,
}

impl Observations {
    /// [`Reason::NotApplicable`] if a table lacks this complexity, or no token has this depth; [`Reason::MissingCells`]
    /// if the tables have different instances; [`Reason::Empty`] without tables.
    pub fn of(tables: &[TokenTable], complexity: &str, depth: Depth, filter: Filter) -> Result<Self, Reason> {
        let problems = TokenTable::common_problems(tables)?;
        let mut occurs = vec![false; problems.len()];
        let (mut seeds, mut excluded, mut has_depth) = (Vec::new(), 0, false);
        for table in tables {
            let columns = table.columns();
            let values = columns.complexities.get(complexity).ok_or(Reason::NotApplicable)?;
            let mut own = Observed::default();
            for row in table.rows(filter) {
                let depth = depth.of(columns, row);
                has_depth |= depth.is_some();
                let (Some(value), Some(depth)) = (values[row], depth) else {
                    excluded += 1;
                    continue;
                };
                occurs[table.place(row)] = true;
                own.row.push(row);
                own.complexity.push(f64::from(value));
                own.depth.push(depth);
                own.own_size.push(f64::from(columns.own_size[row]));
                own.position.push(f64::from(columns.position[row]));
                // The index among all problems, until the occurring problems are known.
                own.block.push(table.place(row));
            }
            seeds.push(own);
        }
        if !has_depth && excluded > 0 {
            return Err(Reason::NotApplicable);
        }
        let blocks = Blocks::of(occurs.iter().filter(|occurs| **occurs).count());
        let mut next = 0;
        let block_of: Vec<usize> = occurs
            .iter()
            .map(|occurs| {
                let block = blocks.block(next);
                next += usize::from(*occurs);
                block
            })
            .collect();
        seeds.iter_mut().flat_map(|own| &mut own.block).for_each(|place| *place = block_of[*place]);
        Ok(Observations { seeds, blocks, excluded })
    }

    /// Number of tokens, over all seeds.
    pub fn count(&self) -> usize {
        self.seeds.iter().map(|seed| seed.row.len()).sum()
    }

    /// The observations above the lowest complexity of all.
    pub fn above_lowest(&self) -> Vec<Observed> {
        let lowest = self.seeds.iter().flat_map(|seed| &seed.complexity).copied().fold(f64::INFINITY, f64::min);
        self.seeds.iter().map(|seed| seed.only(|i| seed.complexity[i] > lowest)).collect()
    }
}

impl Observed {
    fn only(&self, keep: impl Fn(usize) -> bool) -> Self {
        let kept: Vec<usize> = (0..self.row.len()).filter(|&i| keep(i)).collect();
        fn pick<T: Copy>(values: &[T], kept: &[usize]) -> Vec<T> {
            kept.iter().map(|&i| values[i]).collect()
        }
        Observed {
            row: pick(&self.row, &kept),
            complexity: pick(&self.complexity, &kept),
            depth: pick(&self.depth, &kept),
            own_size: pick(&self.own_size, &kept),
            position: pick(&self.position, &kept),
            block: pick(&self.block, &kept),
        }
    }
}
