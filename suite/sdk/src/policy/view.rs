//! What a policy may see when it decides.

use std::cell::Cell;
use std::collections::BTreeMap;

use candle_core::Tensor;

use crate::error::{Error, Result};
use crate::layout::{RowSet, TokenLayout};
use crate::random::Stream;

/// Whether a decision is made in training or in evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// In the given training step, 0-based.
    Training(u64),
    /// In evaluation: every draw is keyed by token, so the batch does not matter.
    Evaluation,
}

/// What only an oracle may see.
#[derive(Debug, Clone, Default)]
pub struct Privileged {
    /// Complexity of each row of the batch; NaN where undefined.
    pub complexity: Vec<f32>,
    /// Smallest and largest complexity at the training sizes.
    pub range: (f32, f32),
}

/// What a policy sees at one decision: the states of some rows of a packed batch, and nothing of labels.
pub struct View<'a> {
    step: usize,
    max_depth: usize,
    layout: &'a TokenLayout,
    rows: &'a RowSet,
    states: &'a Tensor,
    logits: &'a dyn Fn() -> Result<Tensor>,
    phase: Phase,
    seed: u64,
    privileged: Option<&'a Privileged>,
    has_shown_states: Cell<bool>,
}

impl<'a> View<'a> {
    /// The states of `rows` after `step` steps. `logits` reads them out when asked.
    #[allow(clippy::too_many_arguments, reason = "made in the one place that runs the loop")]
    pub fn new(
        step: usize,
        max_depth: usize,
        layout: &'a TokenLayout,
        rows: &'a RowSet,
        states: &'a Tensor,
        logits: &'a dyn Fn() -> Result<Tensor>,
        phase: Phase,
        seed: u64,
        privileged: Option<&'a Privileged>,
    ) -> Self {
        let has_shown_states = Cell::new(false);
        Self { step, max_depth, layout, rows, states, logits, phase, seed, privileged, has_shown_states }
    }

    /// Steps executed so far; 0 before the first.
    pub fn step(&self) -> usize {
        self.step
    }

    /// Steps a token may take at most, D.
    pub fn max_depth(&self) -> usize {
        self.max_depth
    }

    /// Whether no further step can follow.
    pub fn is_last(&self) -> bool {
        self.step == self.max_depth
    }

    /// States of the rows, `[rows.len(), d_model]`.
    pub fn states(&self) -> &Tensor {
        self.has_shown_states.set(true);
        self.states
    }

    /// Whether the policy has asked for the states: a recorded pass may have none.
    pub fn has_shown_states(&self) -> bool {
        self.has_shown_states.get()
    }

    /// Which row is which token.
    pub fn layout(&self) -> &TokenLayout {
        self.layout
    }

    /// The rows that the states belong to.
    pub fn rows(&self) -> &RowSet {
        self.rows
    }

    /// Whether this is training or evaluation.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The run's seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Logits read out from the present states, `[rows.len(), vocabulary]`. The read-out is charged to the policy.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn logits(&self) -> Result<Tensor> {
        (self.logits)()
    }

    /// One uniform number in (0, 1) for each row, keyed in evaluation by the token and the step, so that neither
    /// the batch nor the order of evaluation can change it.
    pub fn uniform(&self, purpose: &str) -> Vec<f64> {
        match self.phase {
            Phase::Training(training_step) => {
                let mut stream = Stream::new(self.seed, purpose, &[training_step, self.step as u64]);
                let all: Vec<f64> = (0..self.rows.total()).map(|_| stream.uniform()).collect();
                self.rows.iter().map(|row| all[row]).collect()
            }
            Phase::Evaluation => {
                let draw = |row: usize| {
                    let token = [self.layout.identity(row), self.layout.position(row) as u64, self.step as u64];
                    Stream::new(self.seed, purpose, &token).uniform()
                };
                self.rows.iter().map(draw).collect()
            }
        }
    }

    /// What only an oracle may see.
    ///
    /// # Errors
    /// [`Error::Contract`] for a policy that does not declare `uses_labels`.
    pub fn privileged(&self) -> Result<&Privileged> {
        self.privileged.ok_or_else(|| Error::contract("policy", "reads complexities without declaring uses_labels"))
    }
}

/// Tensors that a policy carries from step to step, one row per token that still runs. The engine drops the rows of
/// tokens that have halted, and starts every forward pass with an empty memory.
#[derive(Default)]
pub struct RowMemory(BTreeMap<&'static str, Tensor>);

impl RowMemory {
    /// The tensor called `name`, `[rows, ...]`, if there is one.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.get(name)
    }

    /// Stores `tensor` `[rows, ...]` as `name` and returns what was stored before.
    pub fn replace(&mut self, name: &'static str, tensor: &Tensor) -> Option<Tensor> {
        self.0.insert(name, tensor.clone())
    }

    /// Keeps the rows at `kept` (places in the present rows, ascending).
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn keep(&mut self, kept: &Tensor) -> Result<()> {
        for tensor in self.0.values_mut() {
            *tensor = tensor.index_select(kept, 0)?;
        }
        Ok(())
    }
}
