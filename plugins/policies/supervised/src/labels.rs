//! Labels of a continuation decider: whether a token needs another step, from its predictions after all steps.

use haltbench_sdk::prelude::*;

/// Where labels come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Labels {
    /// Until the first right prediction; in all steps if there is none.
    FirstCorrect,
    /// Until the first prediction that equals the last one, even if a later one differs again.
    FirstConsistent,
    /// Until the step from which on all predictions equal the last one.
    Stable,
    /// After every step whose prediction is wrong.
    Mismatch,
}

impl Labels {
    /// What `name` says.
    pub fn from_name(name: &str) -> Self {
        match name {
            "first-consistent" => Self::FirstConsistent,
            "stable" => Self::Stable,
            "mismatch" => Self::Mismatch,
            _ => Self::FirstCorrect,
        }
    }

    /// Whether a token with these predictions after steps 1..=D and this target needs another step, after steps 1..D.
    pub fn of(self, predictions: &[u32], target: u32) -> Vec<bool> {
        let last = predictions.last();
        let is_right = |prediction: &u32| *prediction == target;
        let until = |needed: usize| (1..predictions.len()).map(|step| step < needed).collect();
        match self {
            Self::Mismatch => {
                predictions.iter().take(predictions.len().saturating_sub(1)).map(|found| !is_right(found)).collect()
            }
            Self::FirstCorrect => {
                until(predictions.iter().position(is_right).map_or(predictions.len(), |place| place + 1))
            }
            Self::FirstConsistent => {
                let agrees = |prediction: &u32| Some(prediction) == last;
                until(predictions.iter().position(agrees).map_or(predictions.len(), |place| place + 1))
            }
            Self::Stable => {
                let differs = |prediction: &u32| Some(prediction) != last;
                until(predictions.iter().rposition(differs).map_or(1, |place| place + 2))
            }
        }
    }

    /// [`of`](Self::of) for each answer.
    pub fn of_answers(self, pass: &TrainingPass) -> Result<Vec<Vec<bool>>> {
        let steps: Vec<Vec<u32>> =
            (1..=pass.record.max_depth).map(|step| pass.predictions(step)).collect::<Result<_>>()?;
        let labels = |(place, target): (usize, &u32)| {
            let predictions: Vec<u32> = steps.iter().map(|predictions| predictions[place]).collect();
            self.of(&predictions, *target)
        };
        Ok(pass.targets.iter().enumerate().map(labels).collect())
    }
}

/// The labels of predictions 4, 7, 4, 7, 7 with target 4, as the last step before each first label 0, or 5.
pub fn worked_example() -> String {
    let needed = |labels: Labels| {
        labels.of(&[4, 7, 4, 7, 7], 4).iter().position(|goes_on| !goes_on).map_or(5, |place| place + 1)
    };
    let all = [Labels::FirstCorrect, Labels::FirstConsistent, Labels::Stable, Labels::Mismatch];
    format!("{:?}", all.map(needed))
}
