//! Joint counts of two discrete variables.

use serde::{Deserialize, Serialize};

use crate::ranks::Levels;
use crate::reason::Reason;

/// Largest number of cells, occupied or not: 8 bytes each.
const MOST_CELLS: usize = 10_000_000;

/// Two discrete variables with one value per observation. Any two different values are different categories.
#[derive(Debug, Clone, PartialEq)]
pub struct Joint {
    x: Levels,
    y: Levels,
}

/// Mutual information of two variables, in nats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MutualInformation {
    /// Σ p(x, y) ln (p(x, y) / (p(x) p(y))) of the observed shares. It is biased upwards, by about (cells of x - 1)(cells
    /// of y - 1) / 2n for independent variables.
    pub plug_in: f64,
    /// `plug_in` with the correction of Miller (1955) for each entropy: + (m_x + m_y - m_xy - 1) / 2n, where m is a
    /// number of occupied cells. It may be negative.
    pub miller_madow: f64,
    /// `plug_in` divided by the smaller entropy: 1 if one variable determines the other.
    pub normalised: f64,
    /// Entropy of x.
    pub entropy_x: f64,
    /// Entropy of y.
    pub entropy_y: f64,
    /// Number of observations.
    pub count: usize,
}

impl Joint {
    /// [`Reason::Mismatched`] if the lengths differ, [`Reason::NotFinite`] if a value is infinite or NaN,
    /// [`Reason::Empty`] without observations, [`Reason::Constant`] if a variable does not vary, [`Reason::TooMany`]
    /// beyond ten million pairs of categories: bin such variables.
    pub fn of(x: &[f64], y: &[f64]) -> Result<Self, Reason> {
        if x.len() != y.len() {
            return Err(Reason::Mismatched);
        }
        let (x, y) = (Levels::of(x)?, Levels::of(y)?);
        if x.is_empty() {
            return Err(Reason::Empty);
        }
        if x.count() < 2 || y.count() < 2 {
            return Err(Reason::Constant);
        }
        let cells = x.count().saturating_mul(y.count());
        if cells > MOST_CELLS {
            return Err(Reason::TooMany { limit: MOST_CELLS, found: cells });
        }
        Ok(Joint { x, y })
    }

    /// Mutual information.
    pub fn information(&self) -> MutualInformation {
        let counts = self.counts(self.y.codes());
        let (x, y) = (tally(&self.x), tally(&self.y));
        let count = self.x.codes().len();
        let occupied = |counts: &[u64]| counts.iter().filter(|count| **count > 0).count() as f64;
        let plug_in = self.plug_in(&counts);
        let correction = (occupied(&x) + occupied(&y) - occupied(&counts) - 1.0) / (2.0 * count as f64);
        let (entropy_x, entropy_y) = (entropy(&x), entropy(&y));
        let normalised = (plug_in / entropy_x.min(entropy_y)).min(1.0);
        MutualInformation { plug_in, miller_madow: plug_in + correction, normalised, entropy_x, entropy_y, count }
    }

    /// Category of y of every observation.
    pub(super) fn y(&self) -> &[usize] {
        self.y.codes()
    }

    /// Category of x of every observation.
    pub(super) fn x(&self) -> &[usize] {
        self.x.codes()
    }

    /// Number of observations in every pair of categories, if y had these ones.
    pub(super) fn counts(&self, y: &[usize]) -> Vec<u64> {
        let width = self.y.count();
        let mut counts = vec![0; self.x.count() * width];
        for (&a, &b) in self.x.codes().iter().zip(y) {
            counts[a * width + b] += 1;
        }
        counts
    }

    /// Plug-in mutual information of joint counts: H(x) + H(y) - H(x, y), at least 0.
    pub(super) fn plug_in(&self, counts: &[u64]) -> f64 {
        (entropy(&tally(&self.x)) + entropy(&tally(&self.y)) - entropy(counts)).max(0.0)
    }
}

fn tally(levels: &Levels) -> Vec<u64> {
    let mut counts = vec![0; levels.count()];
    levels.codes().iter().for_each(|&code| counts[code] += 1);
    counts
}

/// Entropy of counts, in nats: ln n - Σ c ln c / n.
fn entropy(counts: &[u64]) -> f64 {
    let number = counts.iter().sum::<u64>() as f64;
    let sum: f64 = counts.iter().filter(|count| **count > 1).map(|&count| count as f64 * (count as f64).ln()).sum();
    number.ln() - sum / number
}
