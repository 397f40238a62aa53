//! Selections of a training pass, for the entropy regulariser.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use haltbench_sdk::candle_core::D;
use haltbench_sdk::candle_nn::ops::softmax;
use haltbench_sdk::layers::Rows;
use haltbench_sdk::prelude::*;

/// What is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    FeedForward,
    Value,
    Output,
}

/// Sums of the softmax of selection logits over the rows and steps of each sequence.
struct Sum {
    /// `[sequences, heads, experts]`
    probabilities: Tensor,
    /// Rows summed, for each sequence.
    counts: Vec<f64>,
}

/// The sums of a pass, by layer of the core and kind.
#[derive(Clone, Default)]
pub struct Notes(Arc<Mutex<BTreeMap<(usize, Kind), Sum>>>);

impl Notes {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(usize, Kind), Sum>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The notes of a layer in a batch of this layout.
    pub fn of_layer(&self, layer: usize, layout: &TokenLayout) -> LayerNotes {
        let sequences = (0..layout.rows()).map(|row| layout.sequence(row) as u32).collect();
        LayerNotes { notes: self.clone(), layer, sequences, count: layout.sequences() }
    }

    /// The sum over layers and kinds of a weight times minus the entropy, in nats, of the mean selection of a sequence
    /// and head, averaged over both; `None` before the first selection.
    pub fn regulariser(&self, weight: impl Fn(Kind) -> f64) -> Result<Option<Tensor>> {
        let mut total: Option<Tensor> = None;
        for ((_, kind), Sum { probabilities, counts }) in self.lock().iter() {
            let device = probabilities.device();
            let present: Vec<u32> =
                (0..).zip(counts).filter(|(_, count)| **count > 0.0).map(|(place, _)| place).collect();
            let shares: Vec<f64> = present.iter().map(|place| counts[*place as usize].recip()).collect();
            let shares = Tensor::from_vec(shares, (present.len(), 1, 1), device)?.to_dtype(probabilities.dtype())?;
            let index = Tensor::new(present, device)?;
            let mean = probabilities.index_select(&index, 0)?.broadcast_mul(&shares)?;
            // A probability may round to zero: x ln x is then 0.
            let negative = (&mean * (&mean + 1e-30)?.log()?)?.sum(D::Minus1)?.mean_all()?;
            let term = (negative * weight(*kind))?;
            total = Some(match total {
                None => term,
                Some(total) => (total + term)?,
            });
        }
        Ok(total)
    }
}

/// Where one layer notes its selections.
pub struct LayerNotes {
    notes: Notes,
    layer: usize,
    /// The sequence of each row of the batch.
    sequences: Vec<u32>,
    count: usize,
}

impl LayerNotes {
    /// Adds the selections of some rows, from `logits` `[rows, heads * experts]`.
    pub fn add(&self, kind: Kind, logits: &Tensor, heads: usize, rows: &Rows) -> Result<()> {
        let (count, all) = logits.dims2()?;
        let probabilities = softmax(&logits.reshape((count, heads, all / heads))?, D::Minus1)?;
        let mut notes = self.notes.lock();
        let sum = match notes.remove(&(self.layer, kind)) {
            Some(sum) => sum,
            None => Sum {
                probabilities: Tensor::zeros((self.count, heads, all / heads), logits.dtype(), logits.device())?,
                counts: vec![0.0; self.count],
            },
        };
        let own: Vec<u32> = rows.numbers.iter().map(|row| self.sequences[*row as usize]).collect();
        let mut counts = sum.counts;
        own.iter().for_each(|sequence| counts[*sequence as usize] += 1.0);
        let probabilities = sum.probabilities.index_add(&Tensor::new(own, logits.device())?, &probabilities, 0)?;
        notes.insert((self.layer, kind), Sum { probabilities, counts });
        Ok(())
    }
}
