//! The paired permutation test.

use serde::{Deserialize, Serialize};

use crate::reason::Reason;
use crate::resampling::{Draws, Purpose};

/// Up to this many differences, all sign patterns are enumerated: 65,536 of them.
const ENUMERATED: usize = 16;

/// Sums that differ by less than this, relative to the sum of all |differences|, are equal up to rounding.
const ROUNDING: f64 = 1e-12;

/// Which sign patterns a test has compared with the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permutations {
    /// All of them: the p value is exact.
    All,
    /// Random ones.
    Random(usize),
}

/// A paired permutation test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SignFlip {
    /// Mean difference.
    pub mean: f64,
    /// Two-sided p value, above 0. With n differences it is at least 2^(1-n): five seeds cannot go below 0.0625.
    pub p: f64,
    /// Which sign patterns were compared.
    pub permutations: Permutations,
}

/// Tests whether paired differences, one per cluster or seed, are symmetric around 0, as they are if it does not matter
/// which of two policies produced which value (Fisher 1935).
///
/// The p value is the share of sign patterns with at least the |sum| of the data: of all patterns with up to 16
/// differences that are not 0, otherwise (1 + number) / (1 + draws) of `draws` random ones (Phipson and Smyth,
/// Statistical Applications in Genetics and Molecular Biology 9 (2010) 39), drawn from `seed`.
///
/// [`Reason::Empty`] without differences, [`Reason::NotFinite`] if one is infinite or NaN, [`Reason::TooFew`] without
/// draws where they are needed. If all differences are 0, p is 1.
pub fn sign_flip(differences: &[f64], draws: usize, seed: u64) -> Result<SignFlip, Reason> {
    if differences.is_empty() {
        return Err(Reason::Empty);
    }
    if differences.iter().any(|own| !own.is_finite()) {
        return Err(Reason::NotFinite);
    }
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    if !mean.is_finite() {
        return Err(Reason::NotFinite);
    }
    // The sign of 0 does not matter.
    let sizes: Vec<f64> = differences.iter().map(|own| own.abs()).filter(|size| *size > 0.0).collect();
    let largest = differences.iter().sum::<f64>().abs() - ROUNDING * sizes.iter().sum::<f64>();
    if sizes.len() <= ENUMERATED {
        let patterns = 1_u64 << sizes.len();
        let reached = (0..patterns).filter(|&pattern| signed(&sizes, pattern).abs() >= largest).count();
        return Ok(SignFlip { mean, p: reached as f64 / patterns as f64, permutations: Permutations::All });
    }
    if draws == 0 {
        return Err(Reason::TooFew { needed: 1, found: 0 });
    }
    let mut stream = Draws::new(seed, Purpose::SignFlip);
    let mut reached = 0;
    for _ in 0..draws {
        let sum: f64 = sizes.chunks(64).map(|chunk| signed(chunk, stream.bits())).sum();
        reached += usize::from(sum.abs() >= largest);
    }
    Ok(SignFlip { mean, p: (1 + reached) as f64 / (1 + draws) as f64, permutations: Permutations::Random(draws) })
}

/// Sum of up to 64 sizes, negative where the pattern has a one.
fn signed(sizes: &[f64], pattern: u64) -> f64 {
    sizes.iter().enumerate().map(|(place, size)| if pattern >> place & 1 == 1 { -size } else { *size }).sum()
}
