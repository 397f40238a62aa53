//! New tokens against a cache of all earlier ones: prompts and single new tokens take the same path.

use std::sync::Arc;

use haltbench_sdk::backbone::{BeginContext, Start};
use haltbench_sdk::cache::KeyValueCache;
use haltbench_sdk::candle_core::Tensor;
use haltbench_sdk::key_values::{HaltedKeysValues, KeyValues};
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::policy::PolicyKind;

use super::memory::CacheMemory;
use super::round::{Round, Unsettled};
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::model::Model;
use crate::recurrence::drive::{Outcome, drive};
use crate::recurrence::judge::Judge;

/// Depth of the token at a position of a sequence; replaces the policy's decision.
pub type ForcedDepths<'a> = &'a (dyn Fn(u64, usize) -> u32 + Sync);

/// A batch of sequences that grow token by token.
pub struct Decoder<'a> {
    model: &'a Model,
    forced: Option<ForcedDepths<'a>>,
    /// Id and number of tokens of each sequence.
    sequences: Vec<(u64, usize)>,
    prelude: KeyValueCache,
    core: KeyValues,
    coda: KeyValueCache,
    /// Whether the policy has read logits before a token had halted.
    reads_logits: bool,
    unsettled: Option<Unsettled>,
    ledger: Ledger,
    memory: CacheMemory,
}

/// Result of processing new tokens.
pub struct Advanced {
    /// Logits after the last new token of each sequence, `[sequences, vocabulary]`.
    pub logits: Tensor,
    /// Steps that each new token took, sequence by sequence.
    pub depths: Vec<Vec<u32>>,
}

impl<'a> Decoder<'a> {
    /// A decoder of empty sequences with these ids.
    ///
    /// # Errors
    /// If the model cannot be decoded with a cache.
    pub fn new(model: &'a Model, identities: &[u64]) -> Result<Self> {
        refuse(model)?;
        let (mode, count) = (model.halted_keys_values, identities.len());
        let layers = model.backbone.dimensions().core_layers;
        Ok(Self {
            model,
            forced: None,
            sequences: identities.iter().map(|identity| (*identity, 0)).collect(),
            prelude: KeyValueCache::new(HaltedKeysValues::LatestKv, 1, count)?,
            core: KeyValues::cached(mode, layers, KeyValueCache::new(mode, model.max_depth, count)?),
            coda: KeyValueCache::new(HaltedKeysValues::LatestKv, model.max_depth + 1, count)?,
            reads_logits: false,
            unsettled: None,
            ledger: Ledger::default(),
            memory: CacheMemory::default(),
        })
    }

    /// Halts tokens at these depths. The policy is still asked, but its answers are ignored: this measures decoding at
    /// given depths.
    #[must_use]
    pub fn forced(mut self, depths: ForcedDepths<'a>) -> Self {
        self.forced = Some(depths);
        self
    }

    /// Appends to every sequence at least one new token.
    ///
    /// # Errors
    /// If a sequence gets none, a tensor operation fails or the policy breaks its contract.
    pub fn advance(&mut self, new: &[&[u32]]) -> Result<Advanced> {
        self.settle()?;
        let lengths: Vec<usize> = new.iter().map(|tokens| tokens.len()).collect();
        let (identities, before): (Vec<u64>, Vec<usize>) = self.sequences.iter().copied().unzip();
        let layout = TokenLayout::after(&before, &lengths, &identities)?;
        let model = self.model;
        let tokens: Vec<u32> = new.iter().flat_map(|tokens| tokens.iter().copied()).collect();
        let tokens = Tensor::from_vec(tokens, layout.rows(), &model.device)?;
        let all = RowSet::all(layout.rows());
        let mut last = vec![false; layout.rows()];
        (0..layout.sequences()).for_each(|sequence| last[layout.rows_of(sequence).end - 1] = true);
        let last = RowSet::from_mask(&last);
        let layout = Arc::new(layout.with_answers(&last));
        self.ledger.begin(model, &layout);

        self.prelude.extend(&layout)?;
        self.prelude.begin(1, &layout, &all, &[]);
        let (max_depth, seed) = (model.max_depth, model.seed);
        let context = BeginContext { max_depth, seed, ..BeginContext::new(&layout) };
        let Start { states: first, input } = model.backbone.begin(&tokens, &mut context.cached(&mut self.prelude))?;
        if let Some(cache) = self.core.cache() {
            cache.extend(&layout)?;
        }
        self.coda.extend(&layout)?;
        let mut round = Round::new(model, layout.clone(), input, &mut self.core, &mut self.coda, &mut self.ledger);
        let judge = match self.forced {
            Some(forced) => {
                let depth = |row: usize| forced(layout.identity(row), layout.position(row));
                Judge::Given { depths: round.checked((0..layout.rows()).map(depth).collect())?, asks: true }
            }
            None => Judge::rule(),
        };
        let Outcome { output, states, record, log_key_weights, .. } = drive(&mut round, judge, first)?;
        let depths = record.depths;
        let logits = round.finish(&output, record.weights.is_some(), &last)?;
        self.reads_logits |= round.has_read();
        self.unsettled = round.unsettled(&states, log_key_weights);
        for ((_, length), new) in self.sequences.iter_mut().zip(lengths) {
            *length += new;
        }
        self.measure();
        let of_sequence = |sequence| depths[layout.rows_of(sequence)].to_vec();
        Ok(Advanced { logits, depths: (0..layout.sequences()).map(of_sequence).collect() })
    }

