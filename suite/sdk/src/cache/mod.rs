//! Keys and values of the tokens decoded so far.
//!
//! A part of a backbone (prelude, core, coda) writes keys and values as entries of a pool. For every sequence and every
//! step a table says which entry a position has at that step. The core has a table for each of its D steps, and a token
//! that halts after d* of them fills all later tables with one entry: it holds d* entries, or d* + 1 if its frozen
//! state is projected once more, instead of D. The prelude has one table; the coda has one for the states after each of
//! 0, 1, ..., D steps, and these differ only if a policy reads logits before a token has halted.
//!
//! An entry is written once and never moves. A sequence that leaves gives its entries back.

use std::any::{Any, type_name};

use candle_core::Tensor;

use crate::error::{Error, Result};
use crate::halted_keys_values::HaltedKeysValues;
use crate::kept::Kept;
use crate::layout::{RowSet, TokenLayout};

/// Marks a position without an entry: attention does not see it.
pub const NO_ENTRY: u32 = u32::MAX;

/// The entries of one layer, by number. The layer chooses how they lie in memory.
pub trait Entries: Any + Send + Sync {
    /// Stores keys and values side by side, `[entries.len(), 2 * width]`, as the entries with these numbers; rows for
    /// [`NO_ENTRY`] are skipped.
    ///
    /// # Errors
    /// If shapes or types do not agree.
    fn write(&mut self, entries: &[u32], keys_values: &Tensor) -> Result<()>;

    /// Bytes that one entry takes.
    fn entry_bytes(&self) -> usize;

    /// Bytes allocated for entries, used or not.
    fn allocated_bytes(&self) -> usize;
}

/// Keys and values of one part of a backbone.
pub struct KeyValueCache {
    mode: HaltedKeysValues,
    steps: usize,
    sequences: Vec<Tables>,
    layers: Vec<Option<Box<dyn Entries>>>,
    /// What the layers keep between steps.
    kept: Kept,
    numbers: Numbers,
    /// The current step, 1-based.
    step: usize,
    /// Entries of the rows that the current step projects.
    projected: Vec<u32>,
}

/// For every step, the entry of each position.
type Tables = Vec<Vec<u32>>;

/// Numbers of entries that are in use.
#[derive(Default)]
struct Numbers {
    next: u32,
    free: Vec<u32>,
    most: usize,
}

impl Numbers {
    fn take(&mut self) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        });
        self.most = self.most.max(self.used());
        number
    }

    fn used(&self) -> usize {
        self.next as usize - self.free.len()
    }
}

impl KeyValueCache {
    /// An empty cache of a part that is applied `steps` times, for `sequences` sequences.
    ///
    /// # Errors
    /// [`Error::Invalid`] for `run-on`: the keys and values of a token that runs on are never final, so they cannot be
    /// cached.
    pub fn new(mode: HaltedKeysValues, steps: usize, sequences: usize) -> Result<Self> {
        if mode == HaltedKeysValues::RunOn {
            let expected = "freeze-state, latest-kv or skip: under run-on no token's keys and values are ever final";
            return Err(Error::invalid("halted_keys_values of a cache", expected, mode.name()));
        }
        Ok(Self {
            mode,
            steps,
            sequences: vec![vec![Vec::new(); steps]; sequences],
            layers: Vec::new(),
            kept: Kept::default(),
            numbers: Numbers::default(),
            step: 1,
            projected: Vec::new(),
        })
    }

    /// Makes room for the new tokens of `layout`, whose sequence s is the cache's sequence s.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there are not as many sequences or a sequence does not go on where it stopped.
    pub fn extend(&mut self, layout: &TokenLayout) -> Result<()> {
        if layout.sequences() != self.sequences.len() {
            let expected = format!("{} as in the cache", self.sequences.len());
            return Err(Error::invalid("sequences with new tokens", expected, layout.sequences()));
        }
        for (sequence, tables) in self.sequences.iter_mut().enumerate() {
            let rows = layout.rows_of(sequence);
            let (known, found) = (tables[0].len(), layout.position(rows.start));
            if known != found {
                return Err(Error::invalid(
                    format!("first new position of sequence {sequence}"),
                    known.to_string(),
                    found,
                ));
            }
            tables.iter_mut().for_each(|table| table.resize(known + rows.len(), NO_ENTRY));
        }
        Ok(())
    }

    /// Prepares a step that projects the keys and values of the rows `running` of `layout`, then of the rows in
    /// `frozen`, given with the depths at which they halted.
    pub fn begin(&mut self, step: usize, layout: &TokenLayout, running: &RowSet, frozen: &[(u32, u32)]) {
        self.step = step;
        self.projected.clear();
        for row in running.iter() {
            let last = if self.mode == HaltedKeysValues::LatestKv { self.steps } else { step };
            self.place(layout, row, step, last);
        }
        for (row, depth) in frozen {
            self.place(layout, *row as usize, *depth as usize + 1, self.steps);
        }
    }

    /// Prepares a step that projects all rows of `layout` and stores the rows for which `first` returns a step: the
    /// entry is valid from that step on.
    pub fn begin_where(&mut self, step: usize, layout: &TokenLayout, first: impl Fn(usize) -> Option<usize>) {
        self.step = step;
        self.projected.clear();
        for row in 0..layout.rows() {
            match first(row) {
                Some(first) => self.place(layout, row, first, self.steps),
                None => self.projected.push(NO_ENTRY),
            }
        }
    }

