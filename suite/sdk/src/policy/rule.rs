//! How a distribution over depths becomes a depth in evaluation.

use crate::error::Result;
use crate::parameters::{ParameterSpec, Parameters, Trend};

/// Rule that turns a distribution q over the depths 1..=D into a depth (paper §3.2.3 and A.5). Comparisons are exact in
/// f64, without a tolerance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HaltingRule {
    /// The most probable depth; the lowest of several.
    Mode,
    /// The smallest depth whose cumulative probability reaches one half.
    Median,
    /// The expected depth, rounded to the nearest whole number, halves up.
    Mean,
    /// The smallest depth whose cumulative probability reaches this threshold.
    Threshold(f64),
}

impl HaltingRule {
    /// The two parameters that choose a rule, for a policy whose default is the mode.
    pub const PARAMETERS_MODE: [ParameterSpec; 2] = Self::parameters("mode");
    /// The two parameters that choose a rule, for a policy whose default is the median.
    pub const PARAMETERS_MEDIAN: [ParameterSpec; 2] = Self::parameters("median");

    const fn parameters(default: &'static str) -> [ParameterSpec; 2] {
        [
            ParameterSpec::choice(
                "rule",
                default,
                &["mode", "median", "mean", "threshold"],
                "how the distribution over depths becomes a depth in evaluation",
            )
            .knob(Trend::None),
            ParameterSpec::real(
                "threshold",
                0.5,
                (0.0, 1.0),
                "cumulative probability at which rule = \"threshold\" halts",
            )
            .knob(Trend::Deeper),
        ]
    }

    /// The rule that the parameters `rule` and `threshold` choose.
    ///
    /// # Errors
    /// If they are not declared.
    pub fn from_parameters(parameters: &Parameters) -> Result<Self> {
        Ok(match parameters.text("rule")? {
            "median" => Self::Median,
            "mean" => Self::Mean,
            "threshold" => Self::Threshold(parameters.real("threshold")?),
            _ => Self::Mode,
        })
    }

    /// The depth, 1-based, for the probabilities `q` of the depths 1..=q.len().
    pub fn depth(self, q: &[f64]) -> u32 {
        let depth = match self {
            Self::Mode => {
                let best = q.iter().copied().fold(f64::MIN, f64::max);
                1 + q.iter().position(|mass| *mass == best).unwrap_or(0)
            }
            Self::Median => return Self::Threshold(0.5).depth(q),
            Self::Mean => (expectation(q) + 0.5).floor() as usize,
            Self::Threshold(threshold) => {
                let mut cumulative = 0.0;
                let reached = q.iter().position(|mass| {
                    cumulative += mass;
                    cumulative >= threshold
                });
                reached.map_or(q.len(), |index| index + 1)
            }
        };
        depth.clamp(1, q.len().max(1)) as u32
    }
}

/// The expected depth under the probabilities `q` of the depths 1..=q.len().
fn expectation(q: &[f64]) -> f64 {
    q.iter().enumerate().map(|(index, mass)| (index + 1) as f64 * mass).sum()
}

/// The halting probabilities of one token so far, and the distribution they imply.
///
/// The state of a halted token is frozen, so its halting probability stays constant. After step d, the distribution is
/// therefore completed with the last halting probability, and the token halts if the rule then chooses a depth of at
/// most d. For the median and for thresholds, this condition is F(d) >= q.
#[derive(Debug, Clone, Default)]
pub struct HazardHistory {
    mass: Vec<f64>,
    survival: Option<f64>,
    hazard: f64,
}

impl HazardHistory {
    /// Records alpha(d) in [0, 1] of the next step.
    pub fn push(&mut self, hazard: f64) {
        let survival = self.survival.unwrap_or(1.0);
        self.mass.push(survival * hazard);
        self.survival = Some(survival * (1.0 - hazard));
        self.hazard = hazard;
    }

    /// F(d), the probability of having halted by the last recorded step: the score of the median and of thresholds.
    pub fn cumulative(&self) -> f64 {
        self.mass.iter().sum()
    }

    /// Probabilities of the depths 1..=max_depth, completed with the last hazard.
    pub fn distribution(&self, max_depth: usize) -> Vec<f64> {
        let mut mass = self.mass.clone();
        let mut survival = self.survival.unwrap_or(1.0);
        while mass.len() < max_depth {
            mass.push(survival * self.hazard);
            survival *= 1.0 - self.hazard;
        }
        mass.truncate(max_depth);
        // The last depth takes the remaining probability: q(D) = r(D-1).
        let before: f64 = mass[..max_depth.saturating_sub(1)].iter().sum();
        if let Some(last) = mass.last_mut() {
            *last = (1.0 - before).max(0.0);
        }
        mass
    }

    /// The expected depth.
    pub fn expected_depth(&self, max_depth: usize) -> f64 {
        expectation(&self.distribution(max_depth))
    }

    /// Whether `rule` halts the token after the steps recorded so far.
    pub fn halts(&self, rule: HaltingRule, max_depth: usize) -> bool {
        rule.depth(&self.distribution(max_depth)) as usize <= self.mass.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PonderNet's worked distribution: hazards .2, .3, .5 and a forced last step give q below.
    const Q: [f64; 4] = [0.2, 0.24, 0.28, 0.28];

    #[test]
    fn rules_on_a_worked_distribution() {
        assert_eq!(HaltingRule::Mode.depth(&Q), 3);
        assert_eq!(HaltingRule::Median.depth(&Q), 3);
        assert_eq!(HaltingRule::Mean.depth(&Q), 3); // E = 2.64
        assert_eq!(
            [0.0, 0.2, 0.3, 0.5, 0.72, 0.9, 1.0].map(|q| HaltingRule::Threshold(q).depth(&Q)),
            [1, 1, 2, 3, 3, 4, 4]
        );
        assert_eq!(HaltingRule::Mean.depth(&[0.5, 0.5]), 2, "halves round up");
        assert_eq!(HaltingRule::Mode.depth(&[0.5, 0.5]), 1, "ties take the lower depth");
    }

    #[test]
    fn hazards_give_the_distribution_and_halt_where_the_rule_says() {
        let mut history = HazardHistory::default();
        let mut halted = None;
        for (step, hazard) in [0.2, 0.3, 0.5, 0.1].into_iter().enumerate() {
            history.push(hazard);
            if halted.is_none() && history.halts(HaltingRule::Median, 4) {
                halted = Some(step + 1);
            }
        }
        assert_eq!(halted, Some(3));
        for (found, expected) in history.distribution(4).iter().zip(Q) {
            assert!((found - expected).abs() < 1e-12);
        }
        assert!((history.expected_depth(4) - 2.64).abs() < 1e-12);
        let mut history = HazardHistory::default();
        for (hazard, reached) in [(0.2, 0.2), (0.3, 0.44), (0.5, 0.72)] {
            history.push(hazard);
            assert!((history.cumulative() - reached).abs() < 1e-12);
        }
    }

    #[test]
    fn every_online_rule_halts_by_the_last_depth() {
        for rule in [HaltingRule::Mode, HaltingRule::Median, HaltingRule::Mean, HaltingRule::Threshold(1.0)] {
            let mut history = HazardHistory::default();
            for _ in 0..6 {
                history.push(1e-6);
            }
            assert!(history.halts(rule, 6), "{rule:?}");
        }
    }
}
