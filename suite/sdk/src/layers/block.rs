//! A Transformer layer made of parts: attention, feed-forward, and norms where they are wanted.

use candle_core::Tensor;
use candle_nn::VarBuilder;

use super::attention::{Attention, AttentionShape};
use super::attention_layer::{Attend, AttentionLayer, Rows};
use super::feed_forward::{Activation, FeedForward, FeedForwardShape};
use super::linear::Spread;
use super::norm::{Norm, NormShape};
use super::rotation::{Rotary, Rotation};
use crate::backbone::PartCost;
use crate::error::Result;

/// Where the norms of a branch f stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// x + f(n(x)), as in Llama.
    Pre,
    /// n(x + f(x)), as in the first Transformer.
    Post,
    /// n'(x + f(n(x))): a norm of the sum too, as in Huginn.
    Sandwich,
    /// x + n'(f(n(x))): a norm of the branch too, as in Ouro.
    InBranch,
}

/// Sizes and options of a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockShape {
    /// Its attention.
    pub attention: AttentionShape,
    /// Its feed-forward layer.
    pub feed_forward: FeedForwardShape,
    /// All its norms.
    pub norm: NormShape,
    /// Where the norms stand.
    pub placement: Placement,
    /// Whether a row sees only tokens at or before its position.
    pub causal: bool,
}

impl BlockShape {
    /// A layer of Llama 2 (Touvron et al. 2023, arXiv 2307.09288).
    pub const fn llama2(d_model: usize, d_ff: usize, heads: usize, epsilon: f64, theta: f64) -> Self {
        Self {
            attention: AttentionShape { rotation: Rotation::Halves { theta }, ..AttentionShape::new(d_model, heads) },
            feed_forward: FeedForwardShape::new(d_model, d_ff, Activation::SwiGlu),
            norm: NormShape::Rms { epsilon, weighted: true },
            placement: Placement::Pre,
            causal: true,
        }
    }

    /// This shape with the initial standard deviations `spread`.
    #[must_use]
    pub const fn spread(mut self, spread: Spread) -> Self {
        self.attention.spread = spread;
        self.feed_forward.spread = spread;
        self
    }

    /// Analytic forward cost; a multiply-add counts as two.
    pub fn cost(&self) -> PartCost {
        let attention = self.attention.cost();
        PartCost { per_row: attention.per_row + self.feed_forward.cost().per_row, ..attention }
    }
}

/// The norms of one branch.
struct Branch {
    before: Option<Norm>,
    after: Option<Norm>,
    placement: Placement,
}

impl Branch {
    /// The norm before the branch is called `name`, the one after it `name_2`, as in Ouro.
    fn new(shape: &BlockShape, name: &str, variables: &VarBuilder) -> Result<Self> {
        let norm = |name: &str, wanted: bool| -> Result<Option<Norm>> {
            let made = || Norm::new(shape.norm, shape.attention.d_model, variables.pp(name));
            Ok(if wanted { Some(made()?) } else { None })
        };
        Ok(Self {
            before: norm(name, shape.placement != Placement::Post)?,
            after: norm(&format!("{name}_2"), shape.placement != Placement::Pre)?,
            placement: shape.placement,
        })
    }

    /// Input of the branch, from `x`.
    fn enter(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.before.as_ref().map_or_else(|| Ok(x.clone()), |norm| norm.forward(x))?)
    }

    /// `x` with the branch's result `y`.
    fn leave(&self, x: &Tensor, y: Tensor) -> Result<Tensor> {
        match (&self.after, self.placement) {
            (Some(norm), Placement::InBranch) => Ok((x + norm.forward(&y)?)?),
            (Some(norm), _) => Ok(norm.forward(&(x + y)?)?),
            (None, _) => Ok((x + y)?),
        }
    }
}

/// One layer.
pub struct Block {
    attention: Attention,
    feed_forward: FeedForward,
    around_attention: Branch,
    around_feed_forward: Branch,
    is_causal: bool,
}

impl Block {
    /// A layer whose weights are requested from `variables`.
    ///
    /// # Errors
    /// If sizes do not fit together or stored weights have other shapes.
    pub fn new(shape: &BlockShape, rotary: &Rotary, variables: VarBuilder) -> Result<Self> {
        Ok(Self {
            attention: Attention::new(shape.attention, rotary, variables.pp("self_attn"))?,
            feed_forward: FeedForward::new(shape.feed_forward, variables.pp("mlp"))?,
            around_attention: Branch::new(shape, "input_layernorm", &variables)?,
            around_feed_forward: Branch::new(shape, "post_attention_layernorm", &variables)?,
            is_causal: shape.causal,
        })
    }
}

impl AttentionLayer for Block {
    fn key_value_heads(&self) -> usize {
        self.attention.key_value_heads()
    }

    fn is_causal(&self) -> bool {
        self.is_causal
    }

    fn keys_values(&self, states: &Tensor, rows: &Rows) -> Result<Tensor> {
        self.attention.keys_values(&self.around_attention.enter(states)?, &rows.positions)
    }

    fn apply(&self, states: &Tensor, rows: &Rows, attend: &Attend) -> Result<Tensor> {
        let attended = self.attention.mix(&self.around_attention.enter(states)?, &rows.positions, attend)?;
        let states = self.around_attention.leave(states, attended)?;
        let result = self.feed_forward.forward(&self.around_feed_forward.enter(&states)?)?;
        self.around_feed_forward.leave(&states, result)
    }
}
