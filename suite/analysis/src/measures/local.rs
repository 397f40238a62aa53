//! Alignment beyond local information: static features and the last tokens read are controls.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::crossed::Crossed;
use crate::estimate::Estimate;
use crate::jackknife::jackknife;
use crate::measures::observed::{Depth, Observations};
use crate::partial::PartialRanks;
use crate::reason::Reason;
use crate::table::{Filter, TokenTable};

/// Partial Spearman correlation of depth with complexity given what a policy can see without running the algorithm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BeyondStatic {
    /// The correlation; `count` is the number of tokens over all seeds.
    pub estimate: Estimate,
    /// Static features that are controls.
    pub used: Vec<String>,
    /// Static features that are not, because some used tokens do not define them.
    pub left_out: Vec<String>,
    /// Number of most recent tokens that are controls, including the token in front of the policy.
    pub context: usize,
    /// Whether the place is a control: the sizes of instance and problem, and the position.
    pub place: bool,
}

/// Largest number of context tokens used as controls.
const CONTEXT: usize = 3;
/// Average number of tokens that each context or place must have; with fewer, it would identify tokens rather than
/// their surroundings.
const TOKENS_PER_CLASS: usize = 10;
/// Largest number of places used as controls. Every one is a column of its own.
const PLACES: usize = 64;

/// Partial Spearman correlation of depth with the named complexity: the correlation of the residuals of their ranks
/// after least squares. The regressors are the ranks of the named static features, and columns of zeros and ones for
/// contexts and places. A context is the sequence of the last three tokens read where the prediction is made, or of
/// fewer if contexts would not occur in ten tokens on average. A place is a size of the instance, a size of the token's
/// own problem and a position; places have no columns if they would not occur in ten tokens on average, or if there are
/// more than 64. Columns that the others explain are dropped. Depths that are a function of the place alone, or of the
/// tokens read alone, leave nothing: [`Reason::Constant`].
///
/// Errors in the estimate: the errors of [`correlation_table`](super::correlation_table()); [`Reason::Constant`] if
/// nothing of depth or complexity is left; [`Reason::TooFew`] if there are not enough tokens for so many columns.
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
            return BeyondStatic { estimate, used: Vec::new(), left_out, context: 0, place: false };
        }
    };
    let (used, left_out): (Vec<String>, Vec<String>) = static_features
        .iter()
        .cloned()
        .partition(|name| (0..tables.len()).all(|seed| feature(tables, &observations, seed, name).is_some()));
    let count = observations.count();
    let context = context(tables, &observations);
    let places = places(tables, &observations);
    let estimate = match table(tables, &observations, &used, &Cues { context, places: &places }) {
        Ok(table) => table.estimate(),
        Err(reason) => Estimate::missing(reason, count),
    };
    BeyondStatic { estimate, used, left_out, context, place: !places.is_empty() }
}

/// The controls besides static features.
struct Cues<'a> {
    /// Number of tokens that were read last.
    context: usize,
    /// Places with a column of their own.
    places: &'a BTreeSet<Place>,
}

/// Size of the instance, size of the token's own problem, position.
type Place = (u32, u32, u32);

fn place(table: &TokenTable, row: usize) -> Place {
    let columns = table.columns();
    (columns.size[row], columns.own_size[row], columns.position[row])
}

/// The places of all tokens, or an empty set if there are too many.
fn places(tables: &[TokenTable], observations: &Observations) -> BTreeSet<Place> {
    let mut all = BTreeSet::new();
    for (table, seed) in tables.iter().zip(&observations.seeds) {
        let own: BTreeSet<Place> = seed.row.iter().map(|&row| place(table, row)).collect();
        if own.len() * TOKENS_PER_CLASS > seed.row.len() {
            return BTreeSet::new();
        }
        all.extend(own);
    }
    if all.len() > PLACES { BTreeSet::new() } else { all }
}

/// The longest context whose values occur in enough tokens on average, in every seed; one token if there is none.
fn context(tables: &[TokenTable], observations: &Observations) -> usize {
    let is_common = |length: usize| {
        tables.iter().zip(&observations.seeds).all(|(table, seed)| {
            let distinct: BTreeSet<Vec<u32>> = seed.row.iter().map(|&row| read(table, row, length)).collect();
            distinct.len() * TOKENS_PER_CLASS <= seed.row.len()
        })
    };
    (2..=CONTEXT).rev().find(|length| is_common(*length)).unwrap_or(1)
}

/// The last tokens, at most `length`, that had been read where a row was predicted. Rows of a sequence are consecutive.
fn read(table: &TokenTable, row: usize, length: usize) -> Vec<u32> {
    let columns = table.columns();
    let own = columns.instance[row];
    (0..length)
        .map_while(|back| row.checked_sub(back).filter(|&row| columns.instance[row] == own))
        .map(|row| columns.input_token[row])
        .collect()
}

fn table(tables: &[TokenTable], observations: &Observations, used: &[String], cues: &Cues) -> Result<Crossed, Reason> {
    let mut prepared = Vec::new();
    for (seed, observed) in observations.seeds.iter().enumerate() {
        let is_at = |wanted: &Place| -> Vec<f64> {
            observed.row.iter().map(|&row| f64::from(u8::from(place(&tables[seed], row) == *wanted))).collect()
        };
        let features = used.iter().filter_map(|name| feature(tables, observations, seed, name));
        let columns: Vec<Vec<f64>> = features.chain(cues.places.iter().map(is_at)).collect();
        let controls: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let mut classes: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
        let mut class = |row: &usize| {
            let next = classes.len();
            *classes.entry(read(&tables[seed], *row, cues.context)).or_insert(next) as f64
        };
        let read: Vec<f64> = observed.row.iter().map(&mut class).collect();
        prepared.push(PartialRanks::of(&observed.complexity, &observed.depth, &controls, Some(&read))?);
    }
    let of_seed = |seed: usize, without: Option<usize>| {
        let block = &observations.seeds[seed].block;
        prepared[seed].correlation(|i| u32::from(without != Some(block[i])))
    };
    Ok(jackknife(prepared.len(), observations.blocks, observations.count(), of_seed)?.within(-1.0, 1.0))
}

/// A feature of a seed's observed tokens, if all of them define it.
fn feature(tables: &[TokenTable], observations: &Observations, seed: usize, name: &str) -> Option<Vec<f64>> {
    let values = tables[seed].columns().features.get(name)?;
    observations.seeds[seed].row.iter().map(|&row| values[row].map(f64::from)).collect()
}
