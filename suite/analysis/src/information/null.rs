//! Mutual information of permuted variables.

use serde::{Deserialize, Serialize};

use super::joint::Joint;
use crate::ranks::Levels;
use crate::reason::Reason;
use crate::resampling::{Draws, Purpose};

/// Plug-in values that differ by less than this, in nats, are equal up to rounding.
const ROUNDING: f64 = 1e-12;

/// Mutual information under independence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Null {
    /// Mean plug-in value of the permutations, in nats: the bias of the observed one.
    pub mean: f64,
    /// Standard deviation of these values.
    pub deviation: f64,
    /// (1 + number of permutations with at least the observed value) / (1 + number of permutations).
    pub p: f64,
    /// Number of permutations.
    pub permutations: usize,
}

/// Permutation test of the plug-in value: y is permuted within strata. `strata` has a number per observation; without it, y is permuted over all observations.
///
/// Exchangeable observations are what makes the test valid: tokens of one sequence are not exchangeable with tokens of
/// others, so give the sequence as stratum to ask whether y follows x within sequences, or one observation per sequence
/// with the size as stratum to ask whether it does so within sizes. Takes time proportional to observations times
/// permutations.
///
/// [`Reason::Mismatched`] if `strata` has another length, [`Reason::NotFinite`] if it has an infinite value or NaN,
/// [`Reason::TooFew`] without permutations, [`Reason::Constant`] if x or y is constant within every stratum, so that no
/// permutation changes anything.
pub fn permutation_null(joint: &Joint, strata: Option<&[f64]>, permutations: usize, seed: u64) -> Result<Null, Reason> {
    if permutations == 0 {
        return Err(Reason::TooFew { needed: 1, found: 0 });
    }
    let rows = rows_of(strata, joint.y().len())?;
    let varies = |codes: &[usize], rows: &[usize]| rows.iter().any(|&row| codes[row] != codes[rows[0]]);
    let movable: Vec<Vec<usize>> =
        rows.into_iter().filter(|rows| varies(joint.x(), rows) && varies(joint.y(), rows)).collect();
    if movable.is_empty() {
        return Err(Reason::Constant);
    }
    let observed = joint.plug_in(&joint.counts(joint.y()));
    let mut draws = Draws::new(seed, Purpose::Permutation);
    let mut permuted = joint.y().to_vec();
    let (mut values, mut reached) = (Vec::with_capacity(permutations), 0);
    let mut own = Vec::new();
    for _ in 0..permutations {
        for rows in &movable {
            // Shuffling a shuffled order is a uniform draw as well.
            own.clear();
            own.extend(rows.iter().map(|&row| permuted[row]));
            draws.shuffle(&mut own);
            rows.iter().zip(&own).for_each(|(&row, &code)| permuted[row] = code);
        }
        let value = joint.plug_in(&joint.counts(&permuted));
        reached += usize::from(value >= observed - ROUNDING);
        values.push(value);
    }
    let number = values.len() as f64;
    let mean = values.iter().sum::<f64>() / number;
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / number).sqrt();
    Ok(Null { mean, deviation, p: (1 + reached) as f64 / (1 + permutations) as f64, permutations })
}

/// Rows of every stratum; all rows in one without strata.
fn rows_of(strata: Option<&[f64]>, rows: usize) -> Result<Vec<Vec<usize>>, Reason> {
    let Some(strata) = strata else { return Ok(vec![(0..rows).collect()]) };
    if strata.len() != rows {
        return Err(Reason::Mismatched);
    }
    let levels = Levels::of(strata)?;
    let mut of_stratum = vec![Vec::new(); levels.count()];
    levels.codes().iter().enumerate().for_each(|(row, &code)| of_stratum[code].push(row));
    Ok(of_stratum)
}
