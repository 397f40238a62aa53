//! Fused operations with a backward pass, and the compositions of candle's operations that they must equal.
//!
//! candle's own fused RMSNorm, softmax and rotary embedding have no backward pass. Each operation here is fused on the
//! CPU, in f32 and f64; other devices run its composition. Tests compare the two with each other and with finite
//! differences.
//!
//! Operations take plain data: tensors, row indices, and start rows of sequences. To add a fused row-wise operation,
//! implement [`RowOperation`].

mod adamw;
mod attention;
mod cached_attention;
mod cpu;
mod cross_entropy;
mod entries;
mod gate;
mod instructions;
mod lane_sums;
mod layer;
mod layer_norm;
mod linear;
mod lines;
mod log_sigmoid;
mod operands;
mod perceptron;
mod product;
mod rms_norm;
mod rope;
mod rows;
mod rowwise;
mod scratch;
mod silu;
mod sums;
mod swiglu;
#[cfg(test)]
mod testing;
pub mod threads;

pub use adamw::{AdamWStep, Moments, square_sums};
pub use attention::{AttentionPlan, Sequences, causal_attention};
pub use cached_attention::cached_attention;
pub use cpu::Float;
pub use cross_entropy::cross_entropy;
pub use entries::{KeyValueEntries, NO_ENTRY};
pub use gate::{Candidates, EarlierCandidates, passthrough, straight_through};
pub use instructions::Instructions;
pub use layer::{Backward, LayerPass, LayerWeights};
pub use layer_norm::layer_norm;
pub use linear::linear;
pub use log_sigmoid::log_sigmoid;
pub use perceptron::{PerceptronWeights, perceptron};
pub use rms_norm::rms_norm;
pub use rope::{RopeTable, rope};
pub use rows::{gather_rows, replace_rows, update_rows};
pub use rowwise::{RowOperation, rowwise};
pub use silu::silu;
pub use swiglu::swiglu;
