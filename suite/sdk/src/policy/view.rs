//! What a policy sees when it decides.

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;

use candle_core::Tensor;

use super::{Outcomes, Privileged};
use crate::error::{Error, Result};
use crate::layout::{RowSet, TokenLayout};
use crate::random::Stream;

/// Whether a decision is made in training or in evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// In training.
    Training(Progress),
    /// In evaluation. Draws are keyed by token, so they do not depend on the batch.
    Evaluation,
}

/// How far training has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The training step, 0-based.
    pub step: u64,
    /// Training steps in all.
    pub total: u64,
}

impl Progress {
    /// The first step of a training with one step.
    pub const START: Self = Self { step: 0, total: 1 };

    /// The finished share of training, from 0 at the first step to 1 at the last.
    pub fn share(self) -> f64 {
        if self.total <= 1 { 1.0 } else { (self.step as f64 / (self.total - 1) as f64).min(1.0) }
    }
}

/// What a policy sees at one decision: the states of some rows of a packed batch, without labels.
pub struct View<'a> {
    step: usize,
    max_depth: usize,
    layout: &'a TokenLayout,
    rows: &'a RowSet,
    states: &'a Tensor,
    read_out: &'a dyn Fn() -> Result<Tensor>,
    logits: OnceCell<Tensor>,
    phase: Phase,
    seed: u64,
    privileged: Option<&'a Privileged>,
    has_shown_states: Cell<bool>,
}

impl<'a> View<'a> {
    /// A view of `states`, the states of `rows` after `step` steps. `read_out` computes their logits when the policy
    /// asks for them.
    #[allow(clippy::too_many_arguments, reason = "made in the one place that runs the loop")]
    pub fn new(
        step: usize,
        max_depth: usize,
        layout: &'a TokenLayout,
        rows: &'a RowSet,
        states: &'a Tensor,
        read_out: &'a dyn Fn() -> Result<Tensor>,
        phase: Phase,
        seed: u64,
        privileged: Option<&'a Privileged>,
    ) -> Self {
        let (logits, has_shown_states) = (OnceCell::new(), Cell::new(false));
        Self { step, max_depth, layout, rows, states, read_out, logits, phase, seed, privileged, has_shown_states }
    }

    /// Steps executed so far; 0 before the first.
    pub fn step(&self) -> usize {
        self.step
    }

    /// Steps a token may take at most, D.
    pub fn max_depth(&self) -> usize {
        self.max_depth
    }

    /// Whether this is after the last step, D.
    pub fn is_last(&self) -> bool {
        self.step == self.max_depth
    }

    /// States of the rows, `[rows.len(), d_model]`.
    pub fn states(&self) -> &Tensor {
        self.has_shown_states.set(true);
        self.states
    }

    /// Whether the policy has read the states. The engine checks this because a trace may have none.
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

    /// Logits of the present states, `[rows.len(), vocabulary]`. The engine charges the read-out to the policy once,
    /// even if it asks several times.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn logits(&self) -> Result<Tensor> {
        if let Some(logits) = self.logits.get() {
            return Ok(logits.clone());
        }
        let logits = (self.read_out)()?;
        Ok(self.logits.get_or_init(|| logits).clone())
    }

    /// The logits, if the policy has read them.
    pub fn read_logits(&self) -> Option<Tensor> {
        self.logits.get().cloned()
    }

    /// One uniform number in (0, 1) for each row, keyed in evaluation by the token and the step, so that neither
    /// the batch nor the order of evaluation can change it.
    pub fn uniform(&self, purpose: &str) -> Vec<f64> {
        match self.phase {
            Phase::Training(progress) => {
                let mut stream = Stream::new(self.seed, purpose, &[progress.step, self.step as u64]);
                let all: Vec<f64> = (0..self.rows.total()).map(|_| stream.uniform()).collect();
                self.rows.iter().map(|row| all[row]).collect()
            }
            Phase::Evaluation => {
                let draw = |row: usize| {
                    let token = [self.layout.key(row), self.layout.position(row) as u64, self.step as u64];
                    Stream::new(self.seed, purpose, &token).uniform()
                };
                self.rows.iter().map(draw).collect()
            }
        }
    }

    /// Information for oracles only.
    ///
    /// # Errors
    /// [`Error::Contract`] for a policy that does not declare `uses_labels`.
    pub fn privileged(&self) -> Result<&Privileged> {
        self.privileged.ok_or_else(|| Error::contract("policy", "reads complexities without declaring uses_labels"))
    }

    /// What the model predicts after each step of a pass in which no token halts, for all rows of the batch.
    ///
    /// # Errors
    /// [`Error::Contract`] for a policy that does not declare `uses_labels: Labels::Outcomes`.
    pub fn outcomes(&self) -> Result<&Outcomes> {
        let outcomes = self.privileged.and_then(|privileged| privileged.outcomes.as_ref());
        outcomes
            .ok_or_else(|| Error::contract("policy", "reads outcomes without declaring uses_labels: Labels::Outcomes"))
    }
}

