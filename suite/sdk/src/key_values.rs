//! What a halted token offers as keys and values, and which keys and values a step must project.
//!
//! A backbone asks [`KeyValues::sources`] for the states to project, projects them, and hands the result to
//! [`KeyValues::commit`], which returns the keys and values of all tokens. It need not know which tokens have halted.
//!
//! A frozen state is projected as it is, in every layer: the backbone no longer adds its input or step signal to it, so
//! a halted token's keys and values never change again.

use std::any::Any;
use std::sync::Arc;

use candle_core::Tensor;

use crate::cache::KeyValueCache;
use crate::error::Result;
use crate::kept::Kept;
use crate::layout::{RowSet, TokenLayout};
use crate::ops::{gather_rows, replace_rows, update_rows};

pub use crate::halted_keys_values::HaltedKeysValues;

/// Keys and values of all tokens in every layer of the core, across the steps of one forward pass.
pub struct KeyValues {
    mode: HaltedKeysValues,
    /// For each layer keys and values side by side, `[rows, 2 * width]`.
    memory: Vec<Option<Tensor>>,
    /// What the layers keep for the whole pass.
    kept: Kept,
    rows: RowSet,
    plan: Plan,
    visible: Option<Arc<Vec<bool>>>,
    /// The rows that had halted before the previous step: their keys and values no longer change.
    settled: Option<Vec<bool>>,
    /// States that the first layer projects keys and values from in this step, instead of the usual ones, `[rows,
    /// d_model]`.
    offered: Option<Tensor>,
    /// Natural logarithms of the weights of all rows as keys, `[rows, 1]`, if the policy weighs keys.
    log_key_weights: Option<Tensor>,
    /// Whether the core's first layer reads something other than the states in the current step.
    transformed: bool,
    /// Holds the keys and values of all tokens while decoding.
    cache: Option<KeyValueCache>,
}

/// What a layer projects keys and values from in this step.
pub struct Sources {
    /// States of the rows below, `[rows.len(), d_model]`.
    pub states: Tensor,
    /// The rows of the batch, in the order of `states`: their positions are those of the keys.
    pub rows: Arc<[u32]>,
    /// Keys and values of these rows from an earlier step, and the places where they are out of date. A layer may copy
    /// the others instead of computing them, if gradients stay the same as if it had computed them.
    pub known: Option<(Tensor, Arc<[u32]>)>,
}

enum Plan {
    /// Every row is projected from its own state.
    Everything,
    /// Every row is projected: running rows from their own states, all other rows from `states`. Since the last step,
    /// keys and values have changed only in the rows `moved`.
    Dense { running: RowSet, moved: Arc<[u32]>, states: Tensor },
    /// Only running rows are projected, and the rows in `settled`, which halted one step ago, from the states given
    /// with them.
    Running { running: RowSet, settled: Option<(RowSet, Tensor)>, projected: Arc<[u32]> },
}

impl KeyValues {
    /// Empty memory for a core of `layers` layers over `rows` tokens.
    pub fn new(mode: HaltedKeysValues, layers: usize, rows: usize) -> Self {
        Self {
            mode,
            memory: vec![None; layers],
            kept: Kept::default(),
            rows: RowSet::all(rows),
            plan: Plan::Everything,
            visible: None,
            settled: None,
            offered: None,
            log_key_weights: None,
            transformed: false,
            cache: None,
        }
    }

    /// Keys and values of a core of `layers` layers, kept in `cache`: the rows are the new tokens, and the cache holds
    /// all earlier tokens of their sequences.
    pub fn cached(mode: HaltedKeysValues, layers: usize, cache: KeyValueCache) -> Self {
        Self { cache: Some(cache), ..Self::new(mode, layers, 0) }
    }

    /// The cache that keys and values are stored in, if there is one. A layer stores what it projected there instead of
    /// [`commit`](Self::commit)ting it.
    pub fn cache(&mut self) -> Option<&mut KeyValueCache> {
        self.cache.as_mut()
    }

    /// A value that `layer` keeps for the whole forward pass, of a type that it chooses; `begin` creates it on first
    /// use.
    ///
    /// # Errors
    /// What `begin` reports, or a broken contract if the layer asks for another type than before.
    pub fn kept<K>(&mut self, layer: usize, begin: impl FnOnce() -> Result<K>) -> Result<K>
    where
        K: Any + Clone + Send + Sync,
    {
        self.kept.of(layer, begin).cloned()
    }