    /// Keeps the sequences where `kept` is true, in their order. The others leave the batch, and their memory is freed.
    ///
    /// # Errors
    /// If there are not as many flags as sequences or a tensor operation fails.
    pub fn keep(&mut self, kept: &[bool]) -> Result<()> {
        if kept.len() != self.sequences.len() {
            let message = format!("kept: expected {} flags, found {}", self.sequences.len(), kept.len());
            return Err(Error::Usage(message));
        }
        if let Some(unsettled) = &mut self.unsettled {
            // No token will attend to a sequence that leaves.
            unsettled.keep(kept);
        }
        self.settle()?;
        self.prelude.keep(kept);
        if let Some(cache) = self.core.cache() {
            cache.keep(kept);
        }
        self.coda.keep(kept);
        let mut kept = kept.iter();
        self.sequences.retain(|_| kept.next().copied().unwrap_or(false));
        Ok(())
    }

    /// Token-steps and operations so far.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Memory held by the caches.
    pub fn memory(&self) -> &CacheMemory {
        &self.memory
    }

    /// Projects keys and values from frozen states of the last round that no token of that round needed.
    fn settle(&mut self) -> Result<()> {
        if let Some(unsettled) = self.unsettled.take() {
            unsettled.settle(self.model, &mut self.core, &mut self.ledger)?;
            self.measure();
        }
        Ok(())
    }

    fn measure(&mut self) {
        let tokens = self.sequences.iter().map(|(_, length)| length).sum();
        if let Some(core) = self.core.cache() {
            let read = if self.reads_logits { self.coda.steps() } else { 1 };
            self.memory.observe(tokens, &[(&self.prelude, 1), (core, core.steps()), (&self.coda, read)]);
        }
    }
}

/// Whether a model can be decoded with a cache.
pub fn has_cached_form(model: &Model) -> bool {
    // A model is refused before the first sequence.
    Decoder::new(model, &[]).is_ok()
}

/// Refuses models whose tokens cannot be decoded one after the other.
fn refuse(model: &Model) -> Result<()> {
    let name = model.declaration.name;
    if let Some(backbone) = model.backbone_declaration.filter(|declaration| !declaration.causal) {
        let name = backbone.name;
        return Err(Error::Usage(format!(
            "decoding: expected a causal backbone, found {name}: its states depend on later tokens"
        )));
    }
    if model.declaration.uses_labels.any() {
        return Err(Error::Usage(format!("decoding: policy {name} reads labels, and generated tokens have none")));
    }
    if !model.is_causal {
        return Err(Error::Usage(format!("decoding: policy {name} is not causal: its depths depend on later tokens")));
    }
    if let Some(backbone) = model.backbone_declaration.filter(|_| model.backbone.reads_earlier_tokens()) {
        let name = backbone.name;
        return Err(Error::Usage(format!(
            "decoding: backbone {name} reads earlier tokens, and a cache keeps their keys and values alone"
        )));
    }
    if model.policy.reads_earlier_tokens() {
        return Err(Error::Usage(format!(
            "decoding: policy {name} reads all earlier tokens of a sequence, and a cache keeps their keys and values alone"
        )));
    }
    if model.policy.kind() == PolicyKind::Select && model.halted_keys_values != HaltedKeysValues::Skip {
        let found = model.halted_keys_values.name();
        return Err(Error::Usage(format!(
            "decoding: policy {name} chooses positions: expected halted_keys_values = \"skip\", since a token that rests may \
             be woken later, found {found}"
        )));
    }
    Ok(())
}
