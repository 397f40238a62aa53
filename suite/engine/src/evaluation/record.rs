//! From an evaluated batch to the rows of `tokens.parquet`.

use haltbench_sdk::task::{Columns, Task, TokenSize};

use crate::batch::Batch;
use crate::data::{EvaluationInstance, split_of};
use crate::recurrence::Evaluated;
use crate::store::TokenRecord;

/// Appends a row for every target of the batch.
pub fn record(
    task: &dyn Task,
    chunk: &[EvaluationInstance],
    batch: &Batch,
    evaluated: &Evaluated,
    tokens: &mut Vec<TokenRecord>,
) {
    let mut answers = vec![None; batch.rows()];
    for (place, row) in batch.readout.iter().enumerate() {
        answers[row] = Some(place);
    }
    let expected = |row: usize| evaluated.beliefs.as_ref().map(|beliefs| beliefs.expected[row] as f32);
    for (sequence, entry) in chunk.iter().enumerate() {
        let instance = &entry.instance;
        let rows = batch.layout.rows_of(sequence);
        let problem = instance.problem_id();
        for row in rows.clone() {
            let target = batch.target_index[row] as usize;
            // The row that reads the target. There is none for a last token from which nothing is predicted.
            let own = Some(rows.start + target).filter(|own| rows.contains(own));
            let TokenSize { size, split } = task.token_size(entry.size, instance, target);
            let answer = answers[row].filter(|_| instance.is_graded(target));
            let entries = |columns: &Columns| (0..columns.count()).map(|column| columns.get(column, target)).collect();
            tokens.push(TokenRecord {
                instance: entry.id,
                problem,
                size: entry.size,
                own_size: size,
                split: split_of(split),
                position: target as u32,
                is_answer: answer.is_some(),
                input_token: instance.tokens[batch.layout.position(row)],
                target: instance.targets()[target],
                predicted: answer.map(|place| evaluated.predicted[place]),
                confidence: answer.map(|place| evaluated.confidence[place]),
                depth: evaluated.depths[row],
                depth_at_token: own.map(|own| evaluated.depths[own]),
                expected_depth: expected(row),
                expected_depth_at_token: own.and_then(expected),
                distribution: evaluated.beliefs.as_ref().map(|beliefs| beliefs.distributions[row].clone()),
                flops: evaluated.costs.executed[row],
                dense_flops: evaluated.costs.dense[row],
                complexities: entries(&instance.complexities),
                features: entries(&instance.features),
            });
        }
    }
}
