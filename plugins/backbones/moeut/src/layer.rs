//! A layer of MoEUT: SwitchHead attention and a feed-forward layer of experts.

use haltbench_sdk::candle_nn::{Init, VarBuilder};
use haltbench_sdk::layers::{Attend, AttentionLayer, Linear, Norm, NormShape, Rotary, Rotation, Rows};
use haltbench_sdk::prelude::*;

use crate::experts::{Selected, expert};
use crate::notes::{Kind, LayerNotes};

/// Sizes of a layer.
#[derive(Clone, Copy)]
pub struct LayerShape {
    pub d_model: usize,
    pub heads: usize,
    pub head_dim: usize,
    /// Experts of every head, for values and for outputs.
    pub attention_experts: usize,
    /// Experts of a head that a row selects.
    pub attention_selected: usize,
    pub experts: usize,
    /// Hidden width of a feed-forward expert.
    pub expert_width: usize,
    /// Feed-forward experts that a row selects.
    pub selected: usize,
    pub epsilon: f64,
    pub rope_theta: f64,
    /// Factor on the standard deviations of the initial weights.
    pub initial_scale: f64,
}

impl LayerShape {
    /// Numbers of all heads.
    fn width(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Analytic forward cost, with only the selected experts; a multiply-add counts as two.
    pub fn cost(&self) -> PartCost {
        let projection = 2.0 * (self.d_model * self.width()) as f64;
        let selection = 2.0 * (self.d_model * self.heads * self.attention_experts) as f64;
        let mixture = self.attention_selected as f64 * projection + selection;
        let experts = 4.0 * (self.selected * self.expert_width * self.d_model) as f64;
        let per_key_value = projection + mixture;
        PartCost {
            per_row: per_key_value + projection + mixture + experts + 2.0 * (self.d_model * self.experts) as f64,
            per_key: 4.0 * self.width() as f64,
            per_key_value,
        }
    }
}

/// One layer.
pub struct MoeutLayer {
    shape: LayerShape,
    rotary: Rotary,
    before_attention: Norm,
    before_selection: Norm,
    query: Linear,
    key: Linear,
    value_selection: Linear,
    output_selection: Linear,
    /// `[heads * experts * head_dim, d_model]`
    values: Tensor,
    /// `[heads * experts * d_model, head_dim]`
    outputs: Tensor,
    selection: Linear,
    /// `[experts * expert_width, d_model]`
    up: Tensor,
    /// `[experts * d_model, expert_width]`
    down: Tensor,
}

impl MoeutLayer {
    /// A layer whose weights are requested from `variables`.
    pub fn new(shape: LayerShape, variables: VarBuilder) -> Result<Self> {
        let LayerShape { d_model, heads, head_dim, attention_experts, experts, expert_width, .. } = shape;
        let spread = |inputs: usize| shape.initial_scale / (inputs as f64).sqrt();
        let (attention, feed_forward) = (variables.pp("self_attn"), variables.pp("mlp"));
        let matrix = |name: &str, outputs: usize, variables: &VarBuilder| {
            Linear::spread(d_model, outputs, Some(spread(d_model)), variables.pp(name))
        };
        let stacked = |variables: &VarBuilder, name: &str, (rows, inputs): (usize, usize), fan: usize| {
            variables.pp(name).get_with_hints((rows, inputs), "weight", Init::Randn { mean: 0.0, stdev: spread(fan) })
        };
        let norm = |name: &str| Norm::new(NormShape::Layer { epsilon: shape.epsilon }, d_model, variables.pp(name));
        // Half of every head is rotated, an even number of its numbers.
        let rotated = head_dim / 4 * 2;
        let rotation = if rotated == 0 { Rotation::None } else { Rotation::Halves { theta: shape.rope_theta } };
        let all = heads * attention_experts;
        Ok(Self {
            shape,
            rotary: Rotary::new(rotation, rotated.max(2)),
            before_attention: norm("input_layernorm")?,
            before_selection: norm("post_attention_layernorm")?,
            query: matrix("q_proj", shape.width(), &attention)?,
            key: matrix("k_proj", shape.width(), &attention)?,
            value_selection: matrix("v_selection", all, &attention)?,
            output_selection: matrix("o_selection", all, &attention)?,
            values: stacked(&attention, "v_experts", (all * head_dim, d_model), d_model)?,
            outputs: stacked(&attention, "o_experts", (all * d_model, head_dim), shape.width())?,
            selection: matrix("selection", experts, &feed_forward)?,
            up: stacked(&feed_forward, "up_experts", (experts * expert_width, d_model), d_model)?,
            down: stacked(&feed_forward, "down_experts", (experts * d_model, expert_width), experts * expert_width)?,
        })
    }

