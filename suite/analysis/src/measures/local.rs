//! Alignment beyond what can be seen locally: with static features and the token that was read taken out.

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
}

/// Partial Spearman correlation of depth with the named complexity: of what the ranks of both leave after least squares
/// on the ranks of the named static features and on one column of zeros and ones for each token that may be read where
/// the prediction is made. Columns that the others explain are dropped. A policy that does no more than look at the
/// token in front of it, and at what can be counted around it, has none.
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
            return BeyondStatic { estimate, used: Vec::new(), left_out: static_features.to_vec() };
        }
    };
    let (used, left_out): (Vec<String>, Vec<String>) = static_features
        .iter()
        .cloned()
        .partition(|name| (0..tables.len()).all(|seed| feature(tables, &observations, seed, name).is_some()));
    let count = observations.count();
    let estimate = match table(tables, &observations, &used, count) {
        Ok(table) => table.estimate(),
        Err(reason) => Estimate::missing(reason, count),
    };
    BeyondStatic { estimate, used, left_out }
}

fn table(tables: &[TokenTable], observations: &Observations, used: &[String], count: usize) -> Result<Crossed, Reason> {
    let mut prepared = Vec::new();
    for (seed, observed) in observations.seeds.iter().enumerate() {
        let columns: Vec<Vec<f64>> = used.iter().filter_map(|name| feature(tables, observations, seed, name)).collect();
        let controls: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let tokens = &tables[seed].columns().input_token;
        let read: Vec<f64> = observed.row.iter().map(|&row| f64::from(tokens[row])).collect();
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
