//! Variance inflation: how far features can be told apart.

use nalgebra::{DMatrix, QR};
use serde::{Deserialize, Serialize};

use super::factor::{independent, unit_columns};
use super::reduction::Regression;
use crate::reason::Reason;

/// Variance inflation of a feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inflation {
    /// Name of the feature.
    pub feature: String,
    /// Number of its columns.
    pub columns: usize,
    /// Generalised variance inflation factor: det R₁₁ det R₂₂ / det R, where R is the correlation matrix of all
    /// columns, R₁₁ its block of the feature's columns and R₂₂ its block of the others (Fox and Monette, Journal of the American
    /// Statistical Association 87 (1992) 178-183). With one column it is 1 / (1 - R²).
    pub generalised: f64,
}

impl Inflation {
    /// The d-th root of the generalised factor of d columns, which can be compared between features.
    pub fn per_column(&self) -> f64 {
        self.generalised.powf(1.0 / self.columns as f64)
    }
}

impl Regression {
    /// Inflation of every feature. A feature that depends linearly on the others is missing here: its factor is
    /// infinite, and [`Regression::fit`] says which column it leaves out.
    pub fn inflations(&self) -> Vec<Inflation> {
        let centred = self.whole().centred();
        let kept = independent(&centred, &self.columns_where(|_| true));
        let whole = log_volume(&centred, &kept);
        let mut inflations = Vec::new();
        for feature in self.features() {
            let of_feature = self.columns_where(|column| column.feature == feature);
            if !of_feature.iter().all(|column| kept.contains(column)) {
                continue;
            }
            let others: Vec<usize> = kept.iter().copied().filter(|column| !of_feature.contains(column)).collect();
            let logarithm = log_volume(&centred, &of_feature) + log_volume(&centred, &others) - whole;
            inflations.push(Inflation {
                feature: feature.to_owned(),
                columns: of_feature.len(),
                generalised: (2.0 * logarithm).exp().max(1.0),
            });
        }
        inflations
    }
}

/// Half the logarithm of the determinant of the correlation matrix of independent columns.
fn log_volume(centred: &DMatrix<f64>, columns: &[usize]) -> f64 {
    let triangle = QR::new(unit_columns(centred, columns)).unpack_r();
    triangle.diagonal().iter().map(|length| length.abs().ln()).sum()
}

/// Variance inflation factors of independent columns: the diagonal of the inverse of their correlation matrix.
pub(super) fn of_columns(centred: &DMatrix<f64>, columns: &[usize]) -> Result<Vec<f64>, Reason> {
    let triangle = QR::new(unit_columns(centred, columns)).unpack_r();
    let identity = DMatrix::identity(columns.len(), columns.len());
    let inverse = triangle.solve_upper_triangular(&identity).ok_or(Reason::NotFinite)?;
    Ok(inverse.row_iter().map(|row| row.norm_squared().max(1.0)).collect())
}
