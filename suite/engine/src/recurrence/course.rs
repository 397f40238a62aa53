//! Which rows take which step, and how many steps each has taken.

use haltbench_sdk::layout::{RowSet, TokenLayout};

use crate::model::Model;

/// State of all rows after the decisions so far.
pub(super) struct Course {
    /// Whether each row will take a further step unless a decision says otherwise.
    pub running: Vec<bool>,
    /// Steps that each row has taken.
    pub depths: Vec<u32>,
    /// The last step that each row took; 0 before it takes one.
    pub last: Vec<u32>,
    /// The depth of each row, if all depths are known in advance.
    pub plan: Option<Vec<u32>>,
    /// Whether the policy chooses rows before every step, so that a resting row may be woken.
    pub wakes: bool,
    /// Whether the keys and values of each row's present state have not been projected yet.
    unprojected: Vec<bool>,
    /// Whether each step has weights of its own, so that every step must project a resting row again.
    has_own_steps: bool,
    /// Whether a row sees only rows at or before its position.
    is_causal: bool,
}

impl Course {
    /// The state of `rows` rows before the first step of `model`.
    pub fn new(model: &Model, rows: usize) -> Self {
        Self {
            running: vec![true; rows],
            depths: vec![0; rows],
            last: vec![0; rows],
            plan: None,
            wakes: false,
            unprojected: vec![true; rows],
            has_own_steps: model.backbone.own_steps().is_some(),
            is_causal: model.backbone_is_causal(),
        }
    }

    /// The rows that take step `step`.
    pub fn takes(&self, step: usize) -> RowSet {
        match &self.plan {
            Some(depths) => RowSet::from_mask(&depths.iter().map(|depth| *depth as usize >= step).collect::<Vec<_>>()),
            None => RowSet::from_mask(&self.running),
        }
    }

    /// Resting rows whose keys and values must be projected in this step: they have not been projected from the present
    /// state with the weights of the step, and a row of their sequence that sees them is in `takes`. All other rows are left out, so that a row's cost does
    /// not depend on other sequences.
    pub fn settled(&self, layout: &TokenLayout, takes: &RowSet) -> RowSet {
        let mut last = vec![None; layout.sequences()];
        takes.iter().for_each(|row| last[layout.sequence(row)] = Some(row));
        let mut seen: Vec<bool> = self.unprojected.clone();
        takes.iter().for_each(|row| seen[row] = false);
        for (row, seen) in seen.iter_mut().enumerate() {
            let last = last[layout.sequence(row)];
            *seen &= if self.is_causal { last > Some(row) } else { last.is_some() };
        }
        RowSet::from_mask(&seen)
    }

    /// Records that `takes` have taken step `step` and that the states of `settled` were projected in it.
    pub fn stepped(&mut self, step: usize, takes: &RowSet, settled: &RowSet) {
        settled.iter().for_each(|row| self.unprojected[row] = self.has_own_steps);
        for row in takes.iter() {
            self.depths[row] += 1;
            self.last[row] = step as u32;
            self.unprojected[row] = true;
        }
    }
}
