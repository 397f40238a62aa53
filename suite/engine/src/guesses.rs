//! The task's guesses on the instances of an evaluation. They involve no model, so they are the same for every policy
//! and seed.

use haltbench_analysis::{ClusterSum, Split};
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::guess::Guess;
use haltbench_sdk::task::{Instance, Task};

use crate::data::{self, EVALUATION_SEED, EvaluationInstance, split_of};
use crate::error::Result;
use crate::estimate::{self, Bounds};
use crate::store::GuessResult;

/// Training instances that guesses learn frequencies from.
const TRAINING_INSTANCES: usize = 1000;

/// Token accuracy and exact match of every guess, for each split that has instances.
///
/// # Errors
/// If no training instance can be drawn, or a guess does not have a token for each target.
pub fn measure(task: &dyn Task, name: &str, instances: &[EvaluationInstance]) -> Result<Vec<GuessResult>> {
    let training: Vec<Instance> =
        data::training_instances(task, name, TRAINING_INSTANCES)?.into_iter().map(|entry| entry.instance).collect();
    task.guesses(&training).iter().map(|guess| score(guess.as_ref(), (task, name), instances)).collect()
}

fn score(guess: &dyn Guess, (task, name): (&dyn Task, &str), instances: &[EvaluationInstance]) -> Result<GuessResult> {
    let graded = instances.iter().map(|entry| graded(guess, (task, name), entry)).collect::<Result<Vec<_>>>()?;
    let mut metrics = Vec::new();
    for split in Split::ALL {
        let (mut tokens, mut sequences) = (Vec::new(), Vec::new());
        for (entry, graded) in instances.iter().zip(&graded) {
            // A token belongs to the split of its own size, a sequence to the split of its hardest token.
            let right: Vec<bool> = graded.iter().filter(|(own, _)| *own == split).map(|(_, right)| *right).collect();
            let is_exact = graded.iter().all(|(_, right)| *right);
            let is_counted = entry.split == split && !graded.is_empty();
            let problem = entry.instance.problem_id();
            let sum = right.iter().filter(|right| **right).count() as f64;
            tokens.push((problem, ClusterSum { sum, count: right.len() as f64 }));
            let count = f64::from(u8::from(is_counted));
            sequences.push((problem, ClusterSum { sum: if is_exact { count } else { 0.0 }, count }));
        }
        for (metric, sums) in [("token_accuracy", tokens), ("exact_match", sequences)] {
            if sums.iter().any(|(_, sum)| sum.count > 0.0) {
                metrics.push(estimate::row(metric, split, sums, Bounds::Share));
            }
        }
    }
    Ok(GuessResult { name: guess.name().to_owned(), documentation: guess.documentation().to_owned(), metrics })
}

/// The split of every graded target of an instance, and whether the guess is right.
fn graded(
    guess: &dyn Guess,
    (task, name): (&dyn Task, &str),
    entry: &EvaluationInstance,
) -> Result<Vec<(Split, bool)>> {
    let instance = &entry.instance;
    let mut stream = Stream::new(EVALUATION_SEED, guess.name(), &[entry.id]);
    let guessed = guess.tokens(instance, &mut stream);
    let supervised = (0..instance.tokens.len()).filter(|token| instance.loss_mask[*token]);
    let answers = supervised.clone().count();
    if guessed.len() != answers {
        let message = format!("its guess `{}` has {} of {answers} answer tokens", guess.name(), guessed.len());
        return Err(haltbench_sdk::Error::contract(name, message).into());
    }
    let targets = instance.targets();
    let graded = supervised.zip(guessed).filter(|(token, _)| instance.is_graded(*token));
    let of = |token: usize| split_of(task.token_size(entry.size, instance, token).split);
    Ok(graded.map(|(token, guess)| (of(token), targets[token] == guess)).collect())
}
