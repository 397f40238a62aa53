//! The measures of one policy on one task, from one [`TokenTable`](crate::table::TokenTable) per seed.
//!
//! * [`quality()`]: accuracy, mean depth and saturation;
//! * [`alignment()`]: does the depth follow the complexity?
//! * [`by_level`]: accuracy and depth per level of complexity.
//!
//! With one table the intervals are over sequences, with several over seeds and sequences; the estimates say which.

pub mod alignment;
pub mod levels;
mod observed;
pub mod quality;

pub use alignment::{Alignment, alignment, alignments};
pub use levels::{Level, by_level};
pub use quality::{Quality, Quantity, cluster_sums, difference, estimate, quality, replicates};
