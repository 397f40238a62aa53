//! Error rate of the most confident answers.

use serde::{Deserialize, Serialize};

use super::scored::{Scored, Tie};
use crate::reason::Reason;

/// A point of the risk-coverage curve: all answers with at least this confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RiskPoint {
    /// The lowest confidence among these answers.
    pub threshold: f64,
    /// Their share of all answers, in (0, 1].
    pub coverage: f64,
    /// Share of wrong answers among them.
    pub risk: f64,
}

/// The risk-coverage curve and its area (El-Yaniv and Wiener, Journal of Machine Learning Research 11 (2010)
/// 1605-1641; Geifman, Uziel and El-Yaniv 2019).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RiskCoverage {
    /// One point per distinct confidence, in the order of coverage. The last one has coverage 1 and the overall risk.
    pub points: Vec<RiskPoint>,
    /// AURC: mean risk of the k most confident answers over k = 1..n. Ties are in random order, and this is the
    /// expectation over orders.
    pub area: f64,
    /// `area` minus the area of the best order, all correct answers first.
    pub excess: f64,
}

impl RiskCoverage {
    /// The curve of confidences, where `correct` is the event. Errors as in [`crate::calibration`].
    pub fn of(confidences: &[f64], correct: &[bool]) -> Result<Self, Reason> {
        Scored::of(confidences, correct)?.risk_coverage(|_| 1)
    }

    pub(super) fn of_ties(ties: &[Tie]) -> Result<Self, Reason> {
        let number = ties.iter().map(|tie| tie.count).sum::<u64>() as f64;
        if ties.is_empty() {
            return Err(Reason::Empty);
        }
        let (mut answers, mut wrong, mut area) = (0_u64, 0_u64, 0.0);
        let mut points = Vec::new();
        for tie in ties.iter().rev() {
            let wrong_here = tie.count - tie.events;
            let rate = wrong_here as f64 / tie.count as f64;
            for taken in 1..=tie.count {
                area += (wrong as f64 + taken as f64 * rate) / (answers + taken) as f64;
            }
            answers += tie.count;
            wrong += wrong_here;
            let coverage = answers as f64 / number;
            points.push(RiskPoint { threshold: tie.score, coverage, risk: wrong as f64 / answers as f64 });
        }
        let correct = answers - wrong;
        let best: f64 = (1..=wrong).map(|late| late as f64 / (correct + late) as f64).sum();
        let area = area / number;
        Ok(RiskCoverage { points, area, excess: (area - best / number).max(0.0) })
    }

    /// The largest coverage with a risk of at most `risk`. [`Reason::OutOfRange`] if no threshold achieves this.
    pub fn coverage_at(&self, risk: f64) -> Result<f64, Reason> {
        let met = self.points.iter().rev().find(|point| point.risk <= risk);
        met.map(|point| point.coverage).ok_or(Reason::OutOfRange)
    }
}
