//! R² on clusters that the fit has not seen.

use nalgebra::DVector;

use super::factor::{Factor, Solution};
use super::reduction::Regression;
use crate::reason::Reason;

impl Regression {
    /// Cross-validated R²: 1 - Σ (y - ŷ)² / Σ (y - ȳ)², where ŷ comes from the fit to the other folds and ȳ is the mean
    /// of all rows. Part b of the clusters is in fold b modulo `folds`, so no cluster is on both sides. Negative if the
    /// fit predicts worse than the mean.
    ///
    /// A column that is constant in the other folds, such as a category that they lack, has the coefficient 0 there.
    ///
    /// [`Reason::TooFew`] below two folds, or with fewer parts than folds; [`Reason::Constant`] if the target is
    /// constant, or is so without one of the folds.
    pub fn cross_validated(&self, folds: usize) -> Result<f64, Reason> {
        if folds < 2 {
            return Err(Reason::TooFew { needed: 2, found: folds });
        }
        let found = self.parts().iter().filter(|(_, rows)| *rows > 0).count();
        if found < folds {
            return Err(Reason::TooFew { needed: folds, found });
        }
        let columns = self.columns_where(|_| true);
        let width = self.whole().width();
        let mut squares = 0.0;
        for fold in 0..folds {
            let side = |inside: bool| {
                let parts = self.parts().iter().enumerate();
                parts.filter(move |(part, _)| (part % folds == fold) == inside).map(|(_, (factor, _))| factor)
            };
            let training = Factor::merged(width, side(false));
            let residual = residual(&training, &Solution::of(&training.centred(), &columns)?);
            squares += side(true).map(|factor| factor.squares(&residual)).sum::<f64>();
        }
        let centred = self.whole().centred();
        let total = centred.column(centred.ncols() - 1).norm_squared();
        if total > 0.0 { Ok(1.0 - squares / total) } else { Err(Reason::Constant) }
    }
}

/// The vector whose product with a row \[1, columns, target\] is the target minus its prediction.
fn residual(training: &Factor, solution: &Solution) -> DVector<f64> {
    let sums = training.sums();
    let mut residual = DVector::zeros(training.width());
    let last = training.width() - 1;
    residual[last] = 1.0;
    let mut intercept = sums[last];
    for (&column, &coefficient) in solution.kept.iter().zip(&solution.coefficients) {
        residual[column + 1] = -coefficient;
        intercept -= coefficient * sums[column + 1];
    }
    residual[0] = -intercept / sums[0];
    residual
}
