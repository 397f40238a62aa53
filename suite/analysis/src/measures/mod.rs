//! The measures of one policy on one task, from one [`TokenTable`](crate::table::TokenTable) per seed.
//!
//! * [`quality()`]: accuracy, mean depth, saturation and cost;
//! * [`alignment()`], [`correlation_table()`] and [`beyond_static()`]: does the depth follow the complexity?
//! * [`by_level`], [`increments`] and [`by_size`]: accuracy and depth per level of complexity and per size;
//! * [`needed_depth`]: the depth of a token beside the depth that it needs.
//!
//! With one table the intervals are over problems, with several over seeds and problems; the estimates record which.

pub mod alignment;
pub mod correlations;
pub mod levels;
pub mod local;
pub mod needed;
mod observed;
pub mod quality;

pub use alignment::{Alignment, alignment, alignments};
pub use correlations::{Statistic, correlation_table};
pub use levels::{DepthAt, Increment, Level, Size, by_level, by_size, depth_by, increments};
pub use local::{BeyondStatic, beyond_static};
pub use needed::{NeededDepth, NeededLevel, needed_by_level, needed_depth};
pub use observed::Depth;
pub use quality::{Quality, Quantity, difference, estimate, quality, quantity_table};
