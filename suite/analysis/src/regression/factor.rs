//! Triangular factors, and what follows from them.

use nalgebra::{ColPivQR, DMatrix, DVector, QR, RowDVector};

use crate::reason::Reason;

/// A column whose part outside the others is shorter than this, relative to the column itself (both centred), counts as
/// a linear combination of them. R's `lm` has the same default.
pub(super) const TOLERANCE: f64 = 1e-7;

/// Deviations from the mean that are smaller than this, relative to the values, are rounding.
const ROUNDING: f64 = 1e-10;

/// The factor R of a QR decomposition of rows with a fixed number of columns: RᵀR equals their cross products.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Factor(DMatrix<f64>);

impl Factor {
    /// The factor of no rows.
    pub fn empty(width: usize) -> Self {
        Factor(DMatrix::zeros(width, width))
    }

    pub fn width(&self) -> usize {
        self.0.ncols()
    }

    /// Adds rows. `write` fills their columns, one after the other, `stride` apart: the first `width` rows of each
    /// column belong to the factor.
    pub fn append(&mut self, rows: usize, write: impl FnOnce(&mut [f64], usize)) {
        let width = self.width();
        let mut stacked = DMatrix::zeros(width + rows, width);
        stacked.rows_mut(0, width).copy_from(&self.0);
        write(stacked.as_mut_slice(), width + rows);
        self.0 = QR::new(stacked).unpack_r();
    }

    /// The factor of the rows of all factors.
    pub fn merged<'a>(width: usize, factors: impl Iterator<Item = &'a Factor>) -> Self {
        let factors: Vec<&Factor> = factors.collect();
        let mut stacked = DMatrix::zeros(width * factors.len().max(1), width);
        for (place, factor) in factors.iter().enumerate() {
            stacked.rows_mut(place * width, width).copy_from(&factor.0);
        }
        Factor(QR::new(stacked).unpack_r())
    }

    /// Sums of squares and products of the deviations from the mean, as a factor: without the intercept, which is the
    /// first column, and its row. Columns that are constant up to rounding are zero.
    ///
    /// Values are scaled to [-1, 1], so even a column with a single deviating value among 2³² keeps 1e-5 of its length.
    pub fn centred(&self) -> DMatrix<f64> {
        let width = self.width();
        let mut centred = self.0.view((1, 1), (width - 1, width - 1)).into_owned();
        for (mut column, whole) in centred.column_iter_mut().zip(self.0.column_iter().skip(1)) {
            if column.norm() <= ROUNDING * whole.norm() {
                column.fill(0.0);
            }
        }
        centred
    }

    /// First row: the root of the number of rows, then sums divided by it.
    pub fn sums(&self) -> DVector<f64> {
        self.0.row(0).transpose()
    }

    /// Sum of squares of the rows times a vector.
    pub fn squares(&self, vector: &DVector<f64>) -> f64 {
        (&self.0 * vector).norm_squared()
    }
}

/// A least-squares fit of the last column of a centred factor to other columns.
#[derive(Debug, Clone)]
pub(super) struct Solution {
    /// Columns that were used: independent ones, ascending.
    pub kept: Vec<usize>,
    /// One coefficient for each of them.
    pub coefficients: DVector<f64>,
    /// Share of the sum of squares of the last column that the fit explains, from 0 to 1.
    pub explained: f64,
}

impl Solution {
    /// Dependent columns are left out. [`Reason::Constant`] if the last column is zero.
    pub fn of(centred: &DMatrix<f64>, columns: &[usize]) -> Result<Self, Reason> {
        Solution::of_independent(centred, independent(centred, columns))
    }

    /// The fit to columns that are known to be independent.
    pub fn of_independent(centred: &DMatrix<f64>, kept: Vec<usize>) -> Result<Self, Reason> {
        let last = centred.ncols() - 1;
        let total = centred.column(last).norm_squared();
        if total <= 0.0 {
            return Err(Reason::Constant);
        }
        let number = kept.len();
        let selected: Vec<usize> = kept.iter().copied().chain([last]).collect();
        let triangle = QR::new(centred.select_columns(&selected)).unpack_r();
        let projected = triangle.view((0, number), (number, 1)).column(0).into_owned();
        let explained = (projected.norm_squared() / total).min(1.0);
        let coefficients = triangle.view((0, 0), (number, number)).solve_upper_triangular(&projected);
        Ok(Solution { kept, coefficients: coefficients.ok_or(Reason::NotFinite)?, explained })
    }
}

/// The largest independent set of columns that column pivoting finds, ascending. Columns are compared at unit length.
pub(super) fn independent(matrix: &DMatrix<f64>, columns: &[usize]) -> Vec<usize> {
    let scaled = unit_columns(matrix, columns);
    let decomposition = ColPivQR::new(scaled);
    let mut order = RowDVector::from_row_slice(columns);
    decomposition.p().permute_columns(&mut order);
    // nalgebra's pivot is the largest entry instead of the longest column, so lengths need not fall. But if one is below
    // the tolerance, so are all entries that are left.
    let lengths = decomposition.r().diagonal();
    let rank = lengths.iter().take_while(|length| length.abs() > TOLERANCE).count();
    let mut kept: Vec<usize> = order.iter().copied().take(rank).collect();
    kept.sort_unstable();
    kept
}

/// Some columns of a matrix, scaled to unit length; zero columns stay zero.
pub(super) fn unit_columns(matrix: &DMatrix<f64>, columns: &[usize]) -> DMatrix<f64> {
    let mut scaled = matrix.select_columns(columns);
    for mut column in scaled.column_iter_mut() {
        let norm = column.norm();
        if norm > 0.0 {
            column /= norm;
        }
    }
    scaled
}