    /// Prepares a step that computes `rows`, which must contain all running rows. `halted` says for every row of the
    /// batch whether it halted before this step. `states` are the states of all rows, `[total, d_model]`.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn begin_dense(&mut self, rows: &RowSet, halted: &[bool], states: &Tensor) -> Result<()> {
        self.transformed = false;
        self.rows = rows.clone();
        let running = || RowSet::from_mask(&halted.iter().map(|halted| !halted).collect::<Vec<bool>>());
        self.plan = match self.mode {
            _ if !halted.contains(&true) => Plan::Everything,
            HaltedKeysValues::FreezeState => {
                let still = self.settled.take().filter(|settled| settled.len() == halted.len());
                let still = still.unwrap_or_else(|| vec![false; halted.len()]);
                // A row that wakes projects from states of its own again.
                let moved = still.iter().zip(halted).map(|(still, halted)| !(*still && *halted));
                let moved = RowSet::from_mask(&moved.collect::<Vec<bool>>());
                Plan::Dense { running: running(), moved: moved.shared().clone(), states: states.clone() }
            }
            HaltedKeysValues::LatestKv => {
                let running = running();
                let projected = running.shared().clone();
                Plan::Running { running, settled: None, projected }
            }
            HaltedKeysValues::Skip | HaltedKeysValues::RunOn if rows.is_all() => Plan::Everything,
            HaltedKeysValues::Skip | HaltedKeysValues::RunOn => {
                Plan::Running { running: rows.clone(), settled: None, projected: rows.shared().clone() }
            }
        };
        self.settled = Some(halted.to_vec());
        self.see(halted);
        Ok(())
    }

    /// Makes the next step project the keys and values of all rows, even those that no longer change, so that it costs
    /// as much as a step without halted tokens.
    pub fn forget(&mut self) {
        self.settled = None;
    }

    /// Makes the first layer project the keys and values of the next step from `states` `[rows, d_model]`; queries
    /// still read the states of the rows. `None` uses the states of the rows for both.
    pub fn offer(&mut self, states: Option<Tensor>) {
        self.offered = states;
    }

    /// Gives every row a weight as a key in the following steps: `log_weights` are natural logarithms, `[rows, 1]`.
    pub fn weigh(&mut self, log_weights: Tensor) {
        self.log_key_weights = Some(log_weights);
    }

    /// Natural logarithms of the weights of `rows` as keys, `[rows.len(), 1]`, if keys have weights.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn log_weights_of(&self, rows: &Arc<[u32]>) -> Result<Option<Tensor>> {
        Ok(self.log_key_weights.as_ref().map(|weights| gather_rows(weights, rows)).transpose()?)
    }

    /// Whether keys have weights.
    pub fn weighs_keys(&self) -> bool {
        self.log_key_weights.is_some()
    }

    /// Prepares a step that computes only `running`. `settled` are resting rows whose state has not been projected yet;
    /// `states` are the states of all rows, `[rows, d_model]`; `halted` says for every row whether it halted before
    /// this step.
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
        self.plan = Plan::Running { running: running.clone(), settled, projected: projected.into() };
        self.see(halted);
        Ok(())
    }

    /// Prepares a step on new tokens that computes only `running`. `settled` are halted rows with their depths,
    /// ascending; their keys and values are projected from `states` `[rows, d_model]`, which holds the states at which
    /// they halted.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn begin_cached(
        &mut self,
        step: usize,
        layout: &TokenLayout,
        running: &RowSet,
        settled: &[(u32, u32)],
        states: &Tensor,
    ) -> Result<()> {
        let mut projected = running.as_slice().to_vec();
        projected.extend(settled.iter().map(|(row, _)| *row));
        let mut frozen = vec![false; layout.rows()];
        settled.iter().for_each(|(row, _)| frozen[*row as usize] = true);
        let frozen = RowSet::from_mask(&frozen);
        let settled_states = if frozen.is_empty() { None } else { Some((frozen.clone(), frozen.select(states)?)) };
        self.rows = running.clone();
        self.plan = Plan::Running { running: running.clone(), settled: settled_states, projected: projected.into() };
        self.visible = None;
        if let Some(cache) = &mut self.cache {
            cache.begin(step, layout, running, settled);
        }
        Ok(())
    }

    fn see(&mut self, halted: &[bool]) {
        let hides = self.mode == HaltedKeysValues::Skip && halted.contains(&true);
        self.visible = hides.then(|| Arc::new(halted.iter().map(|halted| !halted).collect()));
    }

    /// The rows for which a compacted step projects keys and values but computes nothing else.
    pub fn projected_alone(&self) -> &[u32] {
        match &self.plan {
            Plan::Running { settled: Some((rows, _)), .. } => rows.as_slice(),
            _ => &[],
        }
    }

    /// Says that in the current step the core's first layer reads transformed states, not the states passed to the
    /// step.
    pub fn transform(&mut self) {
        self.transformed = true;
    }

    /// What `layer` projects keys and values from. `states` `[len, d_model]` is that layer's input for the computed rows.
    ///
    /// # Errors
    /// If a tensor operation fails.
    pub fn sources(&self, layer: usize, states: &Tensor) -> Result<Sources> {
        let all = || RowSet::all(self.rows.total()).shared().clone();
        if let (0, Some(offered)) = (layer, &self.offered) {
            let (states, rows) = match &self.plan {
                // Those that rest come after those that run.
                Plan::Running { projected, .. } => (gather_rows(offered, projected)?, projected.clone()),
                _ => (offered.clone(), all()),
            };
            return Ok(Sources { states, rows, known: None });
        }
        match &self.plan {
            Plan::Everything => Ok(Sources { states: states.clone(), rows: all(), known: None }),
            Plan::Dense { running, moved, states: frozen } => {
                // The core's first layer reads the states themselves, unless the backbone has called `transform`.
                let states = if (layer == 0 && !self.transformed) || states.id() == frozen.id() {
                    frozen.clone()
                } else {
                    replace_rows(frozen, running.shared(), &gather(states, &running.places_in(&self.rows))?)?
                };
                // Copying known values only to overwrite all of them would be wasted work.
                let known = self.memory[layer].clone().filter(|_| moved.len() < self.rows.total());
                let known = known.map(|known| (known, moved.clone()));
                Ok(Sources { states, rows: all(), known })
            }
            Plan::Running { running, settled, projected } => {
                let mut states = gather(states, &running.places_in(&self.rows))?;
                if let Some((_, frozen)) = settled {
                    states = if running.is_empty() { frozen.clone() } else { Tensor::cat(&[&states, frozen], 0)? };
                }
                Ok(Sources { states, rows: projected.clone(), known: None })
            }
        }
    }

    /// Whether each of the rows of [`sources`](Self::sources), in their order, is frozen: it has halted, and the backbone
    /// adds neither its input nor a signal of the step to it. `None` if no row is.
    pub fn frozen(&self) -> Option<Vec<bool>> {
        match &self.plan {
            Plan::Everything | Plan::Running { settled: None, .. } => None,
            Plan::Dense { running, .. } => {
                let mut frozen = vec![true; self.rows.total()];
                running.iter().for_each(|row| frozen[row] = false);
                Some(frozen)
            }
            Plan::Running { running, projected, .. } => {
                Some((0..projected.len()).map(|place| place >= running.len()).collect())
            }
        }
    }

    /// Records the keys and values, side by side, that `layer` projected from its [`sources`](Self::sources) and
    /// returns those of all tokens, `[rows, 2 * width]`. Without gradients, they share memory with the result of the
    /// previous step.
    ///
    /// # Errors
    /// If a tensor operation fails, or rows are missing that were never projected.
    pub fn commit(&mut self, layer: usize, keys_values: Tensor) -> Result<Tensor> {
        let all = match &self.plan {
            Plan::Running { projected, .. } => match &self.memory[layer] {
                Some(memory) => update_rows(memory, projected, &keys_values)?,
                // No row that a token can see is left out: all other rows are hidden, or no running row sees them.
                None => {
                    let shape = (self.rows.total(), keys_values.dim(1)?);
                    let nothing = Tensor::zeros(shape, keys_values.dtype(), keys_values.device())?;
                    replace_rows(&nothing, projected, &keys_values)?
                }
            },
            _ => keys_values,
        };
        self.memory[layer] = Some(all.clone());
        Ok(all)
    }

    /// Which rows attention may see; `None` means all. A row always sees itself.
    pub fn visible(&self) -> Option<&Arc<Vec<bool>>> {
        self.visible.as_ref()
    }
}

fn gather(states: &Tensor, places: &Arc<[u32]>) -> Result<Tensor> {
    if places.len() == states.dim(0)? {
        return Ok(states.clone());
    }
    Ok(gather_rows(states, places)?)
}
