//! Alignment beyond what can be seen locally: with static features and the tokens that were read last taken out.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::crossed::Crossed;
use crate::estimate::Estimate;
use crate::jackknife::jackknife;
use crate::measures::observed::{Depth, Observations};
use crate::partial::PartialRanks;
use crate::reason::Reason;
use crate::table::{Filter, TokenTable};

/// Partial Spearman correlation of depth with complexity on what a policy can see without running the algorithm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BeyondStatic {
    /// The correlation; `count` is the number of tokens over all seeds.
    pub estimate: Estimate,
    /// Static features that were taken out.
    pub used: Vec<String>,
    /// Static features that were not, because they are not defined for all tokens that are used.
    pub left_out: Vec<String>,
    /// How many of the tokens that were read last were taken out, the token in front of the policy included.
    pub context: usize,
}

/// Most tokens of context that are taken out.
const CONTEXT: usize = 3;
/// Tokens that a context must occur in on average: with fewer, contexts would name tokens rather than what is around them.
const TOKENS_PER_CONTEXT: usize = 10;

/// Partial Spearman correlation of depth with the named complexity: of what the ranks of both leave after least squares
/// on the ranks of the named static features and on one column of zeros and ones for each sequence of tokens that may have
/// been read last where the prediction is made: of three tokens, or of fewer if each would not occur in ten tokens on
/// average. Columns that the others explain are dropped. A policy that does no more than look at the tokens next to it,
/// and at what can be counted around it, has none.
///
/// Errors in the estimate: those of [`correlation_table`](super::correlation_table()); [`Reason::Constant`] if nothing
/// of depth or complexity is left; [`Reason::TooFew`] if there are not enough tokens for so many columns.
pub fn beyond_static(
    tables: &[TokenTable],
    complexity: &str,
    depth: Depth,
    filter: Filter,
    static_features: &[String],
) -> BeyondStatic {
    let observations = match Observations::of(tables, complexity, depth, filter) {
        Ok(observations) => observations,
        Err(reason) => {
            let estimate = Estimate::missing(reason, 0);
            let left_out = static_features.to_vec();
            return BeyondStatic { estimate, used: Vec::new(), left_out, context: 0 };
        }
    };
    let (used, left_out): (Vec<String>, Vec<String>) = static_features
        .iter()
        .cloned()
        .partition(|name| (0..tables.len()).all(|seed| feature(tables, &observations, seed, name).is_some()));
    let count = observations.count();
    let context = context(tables, &observations);
    let estimate = match table(tables, &observations, &used, (count, context)) {
        Ok(table) => table.estimate(),
        Err(reason) => Estimate::missing(reason, count),
    };
    BeyondStatic { estimate, used, left_out, context }
}

/// The longest context of which each occurs in enough tokens of every seed; one token if none does.
fn context(tables: &[TokenTable], observations: &Observations) -> usize {
    let is_common = |length: usize| {
        tables.iter().zip(&observations.seeds).all(|(table, seed)| {
            let distinct: BTreeSet<Vec<u32>> = seed.row.iter().map(|&row| read(table, row, length)).collect();
            distinct.len() * TOKENS_PER_CONTEXT <= seed.row.len()
        })
    };
    (2..=CONTEXT).rev().find(|length| is_common(*length)).unwrap_or(1)
}

/// The last tokens, at most so many, that had been read where a row was predicted. Rows of a sequence follow one another.
fn read(table: &TokenTable, row: usize, length: usize) -> Vec<u32> {
    let columns = table.columns();
    let own = columns.instance[row];
    (0..length)
        .map_while(|back| row.checked_sub(back).filter(|&row| columns.instance[row] == own))
        .map(|row| columns.input_token[row])
        .collect()
}

fn table(
    tables: &[TokenTable],
    observations: &Observations,
    used: &[String],
    (count, context): (usize, usize),
) -> Result<Crossed, Reason> {
    let mut prepared = Vec::new();
    for (seed, observed) in observations.seeds.iter().enumerate() {
        let columns: Vec<Vec<f64>> = used.iter().filter_map(|name| feature(tables, observations, seed, name)).collect();
        let controls: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let mut classes: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
        let mut class = |row: &usize| {
            let next = classes.len();
            *classes.entry(read(&tables[seed], *row, context)).or_insert(next) as f64
        };
        let read: Vec<f64> = observed.row.iter().map(&mut class).collect();
        prepared.push(PartialRanks::of(&observed.complexity, &observed.depth, &controls, Some(&read))?);
    }
    let of_seed = |seed: usize, without: Option<usize>| {
        let block = &observations.seeds[seed].block;
        prepared[seed].correlation(|i| u32::from(without != Some(block[i])))
    };
    Ok(jackknife(prepared.len(), observations.blocks, count, of_seed)?.within(-1.0, 1.0))
}

/// A feature of the observed tokens of a seed, if it is defined for all of them.
fn feature(tables: &[TokenTable], observations: &Observations, seed: usize, name: &str) -> Option<Vec<f64>> {
    let values = tables[seed].columns().features.get(name)?;
    observations.seeds[seed].row.iter().map(|&row| values[row].map(f64::from)).collect()
}
