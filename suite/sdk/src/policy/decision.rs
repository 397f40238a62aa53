//! What a policy says about the rows that it is shown.

use candle_core::Tensor;

/// A decision about each row of a view. Only [`halting`](Self::halting) is needed; everything else is optional.
pub struct Decision {
    /// Which rows go on.
    pub halting: Halting,
    /// The numbers that were compared with a threshold, one for each row, so that other thresholds can be tried without
    /// another pass. NaN where a row has no such number.
    pub scores: Option<Vec<f64>>,
    /// How much of the present state the output takes. A policy that gives none has the state at which a token halts for
    /// its output.
    pub output: Option<Output>,
    /// What the next step starts from instead of the present states, `[rows, d_model]`.
    pub carry: Option<Tensor>,
    /// How the result of the next step joins the state of the rows that take it.
    pub gate: Option<Gate>,
    /// What the first layer of the core projects keys and values of the rows that take the next step from instead of their
    /// states, `[rows, d_model]`; queries still read the states. A row that rests offers the state that it is in.
    pub keys_values: Option<Tensor>,
    /// Whether this was a decision that costs [`decision_flops`](super::HaltingPolicy::decision_flops).
    pub is_charged: bool,
}

impl Decision {
    /// A decision about halting and nothing else.
    pub fn new(halting: Halting) -> Self {
        Self { halting, scores: None, output: None, carry: None, gate: None, keys_values: None, is_charged: true }
    }

    /// Every row goes on; nothing was decided and nothing is charged.
    pub fn none() -> Self {
        Self { is_charged: false, ..Self::new(Halting::GoOn) }
    }
}

/// Which rows take further steps.
pub enum Halting {
    /// All of them take the next one.
    GoOn,
    /// Unnormalised log-probabilities over the depths 1..=D, `[rows, D]`, before the first step. In training the engine
    /// samples from them with a straight-through Gumbel-Softmax; in evaluation it applies
    /// [`HaltingPolicy::rule`](super::HaltingPolicy::rule).
    Scores(Tensor),
    /// The depth of each row, before the first step.
    Depths(Vec<u32>),
    /// Halting probabilities alpha(d): the engine forms q(d) = r(d-1) alpha(d). In training it samples by the inverse CDF
    /// with a straight-through estimator.
    Hazards {
        /// Their logits, `[rows]`.
        logits: Tensor,
        /// Which rows halt now in evaluation; where not given, [`HaltingPolicy::rule`](super::HaltingPolicy::rule) says.
        halts: Option<Vec<bool>>,
    },
    /// Whether each row halts now, for good.
    Halt(Vec<bool>),
    /// Whether each row takes part in the next step. The others rest, and the policy is shown all rows again after it.
    Choose(Vec<bool>),
}

/// The share of a token's present state in its output.
pub struct Output {
    /// One weight for each row, `[rows]`.
    pub weight: Tensor,
    /// How weights make the output.
    pub blend: Blend,
}

/// How the weights w and the states s of successive steps make the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blend {
    /// out + w s. A token's weights must sum to one.
    Mixture,
    /// out + w s, whatever the weights sum to.
    Sum,
    /// w s + (1 - w) out, whatever the effective weights sum to.
    Interpolation,
}

/// How the result R(h) of a step joins a row's state h.
pub struct Gate {
    /// The gate g of each row, `[rows]`.
    pub values: Tensor,
    /// What the gate scales.
    pub combine: Combine,
}

/// What a gate g scales.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combine {
    /// h + g (R(h) - h): the step's residual.
    Residual,
    /// h + g R(h): the step's whole result.
    Added,
}
