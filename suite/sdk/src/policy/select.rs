//! Trait of selecting policies, which choose before every step which positions take part; a token may rest and be woken
//! again.

use candle_core::Tensor;

use super::halting_policy::{forward_training_and_cost, training_and_cost};
use super::{Combine, Decision, Gate, Halting, HaltingPolicy, RowMemory, View};
use crate::error::Result;
use crate::layout::TokenLayout;

/// Which rows take part in a step.
pub struct Selection {
    /// Whether each row of the view takes part.
    pub chosen: Vec<bool>,
    /// Gate of each row of the view, `[rows]`; 1 where not given.
    pub gate: Option<Tensor>,
    /// How the gate combines the step's result with the state.
    pub combine: Combine,
    /// Scores, one for each row: see [`Decision::scores`].
    pub scores: Option<Vec<f64>>,
}

impl Selection {
    /// A choice without gates.
    pub fn new(chosen: Vec<bool>) -> Self {
        Self { chosen, gate: None, combine: Combine::Residual, scores: None }
    }
}

/// Marks the max(1, floor(`share` S)) rows with the largest `values` among the `candidates` of each sequence of S
/// tokens; earlier rows win ties.
pub fn largest_of_sequences(layout: &TokenLayout, values: &[f64], candidates: &[bool], share: f64) -> Vec<bool> {
    let mut chosen = vec![false; values.len()];
    for sequence in 0..layout.sequences() {
        let rows = layout.rows_of(sequence);
        // Shares such as 1/3 are not exact: a product that misses a whole number by rounding counts as that number.
        let most = ((share * rows.len() as f64 + 1e-9) as usize).max(1);
        let mut order: Vec<usize> = rows.filter(|row| candidates[*row]).collect();
        order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
        order.iter().take(most).for_each(|row| chosen[*row] = true);
    }
    chosen
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_candidates_of_each_sequence_are_chosen() {
        let layout = TokenLayout::new(&[4, 1, 3], &[0, 1, 2]).unwrap();
        let values = [0.1, 3.0, 2.0, 2.0, -1.0, 5.0, 4.0, 6.0];
        let mut candidates = [true; 8];
        candidates[1] = false;
        let chosen = largest_of_sequences(&layout, &values, &candidates, 0.5);
        assert_eq!(chosen, [false, false, true, true, true, false, false, true]);
        let third = largest_of_sequences(&layout, &values, &[true; 8], 1.0 / 3.0);
        assert_eq!(third, [false, true, false, false, true, false, false, true]);
    }
}
