//! What a policy calibrates on, and what it chose.

use std::collections::BTreeMap;

/// Answer tokens of the calibration split after each of D steps that every token takes. Other tokens' exits do not change
/// keys and values here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CalibrationTrace {
    /// Steps that every token took, D.
    pub max_depth: usize,
    /// Answer tokens, sequence by sequence.
    pub tokens: Vec<CalibrationToken>,
}

/// An answer token of the calibration split.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationToken {
    /// Place of its sequence, from 0.
    pub sequence: usize,
    /// Its 0-based position in the sequence.
    pub position: usize,
    /// The numbers that the policy compared with a threshold after the steps 1..=D; `None` where it was not asked.
    pub scores: Vec<Option<f64>>,
    /// The token predicted after each of the steps 1..=D.
    pub predictions: Vec<u32>,
    /// The right token.
    pub target: u32,
}

impl CalibrationTrace {
    /// The mean over the tokens of each sequence of `loss`, in the order of the sequences.
    pub fn mean_per_sequence(&self, loss: impl Fn(&CalibrationToken) -> f64) -> Vec<f64> {
        let mut sums: BTreeMap<usize, (f64, u32)> = BTreeMap::new();
        for token in &self.tokens {
            let (sum, count) = sums.entry(token.sequence).or_default();
            *sum += loss(token);
            *count += 1;
        }
        sums.into_values().map(|(sum, count)| sum / f64::from(count)).collect()
    }
}

/// What a policy chose on the calibration split, by name; it is recorded with the result.
pub type Calibrated = BTreeMap<String, f64>;
