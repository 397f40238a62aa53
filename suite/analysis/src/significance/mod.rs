//! Tests of differences, and many of them at once.
//!
//! * [`sign_flip`]: the paired permutation test;
//! * [`p_value`]: the p value that belongs to the interval of a [`crate::Crossed`] table;
//! * [`holm`] and [`benjamini_hochberg`]: p values adjusted for their number.

mod adjust;
mod inversion;
mod sign_flip;

pub use adjust::{benjamini_hochberg, holm};
pub use inversion::p_value;
pub use sign_flip::{Permutations, SignFlip, sign_flip};
