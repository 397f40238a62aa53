//! The softmax over keys of a block of queries, which lie side by side.

use crate::cpu::{self, LANES, Real, number};
use crate::instructions::Instructions;
use crate::product::kernel::WIDE;

/// Queries that are processed at once, side by side: each query is a column, so a sum over its keys is a sum of rows
/// and never adds numbers within a register. If a sequence has few queries, a block holds queries of several heads.
pub const BLOCK: usize = WIDE;

/// Numbers that belong to a key or a column of a head, one for each query of a block.
pub type Lanes<T> = [T; BLOCK];

/// Turns products of keys with queries into numerators of their softmax; returns 1 / their sums.
#[inline(always)]
pub fn numerators<T: Real>(instructions: impl Instructions, scale: T, scores: &mut [Lanes<T>]) -> Lanes<T> {
    let mut largest = [number::<T>(f64::NEG_INFINITY); BLOCK];
    for scores in scores.iter_mut() {
        *scores = scores.map(|score| score * scale);
        largest = maxima(*scores, largest);
    }
    // Eight sums, each of every eighth key.
    let mut sums = [[T::zero(); BLOCK]; LANES];
    for scores in scores.chunks_mut(LANES) {
        for (scores, sums) in scores.iter_mut().zip(&mut sums) {
            for ((score, largest), sum) in scores.iter_mut().zip(&largest).zip(sums) {
                *score = (*score - *largest).exp(instructions);
                *sum += *score;
            }
        }
    }
    let mut total = [T::zero(); BLOCK];
    for sums in &sums {
        cpu::accumulate(&mut total, sums);
    }
    total.map(|total| number::<T>(1.0) / total)
}

/// The smaller of each pair. A number that may be NaN must come first; the result is then NaN.
#[inline(always)]
pub fn minima<T: Real>(left: Lanes<T>, right: Lanes<T>) -> Lanes<T> {
    std::array::from_fn(|lane| if right[lane] < left[lane] { right[lane] } else { left[lane] })
}

/// The larger of each pair; the second if the first is NaN.
#[inline(always)]
fn maxima<T: Real>(left: Lanes<T>, right: Lanes<T>) -> Lanes<T> {
    std::array::from_fn(|lane| if left[lane] > right[lane] { left[lane] } else { right[lane] })
}

/// Turns numerators of the softmax into probabilities p and slopes by them, dp, into slopes by the scores:
/// ds_j = p_j (dp_j - sum_i p_i dp_i).
#[inline(always)]
pub fn slopes_of_scores<T: Real>(scores: &mut [Lanes<T>], slopes: &mut [Lanes<T>], inverses: &Lanes<T>, scale: T) {
    /// Every sixteenth key has a sum of its own.
    const SUMS: usize = 16;
    let mut sums = [[T::zero(); BLOCK]; SUMS];
    for (scores, slopes) in scores.chunks_mut(SUMS).zip(slopes.chunks(SUMS)) {
        for ((scores, slopes), sums) in scores.iter_mut().zip(slopes).zip(&mut sums) {
            for (((score, slope), inverse), sum) in scores.iter_mut().zip(slopes).zip(inverses).zip(sums) {
                *score *= *inverse;
                *sum += *score * *slope;
            }
        }
    }
    let mut width = SUMS / 2;
    while width > 0 {
        let (low, high) = sums.split_at_mut(width);
        for (low, high) in low.iter_mut().zip(high) {
            cpu::accumulate(low, high);
        }
        width /= 2;
    }
    let [mean, ..] = sums;
    for (scores, slopes) in scores.iter().zip(slopes) {
        for ((score, slope), mean) in scores.iter().zip(slopes).zip(&mean) {
            *slope = *score * (*slope - *mean) * scale;
        }
    }
}
