//! Non-decreasing fits.

use serde::{Deserialize, Serialize};

use crate::ranks::Levels;
use crate::reason::Reason;

/// The non-decreasing sequence with the smallest weighted sum of squared differences to `values`: pool adjacent violators
/// (Barlow, Bartholomew, Bremner and Brunk 1972), in linear time. For a non-increasing one, negate the values before and
/// after.
///
/// [`Reason::Mismatched`] if the lengths differ, [`Reason::NotFinite`] if a number is infinite or NaN,
/// [`Reason::OutOfRange`] if a weight is not positive, [`Reason::Empty`] without values.
pub fn isotonic(values: &[f64], weights: &[f64]) -> Result<Vec<f64>, Reason> {
    struct Block {
        mean: f64,
        weight: f64,
        length: usize,
    }
    if values.len() != weights.len() {
        return Err(Reason::Mismatched);
    }
    if values.iter().chain(weights).any(|own| !own.is_finite()) {
        return Err(Reason::NotFinite);
    }
    if weights.iter().any(|weight| *weight <= 0.0) {
        return Err(Reason::OutOfRange);
    }
    if values.is_empty() {
        return Err(Reason::Empty);
    }
    let mut blocks: Vec<Block> = Vec::new();
    for (&mean, &weight) in values.iter().zip(weights) {
        let mut own = Block { mean, weight, length: 1 };
        while let Some(last) = blocks.pop_if(|last| last.mean >= own.mean) {
            let weight = last.weight + own.weight;
            let mean = last.mean + (own.mean - last.mean) * (own.weight / weight);
            own = Block { mean, weight, length: last.length + own.length };
        }
        blocks.push(own);
    }
    Ok(blocks.iter().flat_map(|block| std::iter::repeat_n(block.mean, block.length)).collect())
}

/// A non-decreasing fit of y to x.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Isotonic {
    /// Distinct values of x, ascending.
    pub x: Vec<f64>,
    /// Mean of y at each of them.
    pub means: Vec<f64>,
    /// Fitted value at each of them.
    pub fitted: Vec<f64>,
    /// Share of the variance of y that the fit explains, from 0 to 1.
    pub r_squared: f64,
    /// Share that the means explain: the largest that any function of x can. The two are equal if means never fall.
    pub largest_r_squared: f64,
}

/// The non-decreasing function of x with the smallest sum of squares.
///
/// [`Reason::Mismatched`], [`Reason::NotFinite`] and [`Reason::Empty`] as for [`isotonic`]; [`Reason::Constant`] if x or y
/// does not vary.
pub fn isotonic_fit(x: &[f64], y: &[f64]) -> Result<Isotonic, Reason> {
    if x.len() != y.len() {
        return Err(Reason::Mismatched);
    }
    let levels = Levels::of(x)?;
    if y.iter().any(|own| !own.is_finite()) {
        return Err(Reason::NotFinite);
    }
    let first = *y.first().ok_or(Reason::Empty)?;
    if levels.count() < 2 || y.iter().all(|own| *own == first) {
        return Err(Reason::Constant);
    }
    let mut places = vec![0.0; levels.count()];
    let (mut sums, mut weights) = (vec![0.0; levels.count()], vec![0.0; levels.count()]);
    for ((&code, &x), &y) in levels.codes().iter().zip(x).zip(y) {
        places[code] = x;
        sums[code] += y;
        weights[code] += 1.0;
    }
    let means: Vec<f64> = sums.iter().zip(&weights).map(|(sum, weight)| sum / weight).collect();
    let fitted = isotonic(&means, &weights)?;
    let mean = y.iter().sum::<f64>() / y.len() as f64;
    let total: f64 = y.iter().map(|own| (own - mean).powi(2)).sum();
    let explained = |fit: &[f64]| {
        let squares: f64 = levels.codes().iter().zip(y).map(|(&code, own)| (own - fit[code]).powi(2)).sum();
        (1.0 - squares / total).clamp(0.0, 1.0)
    };
    let (r_squared, largest_r_squared) = (explained(&fitted), explained(&means));
    if !total.is_finite() {
        return Err(Reason::NotFinite);
    }
    Ok(Isotonic { x: places, r_squared, largest_r_squared, means, fitted })
}
