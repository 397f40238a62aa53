//! Layers of a Llama-2 style Transformer over packed rows, with the weight names of Hugging Face's Llama.

mod entries;
mod linear;
mod transformer;

pub use linear::Linear;
pub use transformer::{TransformerLayer, TransformerShape, positions_of};
