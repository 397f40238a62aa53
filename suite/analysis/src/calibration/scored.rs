//! Scores and events, prepared for repeated evaluation.

use super::check;
use super::risk_coverage::RiskCoverage;
use crate::ranks::Levels;
use crate::reason::Reason;

/// Scores and events. Sorting happens once; leaving out observations only changes the counts at each score.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    levels: Levels,
    /// The distinct scores, ascending.
    scores: Vec<f64>,
    events: Vec<bool>,
}

/// Observations with one score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tie {
    pub score: f64,
    pub count: u64,
    /// Number of observations with the event.
    pub events: u64,
}

impl Scored {
    /// Prepares scores with an event each. Errors as in [`crate::calibration`].
    pub fn of(scores: &[f64], events: &[bool]) -> Result<Self, Reason> {
        check(scores, events)?;
        let levels = Levels::of(scores)?;
        let mut distinct = vec![0.0; levels.count()];
        levels.codes().iter().zip(scores).for_each(|(&code, &score)| distinct[code] = score);
        Ok(Scored { levels, scores: distinct, events: events.to_vec() })
    }

    /// [`super::auroc`] if observation i occurs `weight(i)` times. [`Reason::Constant`] if all of them, or none, have the
    /// event.
    pub fn auroc(&self, weight: impl Fn(usize) -> u32) -> Result<f64, Reason> {
        // Twice the number of pairs in the right order, exactly.
        let (mut right, mut others_below) = (0_u128, 0_u128);
        let mut total = 0_u128;
        for tie in self.ties(weight) {
            let (with, without) = (u128::from(tie.events), u128::from(tie.count - tie.events));
            right += with * (2 * others_below + without);
            others_below += without;
            total += with;
        }
        let pairs = total * others_below;
        if pairs == 0 { Err(Reason::Constant) } else { Ok(right as f64 / (2 * pairs) as f64) }
    }

    /// [`RiskCoverage`] if observation i occurs `weight(i)` times. [`Reason::Empty`] if none occurs.
    pub fn risk_coverage(&self, weight: impl Fn(usize) -> u32) -> Result<RiskCoverage, Reason> {
        RiskCoverage::of_ties(&self.ties(weight))
    }

    /// The scores that occur, ascending.
    fn ties(&self, weight: impl Fn(usize) -> u32) -> Vec<Tie> {
        let mut ties: Vec<Tie> = self.scores.iter().map(|&score| Tie { score, count: 0, events: 0 }).collect();
        for (row, (&code, &event)) in self.levels.codes().iter().zip(&self.events).enumerate() {
            let times = u64::from(weight(row));
            ties[code].count += times;
            ties[code].events += if event { times } else { 0 };
        }
        ties.retain(|tie| tie.count > 0);
        ties
    }
}
