//! Depths that a model gives to tokens, as policies with a source read them.

use haltbench_sdk::policy::SourceToken;

use super::Evaluator;
use crate::data::opaque;
use crate::error::Result;
use crate::model::Model;
use crate::recurrence::{Execution, evaluate};

impl Evaluator<'_> {
    /// All tokens, with the depths that `model` gives them.
    ///
    /// # Errors
    /// If a pass fails.
    pub fn depths(&self, model: &Model) -> Result<Vec<SourceToken>> {
        let mut tokens = Vec::new();
        for chunk in self.chunks() {
            let (batch, privileged) = self.pack(chunk, model)?;
            let depths = evaluate(model, &batch, Execution::Compacted, Some(&privileged))?.depths;
            for (sequence, entry) in chunk.iter().enumerate() {
                tokens.extend(batch.layout.rows_of(sequence).map(|row| SourceToken {
                    identity: opaque(entry.id),
                    position: batch.layout.position(row) as u32,
                    input_token: entry.instance.tokens[batch.layout.position(row)],
                    size: entry.size,
                    split: entry.split as u32,
                    is_answer: batch.layout.is_answer(row),
                    depth: depths[row],
                }));
            }
        }
        Ok(tokens)
    }
}
