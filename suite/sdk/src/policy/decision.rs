//! Decisions: what a policy returns about the rows of a view.

use candle_core::Tensor;

/// A decision about each row of a view. Only [`halting`](Self::halting) is needed; everything else is optional.
pub struct Decision {
    /// Which rows go on.
    pub halting: Halting,
    /// Scores, one for each row: the numbers that the policy compares with a threshold, so that other thresholds can be
    /// tried without another pass. NaN for a row without a score.
    pub scores: Option<Vec<f64>>,
    /// Share of the present state in the output. Without it, a token's output is the state at which it halts.
    pub output: Option<Output>,
    /// States that the next step starts from instead of the present ones, `[rows, d_model]`.
    pub carry: Option<Tensor>,
    /// How the result of the next step joins the state of the rows that take it.
    pub gate: Option<Gate>,
    /// Tensor that the core's first layer projects keys and values from in the next step, instead of the states of the rows
    /// that take it, `[rows, d_model]`. Queries still read the states; a resting row offers its present state.
    pub keys_values: Option<Tensor>,
    /// Natural logarithms of the weights, above 0 and at most 1, that the rows have as keys from the next step on,
    /// `[rows]`: every layer of the core adds them to the scores of attention. A row keeps its weight until the next
    /// decision about it. A policy that weighs keys does so from before the first step on.
    pub log_key_weights: Option<Tensor>,
    /// Whether the engine charges [`decision_flops`](super::HaltingPolicy::decision_flops) for this decision.
    pub is_charged: bool,
}

impl Decision {
    /// A decision about halting only.
    pub fn new(halting: Halting) -> Self {
        Self {
            halting,
            scores: None,
            output: None,
            carry: None,
            gate: None,
            keys_values: None,
            log_key_weights: None,
            is_charged: true,
        }
    }

    /// No decision: every row continues, and nothing is charged.
    pub fn none() -> Self {
        Self { is_charged: false, ..Self::new(Halting::GoOn) }
    }
}

/// Which rows take further steps.
pub enum Halting {
    /// All rows take the next step.
    GoOn,
    /// Logits over the depths 1..=D (unnormalised log-probabilities), `[rows, D]`, before the first step. In training
    /// the engine samples depths with a straight-through Gumbel-Softmax; in evaluation it applies
    /// [`HaltingPolicy::rule`](super::HaltingPolicy::rule).
    Logits(Tensor),
    /// The depth of each row, before the first step.
    Depths(Vec<u32>),
    /// Halting probabilities alpha(d): the engine forms q(d) = r(d-1) alpha(d). In training it samples by the inverse CDF
    /// with a straight-through estimator.
    Hazards {
        /// Logits of the halting probabilities, `[rows]`.
        logits: Tensor,
        /// Which rows halt now in evaluation; if not given, [`HaltingPolicy::rule`](super::HaltingPolicy::rule)
        /// decides.
        halts: Option<Vec<bool>>,
    },
    /// Whether each row halts now, for good.
    Halt(Vec<bool>),
    /// Whether each row takes part in the next step. The other rows rest. The policy sees all rows again after the
    /// step.
    Choose(Vec<bool>),
}

/// The share of a token's present state in its output.
pub struct Output {
    /// One weight for each row, `[rows]`.
    pub weight: Tensor,
    /// Weights of the states that the last step started from, `[rows]`, for a policy that knows them only after the step.
    /// They are added to the output as they are, before the present states.
    pub before: Option<Tensor>,
    /// How weights and states combine into the output.
    pub blend: Blend,
}

/// How the weights w and the states s of successive steps combine into the output `out`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blend {
    /// out + w s. A token's weights are not negative and sum to one.
    Mixture,
    /// out + w s. A token's weights are not negative and may have any sum.
    Sum,
    /// w s + (1 - w) out. The effective weights may have any sum.
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