    /// The first half of every head of `x`, `[rows, heads * head_dim]`, rotated.
    fn rotated(&self, x: &Tensor, rows: &Rows) -> Result<Tensor> {
        let LayerShape { heads, head_dim, .. } = self.shape;
        let rotated = head_dim / 4 * 2;
        if rotated == 0 {
            return Ok(x.clone());
        }
        let (count, width) = x.dims2()?;
        let split = x.reshape((count, heads, head_dim))?;
        let first = split.narrow(2, 0, rotated)?.contiguous()?.reshape((count, heads * rotated))?;
        let first = self.rotary.queries(&first, &rows.positions)?.reshape((count, heads, rotated))?;
        let rest = split.narrow(2, rotated, head_dim - rotated)?;
        Ok(Tensor::cat(&[&first, &rest], 2)?.reshape((count, width))?)
    }

    /// The experts of one head.
    fn of_head(&self, logits: &Tensor, head: usize) -> Result<Selected> {
        let experts = self.shape.attention_experts;
        let logits = logits.narrow(1, head * experts, experts)?.contiguous()?;
        Selected::largest(&logits, self.shape.attention_selected)
    }
}

/// A layer of the core in training, which notes its selections.
pub struct Noted<'a> {
    pub layer: &'a MoeutLayer,
    /// Where it notes them; `None` in evaluation.
    pub notes: Option<LayerNotes>,
}

impl AttentionLayer for Noted<'_> {
    fn key_value_heads(&self) -> usize {
        self.layer.shape.heads
    }

    fn keys_values(&self, states: &Tensor, rows: &Rows) -> Result<Tensor> {
        self.layer.project(states, rows, self.notes.as_ref())
    }

    fn apply(&self, states: &Tensor, rows: &Rows, attend: &Attend) -> Result<Tensor> {
        self.layer.over(states, rows, attend, self.notes.as_ref())
    }
}

impl AttentionLayer for MoeutLayer {
    fn key_value_heads(&self) -> usize {
        self.shape.heads
    }

    fn keys_values(&self, states: &Tensor, rows: &Rows) -> Result<Tensor> {
        self.project(states, rows, None)
    }

    fn apply(&self, states: &Tensor, rows: &Rows, attend: &Attend) -> Result<Tensor> {
        self.over(states, rows, attend, None)
    }
}

impl MoeutLayer {
    fn project(&self, states: &Tensor, rows: &Rows, notes: Option<&LayerNotes>) -> Result<Tensor> {
        let LayerShape { heads, head_dim, attention_experts, .. } = self.shape;
        let normed = self.before_attention.forward(states)?;
        let mut parts = vec![self.rotated(&self.key.forward(&normed)?, rows)?];
        let logits = self.value_selection.forward(&normed)?;
        if let Some(notes) = notes {
            notes.add(Kind::Value, &logits, heads, rows)?;
        }
        for head in 0..heads {
            // Values read the state itself; only the selection reads its norm.
            let value =
                |number: usize, x: &Tensor| expert(&self.values, head * attention_experts + number, head_dim, x);
            parts.push(self.of_head(&logits, head)?.sum(states, head_dim, value)?);
        }
        Ok(Tensor::cat(&parts, 1)?)
    }

    fn over(&self, states: &Tensor, rows: &Rows, attend: &Attend, notes: Option<&LayerNotes>) -> Result<Tensor> {
        let LayerShape { d_model, heads, head_dim, attention_experts, expert_width, .. } = self.shape;
        let normed = self.before_attention.forward(states)?;
        let mixed = attend(&self.rotated(&self.query.forward(&normed)?, rows)?)?;
        let logits = self.output_selection.forward(&normed)?;
        if let Some(notes) = notes {
            notes.add(Kind::Output, &logits, heads, rows)?;
        }
        let mut attended = states.clone();
        for head in 0..heads {
            let output =
                |number: usize, x: &Tensor| expert(&self.outputs, head * attention_experts + number, d_model, x);
            let own = mixed.narrow(1, head * head_dim, head_dim)?.contiguous()?;
            attended = (attended + self.of_head(&logits, head)?.sum(&own, d_model, output)?)?;
        }
        let logits = self.selection.forward(&self.before_selection.forward(&attended)?)?;
        if let Some(notes) = notes {
            notes.add(Kind::FeedForward, &logits, 1, rows)?;
        }
        let fed = Selected::largest(&logits, self.shape.selected)?.sum(&attended, d_model, |number, x| {
            expert(&self.down, number, d_model, &expert(&self.up, number, expert_width, x)?.relu()?)
        })?;
        Ok((attended + fed)?)
    }
}
