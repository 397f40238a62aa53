//! Checks of the separation of training and evaluation: problems, grading, and sizes of single targets.

use std::collections::{BTreeMap, BTreeSet};

use super::{Subject, contained};
use crate::random::Stream;
use crate::task::{Instance, Split, Task};

/// Instances drawn for each size.
const DRAWS: u64 = 200;

/// Instances drawn for the smallest size, where instances are most likely to share a context.
const SMALLEST_DRAWS: u64 = 1000;

/// Checks problems, grading and sizes over instances of several sizes.
pub fn check(subject: Subject, task: &dyn Task, sizes: &BTreeSet<u32>) {
    let mut contexts = Contexts { subject, problems: Vec::new(), found: BTreeMap::new() };
    for (place, size) in sizes.iter().enumerate() {
        let draws = if place == 0 { SMALLEST_DRAWS } else { DRAWS };
        let mut graded = 0;
        for seed in 0..draws {
            let instance = draw(subject, seed, |stream, instance| task.draw(*size, stream, instance));
            graded += u64::from(instance.graded().next().is_some());
            contexts.add(task, &instance, *size);
            check_sizes(subject, task, &instance, *size);
        }
        let most = 2 * graded >= draws;
        subject.demand("most instances have a target that is graded", most, || {
            format!("{graded} of {draws} instances of size {size}")
        });
    }
    check_trained(subject, task);
}

fn draw(
    subject: Subject,
    seed: u64,
    draw: impl FnOnce(&mut Stream, &mut Instance) -> crate::error::Result<()>,
) -> Instance {
    let mut stream = Stream::new(seed, "conformance/split", &[]);
    let mut instance = Instance::default();
    let drawn = contained(subject, "sampling", || draw(&mut stream, &mut instance));
    subject.expect("it can be sampled", drawn);
    instance
}

/// The contexts of graded targets, and which problem each belongs to.
struct Contexts {
    subject: Subject,
    problems: Vec<String>,
    /// By the hash of the tokens up to the position that predicts the target.
    found: BTreeMap<[u8; 32], usize>,
}

impl Contexts {
    /// Instances with the same context of a graded target must belong to one problem.
    fn add(&mut self, task: &dyn Task, instance: &Instance, size: u32) {
        let own = self.problems.len();
        self.problems.push(instance.problem().to_owned());
        let mut hasher = blake3::Hasher::new();
        let mut hashed = 0;
        for token in instance.graded() {
            let Some(read) = task.spec().supervision.reads_at(token) else { continue };
            for token in &instance.tokens[hashed..=read] {
                hasher.update(&token.to_le_bytes());
            }
            hashed = read + 1;
            let other = *self.found.entry(*hasher.finalize().as_bytes()).or_insert(own);
            let [problem, other] = [own, other].map(|place| self.problems[place].as_str());
            self.subject.demand("the context of a graded target determines the problem", problem == other, || {
                format!("`{problem}` and `{other}` start with the same {hashed} tokens (size {size}, target {token})")
            });
        }
    }
}

/// Checks the sizes of an instance's targets.
fn check_sizes(subject: Subject, task: &dyn Task, instance: &Instance, size: u32) {
    let is_trained = task.spec().size.as_ref().is_none_or(|knob| knob.training.contains(&size));
    for token in instance.graded() {
        let own = contained(subject, "telling a size", || task.token_size(size, instance, token));
        let at = || format!("{own:?} for token {token} of size {size}");
        subject.demand("no target is larger than its instance", own.size <= size, at);
        let is_embedded = own.split == Split::Embedded;
        subject.demand("only sizes that are not trained at embed others", !(is_embedded && is_trained), at);
    }
}

/// Training draws only training sizes.
fn check_trained(subject: Subject, task: &dyn Task) {
    for seed in 0..DRAWS {
        let mut size = 0;
        let instance = draw(subject, seed, |stream, instance| {
            size = task.training_size(stream);
            task.draw_training(size, stream, instance)
        });
        for token in instance.graded() {
            let own = task.token_size(size, &instance, token);
            subject.demand("targets of training are of a size trained on", own.split == Split::InRange, || {
                format!("{own:?} for token {token} of size {size}")
            });
        }
    }
}
