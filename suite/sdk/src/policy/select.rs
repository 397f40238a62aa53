//! The face of policies that choose, before every step, which positions take part; a token may rest and be woken again.

use candle_core::Tensor;

use super::halting_policy::{forward_training_and_cost, training_and_cost};
use super::{Combine, Decision, Gate, Halting, HaltingPolicy, RowMemory, View};
use crate::error::Result;

/// Which rows take part in a step.
pub struct Selection {
    /// Whether each row of the view takes part.
    pub chosen: Vec<bool>,
    /// Gate of each row of the view, `[rows]`; 1 where not given.
    pub gate: Option<Tensor>,
    /// How the step's result joins the state.
    pub combine: Combine,
    /// The numbers that were compared with a threshold: see [`Decision::scores`].
    pub scores: Option<Vec<f64>>,
}

impl Selection {
    /// A choice without gates.
    pub fn new(chosen: Vec<bool>) -> Self {
        Self { chosen, gate: None, combine: Combine::Residual, scores: None }
    }
}

/// Chooses positions per step.
pub trait SelectPolicy: Send + Sync {
    /// Chooses among all rows of the view before step `view.step() + 1`.
    ///
    /// # Errors
    /// If a tensor operation fails.
    fn select(&self, view: &View, memory: &mut RowMemory) -> Result<Selection>;

    training_and_cost!();
}

/// A selecting policy as the engine sees it.
pub(super) struct Select<P>(pub P);

impl<P: SelectPolicy> HaltingPolicy for Select<P> {
    fn decide(&self, view: &View, memory: &mut RowMemory) -> Result<Decision> {
        let Selection { chosen, gate, combine, scores } = self.0.select(view, memory)?;
        let gate = match (gate, combine) {
            (Some(values), combine) => Some(Gate { values, combine }),
            (None, Combine::Residual) => None,
            (None, Combine::Added) => {
                let values = Tensor::ones(chosen.len(), view.states().dtype(), view.states().device())?;
                Some(Gate { values, combine })
            }
        };
        Ok(Decision { gate, scores, ..Decision::new(Halting::Choose(chosen)) })
    }

    forward_training_and_cost!();
}
