//! What a comparison could have found: the smallest difference that so many seeds detect, and the seeds that a difference
//! needs.
//!
//! The test is the one that belongs to the interval of [`crate::crossed`]: it calls a difference d real if d² > t²(S-1) a /
//! S + t²(N-1) b, where a is the variance between the differences of S seeds and b the variance of their mean from N
//! problems, which further seeds do not reduce. Power is exact for normal errors and known b: the probability is averaged
//! over the distribution of the estimated a, which for b = 0 is the noncentral t distribution (Owen, Biometrika 52 (1965)
//! 437-446). No normal approximation is involved.

mod paired;

pub use paired::PairedDesign;
