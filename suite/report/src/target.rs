//! Target for choosing a setting of a policy's knobs on the calibration part.

use haltbench_engine::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Target for choosing the setting of a policy's knobs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The most accurate setting whose cost is at most this share of all D steps.
    Cost(f64),
    /// The cheapest setting whose accuracy is at least this share of the accuracy of the best fixed depth.
    Accuracy(f64),
}

impl Default for Target {
    fn default() -> Self {
        Self::Accuracy(0.99)
    }
}

impl Target {
    /// Reads `cost=0.5` or `accuracy=0.99`.
    ///
    /// # Errors
    /// [`Error::Usage`] with the expected form.
    pub fn from_text(text: &str) -> Result<Self> {
        let refused = || {
            let expected = "cost=SHARE or accuracy=SHARE with a share above 0, such as cost=0.5 or accuracy=0.99";
            Error::Usage(format!("--at: expected {expected}, found `{text}`"))
        };
        let (name, share) = text.split_once('=').ok_or_else(refused)?;
        let share: f64 = share.trim().parse().map_err(|_| refused())?;
        if !share.is_finite() || share <= 0.0 {
            return Err(refused());
        }
        match name.trim() {
            "cost" => Ok(Self::Cost(share)),
            "accuracy" => Ok(Self::Accuracy(share)),
            _ => Err(refused()),
        }
    }

    /// The target in the form of `--at`.
    pub fn text(self) -> String {
        match self {
            Self::Cost(share) => format!("cost={share}"),
            Self::Accuracy(share) => format!("accuracy={share}"),
        }
    }

    /// The target in words.
    pub fn words(self) -> String {
        match self {
            Self::Cost(share) => {
                format!("the most accurate that costs at most {} % of all D steps", percent(share))
            }
            Self::Accuracy(share) => {
                format!("the cheapest with at least {} % of the accuracy of the best fixed depth", percent(share))
            }
        }
    }
}

/// A share in percent, without binary rounding noise.
fn percent(share: f64) -> f64 {
    (share * 1e8).round() / 1e6
}

/// Cost and accuracy of a setting on the calibration part, at trained sizes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Calibrated {
    /// Executed operations as a share of all D steps without decisions.
    pub cost: f64,
    /// Share of correct answer tokens.
    pub accuracy: f64,
}

/// The setting that reaches a target, or the one that comes closest to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// The setting reaches the target.
    Reached(usize),
    /// No setting reaches the target; this one comes closest.
    Closest(usize),
}

/// Chooses one of several settings. `best_fixed` is the accuracy of the best fixed depth on the same instances; without
/// it no accuracy has a reference, and the most accurate setting is the closest.
pub(crate) fn choose(settings: &[Calibrated], target: Target, best_fixed: Option<f64>) -> Option<Chosen> {
    let better = |a: &Calibrated, b: &Calibrated| b.accuracy.total_cmp(&a.accuracy).then(a.cost.total_cmp(&b.cost));
    let cheaper = |a: &Calibrated, b: &Calibrated| a.cost.total_cmp(&b.cost).then(b.accuracy.total_cmp(&a.accuracy));
    let least = |reaches: &dyn Fn(&Calibrated) -> bool,
                 order: &dyn Fn(&Calibrated, &Calibrated) -> std::cmp::Ordering| {
        let within = settings.iter().enumerate().filter(|(_, setting)| reaches(setting));
        within.min_by(|(_, a), (_, b)| order(a, b)).map(|(place, _)| place)
    };
    let (reached, closest) = match target {
        Target::Cost(most) => (least(&|setting| setting.cost <= most, &better), least(&|_| true, &cheaper)),
        Target::Accuracy(share) => {
            let wanted = best_fixed.map(|best| share * best);
            let reaches = |setting: &Calibrated| wanted.is_some_and(|wanted| setting.accuracy >= wanted);
            (least(&reaches, &cheaper), least(&|_| true, &better))
        }
    };
    reached.map(Chosen::Reached).or(closest.map(Chosen::Closest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: [Calibrated; 4] = [
        Calibrated { cost: 0.4, accuracy: 0.80 },
        Calibrated { cost: 0.6, accuracy: 0.95 },
        Calibrated { cost: 0.5, accuracy: 0.95 },
        Calibrated { cost: 1.0, accuracy: 0.96 },
    ];

    #[test]
    fn chooses_what_the_target_asks_for() {
        let at = |target, best| choose(&SETTINGS, target, best);
        assert_eq!(at(Target::Cost(0.6), None), Some(Chosen::Reached(2)), "equally accurate: the cheaper one");
        assert_eq!(at(Target::Cost(0.45), None), Some(Chosen::Reached(0)));
        assert_eq!(at(Target::Cost(0.1), None), Some(Chosen::Closest(0)));
        assert_eq!(at(Target::Accuracy(0.99), Some(0.96)), Some(Chosen::Reached(3)));
        assert_eq!(at(Target::Accuracy(0.95), Some(1.0)), Some(Chosen::Reached(2)));
        assert_eq!(at(Target::Accuracy(0.99), Some(1.0)), Some(Chosen::Closest(3)));
        assert_eq!(at(Target::Accuracy(0.5), None), Some(Chosen::Closest(3)));
        assert_eq!(choose(&[], Target::Cost(1.0), None), None);
    }

    #[test]
    fn reads_what_it_writes_and_refuses_the_rest() {
        for text in ["cost=0.5", "accuracy=0.99", "accuracy=1.02"] {
            assert_eq!(Target::from_text(text).unwrap().text(), text);
        }
        for text in ["", "cost", "cost=", "cost=x", "cost=0", "cost=-1", "speed=2", "cost=inf"] {
            let message = Target::from_text(text).unwrap_err().to_string();
            assert!(message.starts_with("--at: expected cost=SHARE or accuracy=SHARE"), "{message}");
        }
    }
}
