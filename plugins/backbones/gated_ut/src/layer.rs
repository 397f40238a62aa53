//! A pre-norm layer whose result is mixed with its input by a gate.

use haltbench_sdk::candle_nn::VarBuilder;
use haltbench_sdk::candle_nn::ops::sigmoid;
use haltbench_sdk::layers::{
    Attend, Attention, AttentionLayer, BlockShape, FeedForward, FeedForwardShape, Norm, Rotary, Rows,
};
use haltbench_sdk::prelude::*;

/// With x the input, `h = x + attention(n1(x))` and `y = h + mlp(n2(h))`, the result is `g y + (1 - g) x`.
pub struct GatedLayer {
    attention: Attention,
    feed_forward: FeedForward,
    gate: Option<FeedForward>,
    before_attention: Norm,
    before_feed_forward: Norm,
    is_causal: bool,
}

impl GatedLayer {
    /// A layer of these sizes; without the sizes of a `gate` its result is y.
    pub fn new(shape: &BlockShape, gate: Option<FeedForwardShape>, variables: VarBuilder) -> Result<Self> {
        let attention = shape.attention;
        let rotary = Rotary::new(attention.rotation, attention.head_width());
        let norm = |name: &str| Norm::new(shape.norm, attention.d_model, variables.pp(name));
        Ok(Self {
            attention: Attention::new(attention, &rotary, variables.pp("self_attn"))?,
            feed_forward: FeedForward::new(shape.feed_forward, variables.pp("mlp"))?,
            gate: gate.map(|gate| FeedForward::new(gate, variables.pp("gate"))).transpose()?,
            before_attention: norm("input_layernorm")?,
            before_feed_forward: norm("post_attention_layernorm")?,
            is_causal: shape.causal,
        })
    }
}

impl AttentionLayer for GatedLayer {
    fn key_value_heads(&self) -> usize {
        self.attention.key_value_heads()
    }

    fn is_causal(&self) -> bool {
        self.is_causal
    }

    fn keys_values(&self, states: &Tensor, rows: &Rows) -> Result<Tensor> {
        self.attention.keys_values(&self.before_attention.forward(states)?, &rows.positions)
    }

    fn apply(&self, states: &Tensor, rows: &Rows, attend: &Attend) -> Result<Tensor> {
        let entered = self.before_attention.forward(states)?;
        let attended = (states + self.attention.mix(&entered, &rows.positions, attend)?)?;
        let normed = self.before_feed_forward.forward(&attended)?;
        let fed = (attended + self.feed_forward.forward(&normed)?)?;
        let Some(gate) = &self.gate else { return Ok(fed) };
        let gate = sigmoid(&gate.forward(&normed)?)?;
        Ok((states + (gate * (fed - states)?)?)?)
    }
}
