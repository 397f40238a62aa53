//! A packed batch made of instances, and the one shift between targets and the positions that predict them.

use std::sync::Arc;

use haltbench_sdk::candle_core::{Device, Tensor};
use haltbench_sdk::layout::{RowSet, TokenLayout};
use haltbench_sdk::task::{Instance, Supervision};

use crate::data::opaque;
use crate::error::Result;

/// Instances as the model reads them. Every row's state predicts exactly one target. If tokens are predicted from their
/// predecessors, the last token of a sequence predicts nothing and is left out.
pub struct Batch {
    /// Which row is which token.
    pub layout: Arc<TokenLayout>,
    /// Input tokens, u32 `[rows]`.
    pub tokens: Tensor,
    /// Rows whose targets are under the loss.
    pub readout: RowSet,
    /// The targets of the rows in `readout`.
    pub targets: Arc<Vec<u32>>,
    /// For each row, the index of its target in its sequence.
    pub target_index: Vec<u32>,
    /// For each row, the headline complexity of its target; NaN where undefined.
    pub complexity: Vec<f32>,
}

impl Batch {
    /// Packs `instances` with the ids `identities`, the same in every run; plugins see [`opaque`] ones. `headline` is the index of the headline
    /// complexity.
    ///
    /// # Errors
    /// If an instance has no token to predict from.
    pub fn new(
        instances: &[&Instance],
        identities: &[u64],
        supervision: Supervision,
        headline: usize,
        device: &Device,
    ) -> Result<Self> {
        let mut lengths = Vec::with_capacity(instances.len());
        let (mut tokens, mut mask, mut targets) = (Vec::new(), Vec::new(), Vec::new());
        let (mut target_index, mut complexity) = (Vec::new(), Vec::new());
        for instance in instances {
            let mut length = 0;
            for index in 0..instance.tokens.len() {
                let Some(row) = supervision.reads_at(index) else { continue };
                tokens.push(instance.tokens[row]);
                target_index.push(index as u32);
                complexity.push(instance.complexities.get(headline, index));
                mask.push(instance.loss_mask[index]);
                if instance.loss_mask[index] {
                    targets.push(instance.targets()[index]);
                }
                length += 1;
            }
            lengths.push(length);
        }
        let readout = RowSet::from_mask(&mask);
        let seen = identities.iter().map(|id| opaque(*id)).collect();
        let layout = TokenLayout::new(&lengths, identities)?.with_identities(seen)?.with_answers(&readout);
        let layout = Arc::new(layout);
        let tokens = Tensor::from_vec(tokens, layout.rows(), device)?;
        Ok(Self { layout, tokens, readout, targets: Arc::new(targets), target_index, complexity })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.layout.rows()
    }
}
