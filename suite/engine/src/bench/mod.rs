//! Timings beside the operations that the arithmetic needs: a training step, an evaluation, cached decoding; and of
//! drawing instances.
//!
//! Every timing of arithmetic stands beside the rate of a plain matrix product measured in the same run, because machines differ and
//! a share of that rate can be compared where milliseconds cannot.

pub mod data;
pub mod decode;
pub mod eval;
mod model;
mod peak;
mod spread;
pub mod step;

pub use model::{BenchModel, Workload};
pub use peak::matmul_peak;
pub use spread::Spread;
