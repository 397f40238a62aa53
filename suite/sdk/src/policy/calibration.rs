//! The data that a policy calibrates on, and its choices.

use std::collections::BTreeMap;

/// Answer tokens of the calibration part after each of D steps, from passes in which no token halts. Halting therefore
/// does not change keys and values here.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CalibrationTrace {
    /// Steps that every token took, D.
    pub max_depth: usize,
    /// Answer tokens, sequence by sequence.
    pub tokens: Vec<CalibrationToken>,
}

/// An answer token of the calibration part.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationToken {
    /// Index of its sequence, from 0.
    pub sequence: usize,
    /// Its 0-based position in the sequence.
    pub position: usize,
    /// The policy's scores after the steps 1..=D; `None` if it was not asked or gave no score.
    pub scores: Vec<Option<f64>>,
    /// The token predicted after each of the steps 1..=D.
    pub predictions: Vec<u32>,
    /// The right token.
    pub target: u32,
}

impl CalibrationTrace {
    /// Learn-then-Test over 21 thresholds from 1 down to 0 for a policy that halts a token at the first step whose
    /// score reaches `threshold_at(threshold, position)`. The loss of a sequence is the share of its answers whose
    /// prediction at their exit differs from that of step D. Returns the smallest accepted threshold, or 2, which no
    /// confidence reaches, and the values to record: this `threshold` and the number of `accepted` candidates.
    pub fn learn_then_test(
        &self,
        tolerated: f64,
        level: f64,
        threshold_at: impl Fn(f64, usize) -> f64,
    ) -> (f64, Calibrated) {
        let candidates: Vec<f64> = (0..=20).map(|step| 1.0 - f64::from(step) / 20.0).collect();
        let losses: Vec<Vec<f64>> = candidates
            .iter()
            .map(|threshold| {
                self.mean_per_sequence(|token| {
                    let least = threshold_at(*threshold, token.position);
                    let reaches = |score: &Option<f64>| score.is_some_and(|score| score >= least);
                    let exit = token.scores.iter().position(reaches).unwrap_or(token.predictions.len() - 1);
                    f64::from(u8::from(Some(&token.predictions[exit]) != token.predictions.last()))
                })
            })
            .collect();
        let items = losses[0].len();
        let means: Vec<f64> = losses.iter().map(|losses| losses.iter().sum::<f64>() / items.max(1) as f64).collect();
        let accepted = learn_then_test(&means, items, tolerated, level);
        let threshold = accepted.checked_sub(1).map_or(2.0, |last| candidates[last]);
        let named = |name: &str, value| (name.to_owned(), value);
        (threshold, Calibrated::from([named("threshold", threshold), named("accepted", accepted as f64)]))
    }

    /// For each sequence, in order, the mean of `loss` over its tokens.
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

/// Values that a policy chose on the calibration part, by name; the result records them.
pub type Calibrated = BTreeMap<String, f64>;

/// Number of candidates, safest first, that Learn-then-Test accepts (Angelopoulos et al. 2021, arXiv 2110.01052, with
/// fixed-sequence testing; CALM, arXiv 2207.07061): candidates are tested in turn until one fails. A candidate with the
/// mean loss m over n calibration items passes if the Hoeffding p-value exp(-2 n max(0, `tolerated` - m)^2) is at most
/// `level`.
pub fn learn_then_test(mean_losses: &[f64], items: usize, tolerated: f64, level: f64) -> usize {
    let p_value = |mean: f64| (-2.0 * items as f64 * (tolerated - mean).max(0.0).powi(2)).exp();
    mean_losses.iter().take_while(|mean| p_value(**mean) <= level).count()
}
