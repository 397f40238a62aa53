//! Guesses: answers that do not solve the task, such as the most frequent one. Reports print their scores beside
//! results, because an accuracy means little without the accuracy of a guess.

use std::collections::{BTreeMap, BTreeSet};

use super::Instance;
use crate::random::Stream;

/// An answer that does not solve the task.
pub trait Guess {
    /// Its name in reports, as in `most-frequent`.
    fn name(&self) -> &'static str;

    /// One sentence that says what it guesses.
    fn documentation(&self) -> &'static str;

    /// A token for each target under the loss, in order. Like a model's prediction, a guess may depend on everything
    /// before its target, but not on the target.
    fn tokens(&self, instance: &Instance, stream: &mut Stream) -> Vec<u32>;
}

/// The guesses that every task is compared with: the most frequent answer, and a random one.
pub fn trivial<'a>(training: &[Instance]) -> Vec<Box<dyn Guess + 'a>> {
    vec![Box::new(MostFrequent::new(training)), Box::new(RandomAnswer::new(training))]
}

/// Always the token that training has most often at the same place of the answer.
struct MostFrequent {
    /// By place among the targets of a sequence.
    at: Vec<u32>,
    anywhere: u32,
}

impl MostFrequent {
    fn new(training: &[Instance]) -> Self {
        let mut at: Vec<BTreeMap<u32, u64>> = Vec::new();
        let mut anywhere: BTreeMap<u32, u64> = BTreeMap::new();
        for instance in training {
            for (place, target) in instance.answers().enumerate() {
                if place == at.len() {
                    at.push(BTreeMap::new());
                }
                *at[place].entry(target).or_default() += 1;
                *anywhere.entry(target).or_default() += 1;
            }
        }
        // Of tokens that are equally frequent, the first of the vocabulary.
        let most = |counts: &BTreeMap<u32, u64>| {
            counts.iter().rev().max_by_key(|(_, count)| **count).map_or(0, |(token, _)| *token)
        };
        Self { at: at.iter().map(most).collect(), anywhere: most(&anywhere) }
    }
}

impl Guess for MostFrequent {
    fn name(&self) -> &'static str {
        "most-frequent"
    }

    fn documentation(&self) -> &'static str {
        "Always the token that training has most often at this place of the answer."
    }

    fn tokens(&self, instance: &Instance, _: &mut Stream) -> Vec<u32> {
        (0..instance.answers().count()).map(|place| self.at.get(place).copied().unwrap_or(self.anywhere)).collect()
    }
}

/// A random one of the tokens that training has in answers.
struct RandomAnswer(Vec<u32>);

impl RandomAnswer {
    fn new(training: &[Instance]) -> Self {
        let seen: BTreeSet<u32> = training.iter().flat_map(Instance::answers).collect();
        Self(seen.into_iter().collect())
    }
}

impl Guess for RandomAnswer {
    fn name(&self) -> &'static str {
        "random-answer"
    }

    fn documentation(&self) -> &'static str {
        "Any token that training has in answers, all equally likely."
    }

    fn tokens(&self, instance: &Instance, stream: &mut Stream) -> Vec<u32> {
        // Without training instances there is nothing to choose from.
        instance.answers().map(|_| if self.0.is_empty() { 0 } else { *stream.choose(&self.0) }).collect()
    }
}

/// A random one of the tokens that a task says are valid.
pub struct RandomValid<F> {
    /// Its name in reports.
    pub name: &'static str,
    /// One sentence that says which tokens are valid.
    pub documentation: &'static str,
    /// Candidates for each target under the loss, in order; a token listed twice is twice as likely. Without candidates
    /// the guess is token 0.
    pub choices: F,
}

impl<F: Fn(&Instance) -> Vec<Vec<u32>>> Guess for RandomValid<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn documentation(&self) -> &'static str {
        self.documentation
    }

    fn tokens(&self, instance: &Instance, stream: &mut Stream) -> Vec<u32> {
        let choices = (self.choices)(instance);
        choices.iter().map(|choices| if choices.is_empty() { 0 } else { *stream.choose(choices) }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Columns;

    /// An instance that answers `targets` after one token of prompt.
    fn answering(targets: &[u32]) -> Instance {
        let tokens: Vec<u32> = [9].iter().chain(targets).copied().collect();
        Instance {
            loss_mask: (0..tokens.len()).map(|token| token > 0).collect(),
            complexities: Columns::undefined(0, 0..tokens.len()),
            features: Columns::undefined(0, 0..tokens.len()),
            tokens,
            ..Instance::default()
        }
    }

    #[test]
    fn guesses_follow_training_place_by_place() {
        let training = [answering(&[1, 5]), answering(&[1, 4]), answering(&[2, 5, 5]), answering(&[2])];
        let mut stream = Stream::new(0, "test", &[]);
        let [most_frequent, random] = &trivial(&training)[..] else { panic!("two guesses") };
        // 1 and 2 are equally frequent at the first place; at the fourth nothing is known but the whole.
        assert_eq!(most_frequent.tokens(&answering(&[7, 7, 7, 7]), &mut stream), [1, 5, 5, 5]);
        let guessed: Vec<u32> = (0..400).flat_map(|_| random.tokens(&answering(&[7]), &mut stream)).collect();
        for token in [1, 2, 4, 5] {
            let count = guessed.iter().filter(|guess| **guess == token).count();
            assert!((60..140).contains(&count), "{token} {count}");
        }
        assert_eq!(trivial(&[])[1].tokens(&answering(&[7]), &mut stream), [0]);
    }
}
