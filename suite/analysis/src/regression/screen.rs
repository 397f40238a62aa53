//! Leaving out features that cannot be told apart.

use serde::{Deserialize, Serialize};

use super::dropped::{Cause, Dropped};
use super::factor::unit_columns;
use super::reduction::Regression;
use crate::reason::Reason;

/// Limits for features of one regression.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Largest |correlation| of two numeric features.
    pub correlation: f64,
    /// Largest variance inflation factor of a feature; see [`super::Inflation::per_column`].
    pub inflation: f64,
}

impl Default for Limits {
    /// The limits of the paper's pipeline (arXiv 2602.08864, A.8).
    fn default() -> Self {
        Limits { correlation: 0.8, inflation: 5.0 }
    }
}

impl Regression {
    /// The same regression without features that exceed the limits, as in the paper's A.8.
    ///
    /// First, as long as two numeric features correlate above the limit, the pair with the largest |correlation| loses
    /// the feature that correlates less with the target. Then, as long as a variance inflation factor is above the
    /// limit, the feature with the largest one leaves; among features that depend linearly on each other, the last one.
    /// Of equals, the last in the order of features leaves. [`Regression::dropped`] has the log, in the order of leaving.
    pub fn screen(&self, limits: Limits) -> Result<Self, Reason> {
        let mut screened = self.clone();
        while let Some(dropped) = screened.correlated(limits.correlation) {
            screened = screened.without_features(vec![dropped])?;
        }
        while let Some(dropped) = screened.inflated(limits.inflation) {
            screened = screened.without_features(vec![dropped])?;
        }
        Ok(screened)
    }

    fn correlated(&self, limit: f64) -> Option<Dropped> {
        let columns = self.columns_where(|column| !column.is_category);
        let centred = self.whole().centred();
        let last = centred.ncols() - 1;
        let selected: Vec<usize> = columns.iter().copied().chain([last]).collect();
        let unit = unit_columns(&centred, &selected);
        let correlations = unit.tr_mul(&unit);
        let mut worst: Option<(usize, usize, f64)> = None;
        for first in 0..columns.len() {
            for second in first + 1..columns.len() {
                let correlation = correlations[(first, second)].clamp(-1.0, 1.0);
                if correlation.abs() > worst.map_or(limit, |(_, _, largest)| largest.abs()) {
                    worst = Some((first, second, correlation));
                }
            }
        }
        let (first, second, correlation) = worst?;
        let with_target = |place: usize| correlations[(place, columns.len())].abs();
        let (kept, gone) = if with_target(first) >= with_target(second) { (first, second) } else { (second, first) };
        let name = |place: usize| self.column(columns[place]).feature.clone();
        Some(Dropped { name: name(gone), cause: Cause::Correlated { with: name(kept), correlation } })
    }

    fn inflated(&self, limit: f64) -> Option<Dropped> {
        let inflations = self.inflations();
        let names = self.features();
        let dependent = names.iter().rev().find(|name| inflations.iter().all(|own| own.feature != **name));
        if let Some(name) = dependent {
            return Some(Dropped { name: (*name).to_owned(), cause: Cause::RankDeficient });
        }
        let worst = inflations.iter().max_by(|a, b| a.per_column().total_cmp(&b.per_column()))?;
        (worst.per_column() > limit)
            .then(|| Dropped { name: worst.feature.clone(), cause: Cause::Inflated { factor: worst.per_column() } })
    }
}
