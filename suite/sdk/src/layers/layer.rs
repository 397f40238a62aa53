//! A layer of either kind: fused where there is a kernel for the configuration, composed otherwise.

use std::sync::Arc;

use candle_core::Tensor;
use candle_nn::VarBuilder;

use super::attention::AttentionShape;
use super::block::{Block, BlockShape};
use super::norm::NormShape;
use super::rotation::{Rotary, Rotation};
use super::transformer::{TransformerLayer, TransformerShape};
use crate::backbone::StepContext;
use crate::cache::KeyValueCache;
use crate::error::Result;
use crate::layout::{RowSet, TokenLayout};
use crate::ops::AttentionPlan;

/// One layer. Both kinds have the same weights under the same names, and the same results up to rounding.
pub enum Layer {
    /// A layer of Llama 2.
    Fused(Box<TransformerLayer>),
    /// A layer with any other configuration.
    Composed(Box<Block>),
}

impl Layer {
    /// A layer whose weights are requested from `variables`.
    ///
    /// # Errors
    /// If sizes do not fit together or stored weights have other shapes.
    pub fn new(shape: &BlockShape, rotary: &Rotary, variables: VarBuilder) -> Result<Self> {
        match fused_shape(shape) {
            Some(fused) => {
                fused.validate()?;
                Ok(Self::Fused(Box::new(TransformerLayer::new(fused, rotary.table(), variables)?)))
            }
            None => Ok(Self::Composed(Box::new(Block::new(shape, rotary, variables)?))),
        }
    }

    /// The layer in a prelude or coda; see [`Block::forward`].
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn forward(
        &self,
        index: usize,
        states: &Tensor,
        layout: &TokenLayout,
        queries: &RowSet,
        cache: Option<&mut KeyValueCache>,
    ) -> Result<Tensor> {
        match self {
            Self::Fused(layer) => layer.forward(index, states, layout, queries, cache),
            Self::Composed(block) => block.forward(index, states, layout, queries, cache),
        }
    }

    /// The layer in a recurrent core; see [`Block::step`].
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn step(
        &self,
        index: usize,
        states: &Tensor,
        context: &mut StepContext,
        plan: &Arc<AttentionPlan>,
    ) -> Result<Tensor> {
        match self {
            Self::Fused(layer) => layer.step(index, states, context, plan),
            Self::Composed(block) => block.step(index, states, context, plan),
        }
    }
}

/// The shape of the fused layer, where the configuration is that of Llama 2.
fn fused_shape(shape: &BlockShape) -> Option<TransformerShape> {
    let AttentionShape { d_model, heads, rotation: Rotation::Halves { theta }, .. } = shape.attention else {
        return None;
    };
    let NormShape::Rms { epsilon, .. } = shape.norm else { return None };
    let d_ff = shape.feed_forward.d_ff;
    let fused = TransformerShape { d_model, d_ff, heads, rms_norm_epsilon: epsilon, rope_theta: theta };
    (*shape == BlockShape::llama2(d_model, d_ff, heads, epsilon, theta)).then_some(fused)
}
