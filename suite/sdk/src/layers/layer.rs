//! A layer of either kind: fused where there is a kernel for the configuration, composed otherwise.

use std::sync::Arc;

use candle_core::Tensor;
use candle_nn::VarBuilder;

use super::attention::AttentionShape;
use super::attention_layer::{AttentionLayer, Place, forward_layer, step_layer};
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
    /// Any other layer.
    Composed(Box<dyn AttentionLayer>),
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
            None => Self::composed(shape, rotary, variables),
        }
    }

    /// A composed layer, even where there is a kernel for the configuration.
    ///
    /// # Errors
    /// If sizes do not fit together or stored weights have other shapes.
    pub fn composed(shape: &BlockShape, rotary: &Rotary, variables: VarBuilder) -> Result<Self> {
        Ok(Self::Composed(Box::new(Block::new(shape, rotary, variables)?)))
    }

    /// The layer if it is composed.
    pub(super) fn parts(&self) -> Option<&dyn AttentionLayer> {
        match self {
            Self::Fused(_) => None,
            Self::Composed(layer) => Some(layer.as_ref()),
        }
    }

    /// The layer in a prelude or coda; see [`forward_layer`].
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
            Self::Composed(layer) => forward_layer(layer.as_ref(), index, states, layout, queries, cache),
        }
    }

    /// The layer in a recurrent core; see [`step_layer`]. A fused layer has
    /// the same weights at every step.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn step(
        &self,
        place: Place,
        states: &Tensor,
        context: &mut StepContext,
        plan: &Arc<AttentionPlan>,
    ) -> Result<Tensor> {
        match self {
            // The kernel knows no weights of keys.
            Self::Fused(layer) if context.key_values.weighs_keys() => {
                step_layer(layer.as_ref(), place, states, context, plan)
            }
            Self::Fused(layer) => layer.step(place.index, states, context, plan),
            Self::Composed(layer) => step_layer(layer.as_ref(), place, states, context, plan),
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
