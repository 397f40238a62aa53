//! The Brier score and its decomposition.

use serde::{Deserialize, Serialize};

use super::check_probabilities;
use super::reliability::{Binning, reliability};
use crate::reason::Reason;

/// The mean squared error of probabilities:
/// `score` = `reliability` - `resolution` + `uncertainty` + `within`.
///
/// Murphy's decomposition (Journal of Applied Meteorology 12 (1973) 595-600) in bins, with the term for scores that
/// differ within a bin (Stephenson, Coelho and Jolliffe, Weather and Forecasting 23 (2008) 752-757).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Brier {
    /// Mean of (score - event)², from 0 to 1; lower is better.
    pub score: f64,
    /// Mean squared difference of a bin's score and share: 0 if calibrated.
    pub reliability: f64,
    /// Variance of the bins' shares: how far the score tells events apart. Higher is better.
    pub resolution: f64,
    /// Variance of the event, r (1 - r) for a share r of events; no score changes it.
    pub uncertainty: f64,
    /// Variance of scores within bins minus twice their covariance with the event; 0 if each bin has a single score.
    pub within: f64,
}

/// Brier score of probabilities. Errors as in [`crate::calibration`]; [`Reason::TooFew`] without bins.
pub fn brier(scores: &[f64], events: &[bool], binning: Binning) -> Result<Brier, Reason> {
    check_probabilities(scores, events)?;
    let number = scores.len() as f64;
    let squares = scores.iter().zip(events).map(|(score, &event)| (score - f64::from(u8::from(event))).powi(2));
    let score = squares.sum::<f64>() / number;
    let rate = events.iter().filter(|event| **event).count() as f64 / number;
    let bins = reliability(scores, events, binning)?.bins;
    let mean = |of: &dyn Fn(f64, f64) -> f64| {
        bins.iter().map(|bin| bin.count as f64 * of(bin.score, bin.share).powi(2)).sum::<f64>() / number
    };
    let reliability = mean(&|score, share| score - share);
    let resolution = mean(&|_, share| share - rate);
    let uncertainty = rate * (1.0 - rate);
    Ok(Brier { score, reliability, resolution, uncertainty, within: score - (reliability - resolution + uncertainty) })
}