    /// A new entry for a row in the tables of the steps `first..=last`.
    fn place(&mut self, layout: &TokenLayout, row: usize, first: usize, last: usize) {
        let number = self.numbers.take();
        let position = layout.position(row);
        for table in &mut self.sequences[layout.sequence(row)][first - 1..last] {
            table[position] = number;
        }
        self.projected.push(number);
    }

    /// A value that `layer` keeps between steps, of a type that it chooses; `begin` creates it on first use.
    ///
    /// # Errors
    /// What `begin` reports, or a broken contract if the layer asks for another type than before.
    pub fn kept<K>(&mut self, layer: usize, begin: impl FnOnce() -> Result<K>) -> Result<K>
    where
        K: Any + Clone + Send + Sync,
    {
        self.kept.of(layer, begin).cloned()
    }

    /// Stores the keys and values that `layer` projected in this step, side by side, `[rows, 2 * width]`. `make`
    /// creates the layer's entries on first use.
    ///
    /// # Errors
    /// What `make` reports, and if there are not as many rows as the step projects.
    pub fn store<E: Entries>(
        &mut self,
        layer: usize,
        make: impl FnOnce() -> Result<E>,
        keys_values: &Tensor,
    ) -> Result<()> {
        if self.layers.len() <= layer {
            self.layers.resize_with(layer + 1, || None);
        }
        let entries = match &mut self.layers[layer] {
            Some(entries) => entries,
            missing => missing.insert(Box::new(make()?)),
        };
        entries.write(&self.projected, keys_values)
    }

    /// The entries of `layer`.
    ///
    /// # Errors
    /// If nothing has been stored there, or entries of another type.
    pub fn entries<E: Entries>(&self, layer: usize) -> Result<&E> {
        let Some(entries) = self.layers.get(layer).and_then(Option::as_deref) else {
            let message = format!("layer {layer} reads keys and values that it never stored");
            return Err(Error::contract("backbone", message));
        };
        (entries as &dyn Any).downcast_ref().ok_or_else(|| {
            Error::contract("backbone", format!("layer {layer} has not stored its entries as {}", type_name::<E>()))
        })
    }

    /// For each of the rows `queries` of `layout`, the entries that it sees in this step: one for each token of its
    /// sequence up to itself, [`NO_ENTRY`] for tokens that are not visible.
    ///
    /// # Errors
    /// If a token that must be visible has no entry.
    pub fn seen(&self, layout: &TokenLayout, queries: &RowSet) -> Result<Vec<&[u32]>> {
        let seen = |row: usize| {
            let sequence = layout.sequence(row);
            let seen = &self.sequences[sequence][self.step - 1][..=layout.position(row)];
            match seen.iter().position(|entry| *entry == NO_ENTRY) {
                Some(position) if self.mode != HaltedKeysValues::Skip => {
                    let message = format!("no keys at step {} of token {position} of sequence {sequence}", self.step);
                    Err(Error::contract("cache", message))
                }
                _ => Ok(seen),
            }
        };
        queries.iter().map(seen).collect()
    }

    /// Number of (query, visible key) pairs of the rows `queries` of `layout` in this step.
    ///
    /// # Errors
    /// Like [`seen`](Self::seen).
    pub fn pairs(&self, layout: &TokenLayout, queries: &RowSet) -> Result<usize> {
        let visible = |seen: &[u32]| seen.iter().filter(|entry| **entry != NO_ENTRY).count();
        Ok(self.seen(layout, queries)?.into_iter().map(visible).sum())
    }

    /// Keeps the sequences where `kept` is true, in their order; the entries of the others are free again.
    pub fn keep(&mut self, kept: &[bool]) {
        let mut kept = kept.iter();
        let numbers = &mut self.numbers;
        self.sequences.retain(|tables| {
            let stays = kept.next().copied().unwrap_or(false);
            if !stays {
                // Consecutive steps of a position refer to the same entry.
                for position in 0..tables.first().map_or(0, Vec::len) {
                    let mut last = NO_ENTRY;
                    for entry in tables.iter().map(|table| table[position]) {
                        if entry != last && entry != NO_ENTRY {
                            numbers.free.push(entry);
                        }
                        last = entry;
                    }
                }
            }
            stays
        });
    }

    /// Entries in use: each holds keys and values of one token in every layer.
    pub fn used(&self) -> usize {
        self.numbers.used()
    }

    /// The most entries that have been in use at once.
    pub fn most_used(&self) -> usize {
        self.numbers.most
    }

    /// Bytes of one entry in all layers.
    pub fn entry_bytes(&self) -> usize {
        self.layers.iter().flatten().map(|entries| entries.entry_bytes()).sum()
    }

    /// Bytes allocated for entries, used or not.
    pub fn allocated_bytes(&self) -> usize {
        self.layers.iter().flatten().map(|entries| entries.allocated_bytes()).sum()
    }

    /// Layers that have stored something.
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// Steps that have a table.
    pub fn steps(&self) -> usize {
        self.steps
    }
}

#[cfg(test)]
mod tests;