/// Tensors that a policy keeps from step to step, with one row for each token of its next view. The engine drops the
/// rows of tokens that have halted, and starts every forward pass with an empty memory.
#[derive(Default)]
pub struct RowMemory {
    carried: BTreeMap<&'static str, Tensor>,
    stashed: Vec<(&'static str, Tensor)>,
}

impl RowMemory {
    /// The tensor called `name`, `[rows, ...]`, if there is one.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.carried.get(name)
    }

    /// Stores `tensor` `[rows, ...]` as `name` and returns what was stored before.
    pub fn replace(&mut self, name: &'static str, tensor: &Tensor) -> Option<Tensor> {
        self.carried.insert(name, tensor.clone())
    }

    /// Like [`replace`](Self::replace), but fails if nothing was stored before. Store the first value in
    /// [`OnlinePolicy::init`](super::OnlinePolicy::init).
    ///
    /// # Errors
    /// If nothing was stored as `name` before.
    pub fn replaced(&mut self, name: &'static str, tensor: &Tensor) -> Result<Tensor> {
        self.replace(name, tensor)
            .ok_or_else(|| Error::contract("policy", format!("its memory has no `{name}`: it was never stored before")))
    }

    /// Stashes `tensor`, `[rows, ...]` with a row for each row of the present view, for the training objective.
    /// [`HaltingRecord::stashed`] returns one entry for each decision.
    ///
    /// [`HaltingRecord::stashed`]: super::HaltingRecord::stashed
    pub fn stash(&mut self, name: &'static str, tensor: &Tensor) {
        self.stashed.push((name, tensor.clone()));
    }

    /// Removes and returns the tensors stashed since the last call, in a decision about `rows` rows.
    ///
    /// # Errors
    /// [`Error::Contract`] if a tensor does not have one row for each row of its view.
    pub fn take_stashed(&mut self, rows: usize) -> Result<Vec<(&'static str, Tensor)>> {
        let wrong = self.stashed.iter().find(|(_, tensor)| tensor.dims().first() != Some(&rows));
        if let Some((name, tensor)) = wrong {
            return Err(misshapen("stash", name, tensor, rows));
        }
        Ok(std::mem::take(&mut self.stashed))
    }

    /// Keeps the rows at `kept` (places in the present rows, ascending).
    ///
    /// # Errors
    /// If a stored tensor does not have one row for each row of its view.
    pub fn keep(&mut self, kept: &Tensor, rows: usize) -> Result<()> {
        for (name, tensor) in &mut self.carried {
            if tensor.dims().first() != Some(&rows) {
                return Err(misshapen("memory", name, tensor, rows));
            }
            *tensor = tensor.index_select(kept, 0)?;
        }
        Ok(())
    }
}

fn misshapen(what: &str, name: &str, tensor: &Tensor, rows: usize) -> Error {
    let found = tensor.dims();
    let message = format!(
        "its {what} `{name}` has the shape {found:?}, expected [{rows}, ...], one row for each row of the view"
    );
    Error::contract("policy", message)
}
