//! Resampling with an explicit seed.
//!
//! * [`Draws`]: the random numbers of a seed;
//! * [`bootstrap`]: intervals of any statistic over clusters, and [`paired_ratios`], the statistic of a comparison.
//!
//! The same arguments, the seed among them, give the same result.

mod bootstrap;
mod draws;

pub use bootstrap::{Bootstrap, bootstrap, interval_of, paired_ratios};
pub use draws::{Draws, Purpose};
