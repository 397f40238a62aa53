//! How the next token is chosen from its logits.

use haltbench_sdk::candle_core::{DType, Device, Tensor};
use haltbench_sdk::random::Stream;

use crate::error::{Error, Result};

/// How the next token is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The token with the largest logit, the first of equal ones.
    Greedy,
    /// A token drawn at temperature 1. Every draw is keyed by the sequence and the position, never by the batch.
    Sampled {
        /// Seed of the draws.
        seed: u64,
    },
}

/// A token and its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chosen {
    /// The token.
    pub token: u32,
    /// The probability that the model gives it.
    pub probability: f64,
}

impl Choice {
    /// Chooses from each row of `logits`; `tokens` holds the sequence id and the position of the token that each row
    /// predicts.
    ///
    /// # Errors
    /// If a logit is not a number.
    pub(super) fn of(self, logits: &Tensor, tokens: &[(u64, usize)]) -> Result<Vec<Chosen>> {
        let rows = logits.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.to_vec2::<f64>()?;
        let choose = |(row, (identity, position)): (&Vec<f64>, &(u64, usize))| {
            if row.iter().any(|logit| logit.is_nan()) {
                let message = format!("decoding: logits of token {position} of sequence {identity} are NaN");
                return Err(Error::Cell(message));
            }
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let masses: Vec<f64> = row.iter().map(|logit| (logit - largest).exp()).collect();
            let total: f64 = masses.iter().sum();
            let place = match self {
                Self::Greedy => row.iter().position(|logit| *logit == largest).unwrap_or(0),
                Self::Sampled { seed } => {
                    let mut stream = Stream::new(seed, "decoding", &[*identity, *position as u64]);
                    drawn(&masses, stream.uniform() * total)
                }
            };
            Ok(Chosen { token: place as u32, probability: masses[place] / total })
        };
        rows.iter().zip(tokens).map(choose).collect()
    }
}

/// The index at which the running sum of `masses` first exceeds `rest`.
fn drawn(masses: &[f64], mut rest: f64) -> usize {
    for (place, mass) in masses.iter().enumerate() {
        rest -= mass;
        if rest < 0.0 {
            return place;
        }
    }
    // Reached only through rounding: take the last token with mass.
    masses.iter().rposition(|mass| *mass > 0.0).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_logit_is_greedy_and_ties_take_the_first() {
        let logits = Tensor::new(&[[0f32, 2.0, 2.0], [3.0, -1.0, 0.0]], &Device::Cpu).unwrap();
        let chosen = Choice::Greedy.of(&logits, &[(0, 0), (1, 0)]).unwrap();
        assert_eq!(chosen.iter().map(|chosen| chosen.token).collect::<Vec<u32>>(), [1, 0]);
        let expected = 1.0 / (2.0 + (-2f64).exp());
        assert!((chosen[0].probability - expected).abs() < 1e-12);
        let broken = Tensor::new(&[[0f32, f32::NAN]], &Device::Cpu).unwrap();
        let error = Choice::Greedy.of(&broken, &[(7, 3)]).unwrap_err().to_string();
        assert!(error.contains("token 3 of sequence 7"), "{error}");
    }

    #[test]
    fn draws_follow_the_probabilities_and_are_keyed_by_token() {
        let logits = Tensor::new(&[[0.5f64.ln(), f64::NEG_INFINITY, 0.3f64.ln(), 0.2f64.ln()]], &Device::Cpu).unwrap();
        let draw =
            |seed, identity, position| Choice::Sampled { seed }.of(&logits, &[(identity, position)]).unwrap()[0].token;
        let count = 20_000;
        let mut found = [0.0; 4];
        (0..count).for_each(|position| found[draw(1, 5, position) as usize] += 1.0 / count as f64);
        for (found, expected) in found.iter().zip([0.5, 0.0, 0.3, 0.2]) {
            assert!((found - expected).abs() < 0.015, "{found} {expected}");
        }
        let several = |seed, identity| (0..64).map(|position| draw(seed, identity, position)).collect::<Vec<u32>>();
        assert_eq!(several(1, 5), several(1, 5));
        assert_ne!(several(1, 5), several(2, 5));
        assert_ne!(several(1, 5), several(1, 6));
        assert_eq!(drawn(&[0.5, 0.5, 0.0], 1.0), 1);
    }
}
