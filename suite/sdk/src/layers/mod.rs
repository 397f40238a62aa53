//! Layers over packed rows, and the parts that they are made of, with the weight names of Hugging Face's Llama.
//!
//! [`RecurrentStack`] is a whole backbone but for what h(0) is and what a step reads, which a [`Recurrence`] says. A stack is
//! made of [`Layer`]s, a layer of an [`Attention`], a [`FeedForward`] and [`Norm`]s where its [`Placement`] wants them. Where the
//! configuration is that of Llama 2 the layer is a [`TransformerLayer`], which has a kernel of its own.

mod attention;
mod block;
mod cost;
mod entries;
mod feed_forward;
mod injection;
mod layer;
mod linear;
mod norm;
mod positions;
mod random_states;
mod recurrence;
mod rotation;
mod signals;
mod stack;
#[cfg(test)]
mod tests;
mod transformer;

pub use attention::{Attention, AttentionBiases, AttentionShape};
pub use block::{Block, BlockShape, Placement};
pub use feed_forward::{Activation, FeedForward, FeedForwardShape};
pub use injection::Injection;
pub use layer::Layer;
pub use linear::{Linear, Spread};
pub use norm::{Norm, NormShape};
pub use positions::positions_of;
pub use random_states::random_states;
pub use recurrence::Recurrence;
pub use rotation::{Rotary, Rotation};
pub use signals::{Signal, Sinusoid};
pub use stack::{Depths, RecurrentStack, StackShape};
pub use transformer::{TransformerLayer, TransformerShape};
