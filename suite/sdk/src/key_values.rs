//! What a halted token offers as keys and values, and which keys and values a step must project.
//!
//! A backbone asks [`KeyValues::inputs`] for the states to project, projects them, and hands the result to
//! [`KeyValues::commit`], which returns the keys and values of all tokens. It need not know which tokens have halted.

use std::sync::Arc;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::layout::RowSet;

/// What a halted token offers as keys and values to tokens that still run; an option of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HaltedKeysValues {
    /// Keys and values projected from its frozen state h(d*) in every layer: the paper's training unroll. Costs one
    /// more projection when a token halts.
    #[default]
    FreezeState,
    /// The keys and values that each layer projected in the token's last executed step.
    LatestKv,
    /// Nothing: halted tokens vanish from the attention of later steps.
    Skip,
    /// The token keeps being updated for the sake of its keys and values; only its output is frozen. Saves nothing.
    RunOn,
}

impl HaltedKeysValues {
    /// All options with their names in suite files.
    pub const ALL: [(&'static str, Self); 4] = [
        ("freeze-state", Self::FreezeState),
        ("latest-kv", Self::LatestKv),
        ("skip", Self::Skip),
        ("run-on", Self::RunOn),
    ];

    /// The option called `name`.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name.
    pub fn from_name(name: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, option)| *option)
            .ok_or_else(|| Error::unknown("halted_keys_values", name, Self::ALL.map(|(known, _)| known)))
    }

    /// The option's name in suite files.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, option)| *option == self).map_or("freeze-state", |(name, _)| name)
    }
}

/// Keys and values of one core layer, each `[rows, width]`.
type LayerMemory = (Tensor, Tensor);

/// Keys and values of all tokens in every layer of the core, across the steps of one forward pass.
pub struct KeyValues {
    mode: HaltedKeysValues,
    memory: Vec<Option<LayerMemory>>,
    rows: RowSet,
    plan: Plan,
    visible: Option<Arc<Vec<bool>>>,
}

enum Plan {
    /// Every row is computed and none has halted.
    Everything,
    /// Every row is computed; those in `halted` (u8, `[rows, 1]`) have halted with `states`.
    Dense { halted: Tensor, states: Tensor },
    /// Only `rows` are computed. `settled` halted one step ago with the states beside them; `merge` takes, for each
    /// row of the batch, its place in [memory; newly projected].
    Compacted { settled: Option<(RowSet, Tensor)>, projected: Vec<u32>, merge: Tensor },
}

impl KeyValues {
    /// Empty memory for a core of `layers` layers over `rows` tokens.
    pub fn new(mode: HaltedKeysValues, layers: usize, rows: usize) -> Self {
        Self { mode, memory: vec![None; layers], rows: RowSet::all(rows), plan: Plan::Everything, visible: None }
    }

