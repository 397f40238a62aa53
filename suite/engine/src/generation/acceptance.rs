//! Answers that the model generates, for tasks whose questions have several right answers: comparing tokens with the
//! instance's own answer would count all other right answers as wrong.

use haltbench_analysis::{ClusterSum, Split};
use haltbench_sdk::task::Task;

use super::{reading, refusal};
use crate::data::{EvaluationInstance, opaque};
use crate::error::Result;
use crate::estimate::{self, Bounds};
use crate::model::Model;
use crate::store::MetricRow;

/// Name of the measure.
const NAME: &str = "generated_accepted";

/// Share of questions for which the task's checker accepts the model's greedily generated answer, `batch` questions at
/// a time. `None` for tasks with one right answer.
///
/// # Errors
/// If a pass fails, or [`Error::Interrupted`](crate::Error::Interrupted).
pub fn measure(
    model: &Model,
    task: &dyn Task,
    instances: &[EvaluationInstance],
    batch: usize,
    interrupted: &dyn Fn() -> Option<i32>,
) -> Result<Vec<MetricRow>> {
    if task.written(&[]).is_none() {
        return Ok(Vec::new());
    }
    let splits = Split::ALL.into_iter().filter(|split| instances.iter().any(|entry| entry.split == *split));
    if let Some(reason) = refusal(model) {
        let row =
            |split| MetricRow { reason: Some(reason.to_owned()), ..estimate::row(NAME, split, [], Bounds::Share) };
        return Ok(splits.map(row).collect());
    }
    let mut accepted = Vec::with_capacity(instances.len());
    for chunk in instances.chunks(batch.max(1)) {
        for (entry, answer) in chunk.iter().zip(answers(model, chunk, interrupted)?) {
            let text = answer.and_then(|tokens| task.written(&tokens));
            let is_accepted = match text {
                Some(text) => task.check(&entry.instance.question, &text)?.valid,
                None => false,
            };
            accepted.push(f64::from(u8::from(is_accepted)));
        }
    }
    let row = |split| {
        let found = instances.iter().zip(&accepted).filter(move |(entry, _)| entry.split == split);
        let sums =
            found.map(|(entry, accepted)| (entry.instance.problem_id(), ClusterSum { sum: *accepted, count: 1.0 }));
        estimate::row(NAME, split, sums, Bounds::Share)
    };
    Ok(splits.map(row).collect())
}

/// The generated answer to each question, without the end token; `None` if it does not end within twice the length of
/// the instance's question and answer.
fn answers(
    model: &Model,
    chunk: &[EvaluationInstance],
    interrupted: &dyn Fn() -> Option<i32>,
) -> Result<Vec<Option<Vec<u32>>>> {
    let prompt = |entry: &EvaluationInstance| {
        let instance = &entry.instance;
        let first = instance.loss_mask.iter().position(|loss| *loss).unwrap_or(instance.tokens.len());
        instance.tokens[..first].to_vec()
    };
    let identities: Vec<u64> = chunk.iter().map(|entry| opaque(entry.id)).collect();
    let mut written: Vec<Vec<u32>> = vec![Vec::new(); chunk.len()];
    let mut answers: Vec<Option<Vec<u32>>> = vec![None; chunk.len()];
    let prompts = chunk.iter().map(prompt).collect();
    reading::grow(model, &identities, prompts, interrupted, |place, distribution| {
        let (token, tokens) = (likeliest(&distribution), &chunk[place].instance.tokens);
        if tokens.last() == Some(&token) {
            answers[place] = Some(std::mem::take(&mut written[place]));
            return None;
        }
        written[place].push(token);
        (written[place].len() < 2 * tokens.len()).then_some(token)
    })?;
    Ok(answers)
}

/// The token with the largest probability, the first of equal ones.
fn likeliest(distribution: &[f64]) -> u32 {
    let largest = distribution.iter().copied().fold(f64::MIN, f64::max);
    distribution.iter().position(|probability| *probability == largest).unwrap_or(0) as u32
}
