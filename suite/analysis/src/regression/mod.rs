//! Least squares: how much of a target, such as the depth, do features and groups of features explain?
//!
//! 1. [`Parts`] divides the clusters (sequences or problems) into at most 50 parts of nearly equal size.
//! 2. [`Regression::of`] reads features and target once and reduces each part to a triangular factor.
//! 3. Everything else is computed from the factors: [`Regression::fit`], [`Regression::screen`],
//!    [`Regression::unique`], [`Regression::shares`], [`Regression::cross_validated`], and intervals with
//!    [`jackknifed`].
//!
//! # The algorithm
//!
//! Blocks of 512 rows of \[1, features, target\] update the factor R of a QR decomposition by Householder reflections
//! (sequential TSQR: Demmel, Grigori, Hoemmen and Langou, SIAM Journal on Scientific Computing 34 (2012) A206-A239). RᵀR
//! equals the cross products of the rows, but R keeps all digits: cross products would lose half of them where features
//! are nearly collinear. Factors of parts are stacked and decomposed again, so that folds and jackknife replicates need
//! no second pass over the rows.
//!
//! With p columns, the pass takes 2 p² operations per row. Besides the inputs, which are borrowed, it needs 4 bytes per
//! row for the order of rows, 8 (p + 2)² bytes per part, and one block of 8 (p + 514) (p + 2) bytes per thread. Parts are
//! reduced in parallel, and no result depends on the number of threads.

mod columns;
mod dropped;
mod factor;
mod feature;
mod fit;
mod folds;
mod inflation;
mod intervals;
mod parts;
mod reduction;
mod screen;
mod shares;

pub use columns::Column;
pub use dropped::{Cause, Dropped};
pub use feature::{Feature, Values};
pub use fit::{Coefficient, Fit};
pub use inflation::Inflation;
pub use intervals::jackknifed;
pub use parts::Parts;
pub use reduction::Regression;
pub use screen::Limits;
pub use shares::{LARGEST_GAME, Players, Share, Unique};
