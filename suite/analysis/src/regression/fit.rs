//! The fitted regression: coefficients and explained variance.

use serde::{Deserialize, Serialize};

use super::dropped::{Cause, Dropped};
use super::factor::{TOLERANCE, unit_columns};
use super::inflation::of_columns;
use super::reduction::Regression;
use crate::estimate::Estimate;
use crate::reason::Reason;

/// A least-squares fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// Number of rows.
    pub rows: usize,
    /// R²: the share of the target's variance that the fit explains, from 0 to 1.
    pub r_squared: f64,
    /// 1 - (1 - R²)(n - 1) / (n - k - 1) for n rows and k columns. It may be negative, and it is missing with
    /// [`Reason::TooFew`] below k + 2 rows.
    pub adjusted: Estimate,
    /// Fitted value where all features are 0 and all categories are the lowest.
    pub intercept: f64,
    /// One per column that was used, in the order of features.
    pub coefficients: Vec<Coefficient>,
    /// Features and columns that were left out, with the reasons.
    pub dropped: Vec<Dropped>,
}

/// Coefficient of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Coefficient {
    /// Name of the column: the feature, with its category if there are categories.
    pub name: String,
    /// Group of the feature.
    pub group: String,
    /// Change of the target per unit of the feature, or against the lowest category.
    pub value: f64,
    /// Change of the target per standard deviation of the column, in standard deviations of the target.
    pub standardised: f64,
    /// Variance inflation factor 1 / (1 - R²) of the column, fitted to the other columns; at least 1.
    pub inflation: f64,
}

impl Regression {
    /// The fit to all columns that are used. A column that is a linear function of another one, or a linear combination
    /// of several, is left out; among several that depend on each other, column pivoting decides.
    ///
    /// [`Reason::Constant`] if the target is constant, [`Reason::NoFeatures`] if no column varies.
    pub fn fit(&self) -> Result<Fit, Reason> {
        let centred = self.whole().centred();
        let last = centred.ncols() - 1;
        let mut dropped = self.dropped().to_vec();
        let columns = self.distinct(&mut dropped);
        if columns.is_empty() {
            return Err(Reason::NoFeatures);
        }
        let solution = self.solve(&columns)?;
        for &column in columns.iter().filter(|column| !solution.kept.contains(column)) {
            dropped.push(Dropped { name: self.column(column).name.clone(), cause: Cause::RankDeficient });
        }
        let target = self.target();
        let length = centred.column(last).norm();
        let inflations = of_columns(&centred, &solution.kept)?;
        let mut coefficients = Vec::with_capacity(solution.kept.len());
        for ((&place, &scaled), inflation) in solution.kept.iter().zip(&solution.coefficients).zip(inflations) {
            let column = self.column(place);
            coefficients.push(Coefficient {
                name: column.name.clone(),
                group: column.group.clone(),
                value: scaled * target.spread / column.scale.spread,
                standardised: scaled * centred.column(place).norm() / length,
                inflation,
            });
        }
        // The fit passes through the means. A mean is the first row's sum over the number of rows, in scaled units.
        let sums = self.whole().sums();
        let mean = |column: usize| sums[column + 1] / sums[0];
        let at_mean = target.centre + target.spread * mean(last);
        let slopes = solution.kept.iter().zip(&coefficients).map(|(&place, coefficient)| {
            let scale = self.column(place).scale;
            coefficient.value * (scale.centre + scale.spread * mean(place))
        });
        let intercept = at_mean - slopes.sum::<f64>();
        if !intercept.is_finite() || coefficients.iter().any(|coefficient| !coefficient.value.is_finite()) {
            return Err(Reason::NotFinite);
        }
        let (rows, rank) = (self.rows(), solution.kept.len());
        Ok(Fit {
            rows,
            r_squared: solution.explained,
            adjusted: adjusted(solution.explained, rows, rank),
            intercept,
            coefficients,
            dropped,
        })
    }

    /// R² of all columns that are used. Errors as for [`Regression::fit`], except that without varying columns it is 0.
    pub fn r_squared(&self) -> Result<f64, Reason> {
        self.explained(&self.columns_where(|_| true))
    }

    /// The used columns without constant ones and without linear functions of an earlier one.
    fn distinct(&self, dropped: &mut Vec<Dropped>) -> Vec<usize> {
        let columns = self.columns_where(|_| true);
        let unit = unit_columns(&self.whole().centred(), &columns);
        let mut kept: Vec<usize> = Vec::new();
        for (place, &column) in columns.iter().enumerate() {
            let own = unit.column(place);
            let is_like = |&&other: &&usize| {
                let other = unit.column(other);
                (own - other).norm().min((own + other).norm()) <= TOLERANCE
            };
            let cause = if own.norm() == 0.0 {
                Some(Cause::Constant)
            } else {
                let same = kept.iter().find(is_like).map(|&other| self.column(columns[other]).name.clone());
                same.map(|of| Cause::Duplicate { of })
            };
            match cause {
                Some(cause) => dropped.push(Dropped { name: self.column(column).name.clone(), cause }),
                None => kept.push(place),
            }
        }
        kept.into_iter().map(|place| columns[place]).collect()
    }
}

/// Adjusted R² of a fit with `columns` columns.
fn adjusted(r_squared: f64, rows: usize, columns: usize) -> Estimate {
    let needed = columns + 2;
    if rows < needed {
        return Estimate::missing(Reason::TooFew { needed, found: rows }, rows);
    }
    let (n, k) = (rows as f64, columns as f64);
    Estimate::point(1.0 - (1.0 - r_squared) * (n - 1.0) / (n - k - 1.0), rows)
}
