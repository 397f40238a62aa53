//! Layers over packed rows, and the parts that they are made of, with the weight names of Hugging Face's Llama.
//!
//! [`RecurrentStack`] is a backbone except for h(0) and what a step reads; a [`Recurrence`] adds these. A stack
//! consists of [`Layer`]s; a layer consists of an [`Attention`], a [`FeedForward`] and [`Norm`]s, placed as its
//! [`Placement`] says. A layer with the configuration of Llama 2 is a [`TransformerLayer`], which has a fused kernel.

mod abacus;
mod attention;
mod attention_layer;
mod block;
mod cost;
mod entries;
mod feed_forward;
mod injection;
mod key_weights;
mod layer;
mod linear;
mod norm;
pub mod options;
mod positions;
mod random_states;
mod recurrence;
mod rotation;
mod signals;
mod stack;
#[cfg(test)]
mod tests;
mod transformer;

pub use abacus::Abacus;
pub use attention::{Attention, AttentionBiases, AttentionShape};
pub use attention_layer::{Attend, AttentionLayer, Place, Rows, forward_layer, step_layer};
pub use block::{Block, BlockShape, Placement};
pub use feed_forward::{Activation, FeedForward, FeedForwardShape};
pub use injection::{Diagonal, Injection};
pub use layer::Layer;
pub use linear::{Linear, Spread};
pub use norm::{Norm, NormShape};
pub use positions::positions_of;
pub use random_states::random_states;
pub use recurrence::Recurrence;
pub use rotation::{Rotary, Rotation};
pub use signals::{Signal, Sinusoid};
pub use stack::{Depths, Part, RecurrentStack, StackShape};
pub use transformer::{TransformerLayer, TransformerShape};
