//! The task's trivial baselines on the instances of an evaluation: no model takes part, so they are the same for every
//! policy and seed.

use haltbench_analysis::{ClusterSum, Split};
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Task;
use haltbench_sdk::task::baseline::Baseline;

use crate::data::{self, EVALUATION_SEED, EvaluationInstance};
use crate::error::Result;
use crate::estimate;
use crate::store::{BaselineResult, MetricRow};

/// Training instances that baselines learn frequencies from.
const TRAINING_INSTANCES: usize = 1000;

/// Token accuracy and exact match of every baseline, for each split that has instances.
///
/// # Errors
/// If no training instance can be drawn, or a baseline does not guess a token for each target.
pub fn measure(task: &dyn Task, name: &str, instances: &[EvaluationInstance]) -> Result<Vec<BaselineResult>> {
    let training = data::training_instances(task, name, TRAINING_INSTANCES)?;
    task.baselines(&training).iter().map(|baseline| score(baseline.as_ref(), name, instances)).collect()
}

fn score(baseline: &dyn Baseline, task: &str, instances: &[EvaluationInstance]) -> Result<BaselineResult> {
    let mut metrics = Vec::new();
    for split in Split::ALL {
        let (mut identities, mut tokens, mut sequences) = (Vec::new(), Vec::new(), Vec::new());
        for entry in instances.iter().filter(|entry| entry.split == split) {
            let right = hits(baseline, task, entry)?;
            let count = right.len() as f64;
            identities.push(entry.id);
            tokens.push(ClusterSum { sum: right.iter().filter(|right| **right).count() as f64, count });
            // Like a model's, an instance without answers is no exact match and no failure.
            let exact = f64::from(u8::from(right.iter().all(|right| *right)));
            sequences.push(ClusterSum { sum: if count > 0.0 { exact } else { 0.0 }, count: count.min(1.0) });
        }
        if !identities.is_empty() {
            let row = |metric: &str, sums| -> MetricRow { estimate::row(metric, split, &identities, sums) };
            metrics.push(row("token_accuracy", tokens));
            metrics.push(row("exact_match", sequences));
        }
    }
    Ok(BaselineResult { name: baseline.name().to_owned(), documentation: baseline.documentation().to_owned(), metrics })
}

/// Which targets of an instance the baseline guesses.
fn hits(baseline: &dyn Baseline, task: &str, entry: &EvaluationInstance) -> Result<Vec<bool>> {
    let mut stream = Stream::new(EVALUATION_SEED, baseline.name(), &[entry.id]);
    let guesses = baseline.guess(&entry.instance, &mut stream);
    let answers: Vec<u32> = entry.instance.answers().collect();
    if guesses.len() != answers.len() {
        let message =
            format!("its baseline {} guesses {} of {} answer tokens", baseline.name(), guesses.len(), answers.len());
        return Err(haltbench_sdk::Error::contract(task, message).into());
    }
    Ok(answers.iter().zip(&guesses).map(|(answer, guess)| answer == guess).collect())
}