    /// Prepares a step that computes every row. `halted` are the rows that halted before it, `states` the states of
    /// all rows, `[rows, d_model]`.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn begin_dense(&mut self, halted: &[bool], states: &Tensor) -> Result<()> {
        self.rows = RowSet::all(halted.len());
        let any = halted.contains(&true);
        self.plan = if any && matches!(self.mode, HaltedKeysValues::FreezeState | HaltedKeysValues::LatestKv) {
            let mask: Vec<u8> = halted.iter().map(|halted| u8::from(*halted)).collect();
            let halted = Tensor::from_vec(mask, (halted.len(), 1), states.device())?;
            Plan::Dense { halted, states: states.clone() }
        } else {
            Plan::Everything
        };
        self.see(halted);
        Ok(())
    }

    /// Prepares a step that computes only `running`. `settled` are the rows that halted one step ago, `states` the
    /// states of all rows, `[rows, d_model]`, `halted` all rows that have halted before this step.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn begin_compacted(
        &mut self,
        running: &RowSet,
        settled: &RowSet,
        halted: &[bool],
        states: &Tensor,
    ) -> Result<()> {
        self.rows = running.clone();
        if running.is_all() {
            self.plan = Plan::Everything;
            self.visible = None;
            return Ok(());
        }
        let refreeze = self.mode == HaltedKeysValues::FreezeState && !settled.is_empty();
        let settled = if refreeze { Some((settled.clone(), settled.select(states)?)) } else { None };
        let mut projected = running.as_slice().to_vec();
        if let Some((rows, _)) = &settled {
            projected.extend_from_slice(rows.as_slice());
        }
        let total = running.total();
        let mut merge: Vec<u32> = (0..total as u32).collect();
        for (place, row) in projected.iter().enumerate() {
            merge[*row as usize] = (total + place) as u32;
        }
        let merge = Tensor::from_vec(merge, total, states.device())?;
        self.plan = Plan::Compacted { settled, projected, merge };
        self.see(halted);
        Ok(())
    }

    fn see(&mut self, halted: &[bool]) {
        let hides = self.mode == HaltedKeysValues::Skip && halted.contains(&true);
        self.visible = hides.then(|| Arc::new(halted.iter().map(|halted| !halted).collect()));
    }

    /// The rows that [`inputs`](Self::inputs) returns, in its order: their positions are those of the keys.
    pub fn projected_rows(&self) -> &[u32] {
        match &self.plan {
            Plan::Compacted { projected, .. } => projected,
            _ => self.rows.as_slice(),
        }
    }

    /// Number of rows whose keys and values alone are projected in this step, without being computed.
    pub fn extra_projections(&self) -> usize {
        self.projected_rows().len() - self.rows.len()
    }

    /// The states from which a layer's keys and values are projected: `states` `[len, d_model]` is that layer's input
    /// for the computed rows; the result is `[projected_rows, d_model]`.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn inputs(&self, states: &Tensor) -> Result<Tensor> {
        match &self.plan {
            Plan::Dense { halted, states: frozen }
                if self.mode == HaltedKeysValues::FreezeState && states.id() != frozen.id() =>
            {
                Ok(halted.broadcast_as(states.shape())?.where_cond(frozen, states)?)
            }
            Plan::Compacted { settled: Some((_, frozen)), .. } => Ok(Tensor::cat(&[states, frozen], 0)?),
            _ => Ok(states.clone()),
        }
    }

    /// Records the keys and values that `layer` projected from [`inputs`](Self::inputs) and returns those of all
    /// tokens, `[rows, width]` each.
    ///
    /// # Errors
    /// If a tensor operation fails, or rows are missing that were never projected.
    pub fn commit(&mut self, layer: usize, keys: Tensor, values: Tensor) -> Result<(Tensor, Tensor)> {
        let missing = || Error::contract("backbone", format!("core layer {layer} has no keys of an earlier step"));
        let merged = match &self.plan {
            Plan::Dense { halted, .. } if self.mode == HaltedKeysValues::LatestKv => {
                let (old_keys, old_values) = self.memory[layer].as_ref().ok_or_else(missing)?;
                let halted = halted.broadcast_as(keys.shape())?;
                (halted.where_cond(old_keys, &keys)?, halted.where_cond(old_values, &values)?)
            }
            Plan::Compacted { merge, .. } => {
                let (old_keys, old_values) = self.memory[layer].as_ref().ok_or_else(missing)?;
                (
                    Tensor::cat(&[old_keys, &keys], 0)?.index_select(merge, 0)?,
                    Tensor::cat(&[old_values, &values], 0)?.index_select(merge, 0)?,
                )
            }
            _ => (keys, values),
        };
        self.memory[layer] = Some(merged.clone());
        Ok(merged)
    }

    /// Which rows attention may see; `None` means all. A row always sees itself.
    pub fn visible(&self) -> Option<&Arc<Vec<bool>>> {
        self.visible.as_ref()
    }
}
