//! Timings of a training step, an evaluation and cached decoding, with the operations that they need, and of drawing
//! instances.
//!
//! Every timing of arithmetic comes with the rate of a plain matrix product from the same run: shares of this rate can
//! be compared between machines, milliseconds cannot.

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
