//! Instances for training and evaluation, drawn from seeded streams and split by the hash of their problems.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use haltbench_analysis::Split;
use haltbench_sdk::random::ProblemStream;
use haltbench_sdk::task::{self, Instance, Task};

use crate::error::{Error, Result};
use crate::host::problem_stream;
use crate::plan::Evaluation;

/// Attempts to find an instance of a part before the part counts as empty.
const ATTEMPTS: u64 = 2000;

/// A part of a task's problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Problems that training may see.
    Train,
    /// Problems held out from training.
    HeldOut,
    /// Held-out problems for choosing knobs.
    Calibration,
    /// All other held-out problems.
    Evaluation,
    /// All problems.
    Any,
}

/// Permanent identity of an instance: the seed, the size and the index.
pub type Identity = (u64, u32, u64);

/// Index of the stream for an attempt.
fn attempt_of((_, size, index): Identity, attempt: u64) -> [u64; 3] {
    [u64::from(size), index, attempt]
}

/// Draws the instance with this identity, from this part, into `instance`.
///
/// # Errors
/// If the task cannot express the size, or the part is empty.
pub fn draw(task: &dyn Task, name: &str, identity: Identity, part: Part, instance: &mut Instance) -> Result<()> {
    let (seed, size, _) = identity;
    for attempt in 0..ATTEMPTS {
        let mut stream = problem_stream(seed, ProblemStream::Instance, &attempt_of(identity, attempt))?;
        match part {
            Part::Train => task.draw_training(size, &mut stream, instance)?,
            Part::HeldOut | Part::Calibration | Part::Evaluation | Part::Any => {
                task.draw(size, &mut stream, instance)?
            }
        }
        instance.validate(name, task.spec())?;
        let is_wanted = match part {
            Part::Any => true,
            Part::Train => !instance.is_held_out(),
            Part::HeldOut => instance.is_held_out(),
            Part::Calibration => instance.is_for_calibration(),
            Part::Evaluation => instance.is_held_out() && !instance.is_for_calibration(),
        };
        if is_wanted {
            return Ok(());
        }
    }
    let part = match part {
        Part::Train => "training",
        Part::Calibration => "calibration",
        Part::HeldOut | Part::Evaluation | Part::Any => "evaluation",
    };
    Err(Error::Usage(format!("task {name}: size {size} has no instance in the {part} split; choose a larger size")))
}

/// The instance with this identity, from this part.
///
/// # Errors
/// Like [`draw`].
pub fn instance(task: &dyn Task, name: &str, identity: Identity, part: Part) -> Result<Instance> {
    let mut instance = Instance::default();
    draw(task, name, identity, part, &mut instance)?;
    Ok(instance)
}

/// Draws the training instances of a step into `batch`, one per place, and returns their sizes.
///
/// # Errors
/// Like [`draw`].
pub fn training_batch(task: &dyn Task, name: &str, seed: u64, step: u64, batch: &mut [Instance]) -> Result<Vec<u32>> {
    let drawn = (0..).zip(batch).map(|(place, instance)| {
        // Training and evaluation instances have streams with different keys and disjoint ranges of the hash.
        let mut stream = problem_stream(seed, ProblemStream::TrainingSize, &[step, place])?;
        let size = task.training_size(&mut stream);
        draw(task, name, (stream.integer(), size, 0), Part::Train, instance).map(|()| size)
    });
    drawn.collect()
}

/// The first `count` training instances of a run with the evaluation seed, with their own ids.
///
/// # Errors
/// Like [`draw`].
pub fn training_instances(task: &dyn Task, name: &str, count: usize) -> Result<Vec<EvaluationInstance>> {
    let mut instances = vec![Instance::default(); count];
    let sizes = training_batch(task, name, EVALUATION_SEED, 0, &mut instances)?;
    let entry = |((id, size), instance)| EvaluationInstance { id, size, split: Split::InRange, instance };
    Ok((0..).zip(sizes).zip(instances).map(entry).collect())
}

/// An evaluated instance.
pub struct EvaluationInstance {
    /// Id of the instance, the same in every evaluation: its size, then the part that it was drawn for and the index of
    /// its stream, in 32 bits each.
    pub id: u64,
    /// Size.
    pub size: u32,
    /// The hardest split of its graded tokens.
    pub split: Split,
    /// The instance.
    pub instance: Instance,
}

/// The id that plugins see instead of the id of a sequence, which names the stream that it was drawn from: a keyed hash.
pub fn opaque(id: u64) -> u64 {
    const CONTEXT: &str = "haltbench 2026-11-29 ids of sequences that plugins see";
    static KEY: LazyLock<[u8; 32]> = LazyLock::new(|| blake3::derive_key(CONTEXT, &EVALUATION_SEED.to_le_bytes()));
    let [a, b, c, d, e, f, g, h, ..] = *blake3::keyed_hash(&KEY, &id.to_le_bytes()).as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// Seed of evaluation instances: the same for every policy and every seed of a run, so that all comparisons are paired.
pub(crate) const EVALUATION_SEED: u64 = 0x6861_6c74;

/// The sizes of an evaluation: the plan's or, by default, the task's.
pub fn sizes(task: &dyn Task, evaluation: &Evaluation) -> Vec<(Split, u32)> {
    let Some(knob) = &task.spec().size else { return vec![(Split::InRange, 0)] };
    let pick = |split: Split, given: &Option<Vec<u32>>, own: &[u32]| {
        let sizes = given.as_deref().unwrap_or(own).to_vec();
        sizes.into_iter().map(move |size| (split, size))
    };
    pick(Split::InRange, &evaluation.in_range, &knob.training)
        .chain(pick(Split::Between, &evaluation.between, &knob.between))
        .chain(pick(Split::Beyond, &evaluation.beyond, &knob.beyond))
        .collect()
}

/// Checks before training that every size has instances in the part that needs them.
///
/// # Errors
/// Like [`draw`].
pub fn check_splits(task: &dyn Task, name: &str, evaluation: &Evaluation) -> Result<()> {
    if let Some(knob) = &task.spec().size {
        for size in &knob.training {
            instance(task, name, (EVALUATION_SEED, *size, 0), Part::Train)?;
        }
    }
    for (_, size) in sizes(task, evaluation) {
        instance(task, name, (EVALUATION_SEED, size, 0), graded_part(evaluation))?;
    }
    if evaluation.calibration > 0 && calibration_sizes(task, name, evaluation).is_empty() {
        let known = evaluation_sizes(task, evaluation);
        return Err(Error::Usage(format!(
            "task {name}: no size seen in training{known} has an instance in the calibration part; choose larger sizes, or \
             evaluation.calibration = 0 without sweeps"
        )));
    }
    Ok(())
}

fn evaluation_sizes(task: &dyn Task, evaluation: &Evaluation) -> String {
    let sizes = sizes(task, evaluation);
    let in_range: Vec<String> =
        sizes.iter().filter(|(split, _)| *split == Split::InRange).map(|(_, size)| size.to_string()).collect();
    if task.spec().size.is_some() { format!(" ({})", in_range.join(", ")) } else { String::new() }
}

/// The part of the held-out instances for reported results.
fn graded_part(evaluation: &Evaluation) -> Part {
    if evaluation.calibration > 0 { Part::Evaluation } else { Part::HeldOut }
}

/// The trained sizes that have an instance in the calibration part.
fn calibration_sizes(task: &dyn Task, name: &str, evaluation: &Evaluation) -> Vec<u32> {
    let in_range = sizes(task, evaluation).into_iter().filter(|(split, _)| *split == Split::InRange);
    let has_one = |size: &u32| instance(task, name, (EVALUATION_SEED, *size, 0), Part::Calibration).is_ok();
    in_range.map(|(_, size)| size).filter(has_one).collect()
}

/// All instances for choosing knobs, of trained sizes; empty if the evaluation has no calibration.
///
/// # Errors
/// Like [`draw`], and [`Error::Interrupted`].
pub fn calibration_instances(
    task: &dyn Task,
    name: &str,
    evaluation: &Evaluation,
    interrupted: &dyn Fn() -> Option<i32>,
) -> Result<Vec<EvaluationInstance>> {
    if evaluation.calibration == 0 {
        return Ok(Vec::new());
    }
    let sizes = calibration_sizes(task, name, evaluation).into_iter().map(|size| (Split::InRange, size));
    distinct(task, name, (sizes.collect(), Part::Calibration, evaluation.calibration), interrupted)
}

/// All instances of an evaluation: distinct held-out ones, fewer if a size does not have enough. `interrupted` returns
/// the signal that asks to stop, if any.
///
/// # Errors
/// Like [`draw`], and [`Error::Interrupted`].
pub fn evaluation_instances(
    task: &dyn Task,
    name: &str,
    evaluation: &Evaluation,
    interrupted: &dyn Fn() -> Option<i32>,
) -> Result<Vec<EvaluationInstance>> {
    let wanted = (sizes(task, evaluation), graded_part(evaluation), evaluation.instances);
    distinct(task, name, wanted, interrupted)
}

/// Distinct instances of each size in a part, as many as wanted if there are enough.
fn distinct(
    task: &dyn Task,
    name: &str,
    (sizes, part, wanted): (Vec<(Split, u32)>, Part, usize),
    interrupted: &dyn Fn() -> Option<i32>,
) -> Result<Vec<EvaluationInstance>> {
    let mut all = Vec::new();
    for (split, size) in sizes {
        let mut search = Search::new(wanted);
        while let Some(index) = search.next() {
            if let Some(signal) = interrupted() {
                return Err(Error::Interrupted(signal));
            }
            let instance = instance(task, name, (EVALUATION_SEED, size, index), part)?;
            if search.found(instance.canonical()) {
                let splits = instance.graded().map(|token| task.token_size(size, &instance, token).split);
                let split = splits.max().map_or(split, split_of);
                all.push(EvaluationInstance {
                    id: u64::from(size) << 32 | part_of_id(part) | index,
                    size,
                    split,
                    instance,
                });
            }
        }
    }
    Ok(all)
}

/// Distinguishes ids of different parts, whose instances are drawn from streams of the same index.
fn part_of_id(part: Part) -> u64 {
    match part {
        Part::Calibration => 1 << 31,
        Part::Evaluation => 1 << 30,
        Part::Train | Part::HeldOut | Part::Any => 0,
    }
}

/// Most draws of a search for `wanted` distinct instances of a size.
fn most_draws_of_size(wanted: u64) -> u64 {
    wanted.saturating_mul(64).saturating_add(4096)
}

/// Most draws of the search for all instances of an evaluation.
pub fn most_draws(task: &dyn Task, evaluation: &Evaluation) -> u64 {
    most_draws_of_size(evaluation.instances as u64).saturating_mul(sizes(task, evaluation).len() as u64)
}

/// A search for distinct instances of a size.
struct Search {
    wanted: usize,
    /// Canonical texts of the instances found.
    seen: BTreeSet<String>,
    draws: u64,
    /// Number of draws since the last new one.
    repeats: u64,
}

impl Search {
    fn new(wanted: usize) -> Self {
        Self { wanted, seen: BTreeSet::new(), draws: 0, repeats: 0 }
    }

    /// Index of the next draw; `None` when the search is over.
    ///
    /// If n instances are found and another one is equally likely, 16 (n + 4) draws miss it with a probability below
    /// e^-16: after this many repeats in a row, the search assumes that there is none. If some instances are much rarer
    /// than others, the search ends after 64 draws per wanted instance and 4096 more.
    fn next(&self) -> Option<u64> {
        let (wanted, found) = (self.wanted as u64, self.seen.len() as u64);
        let is_over = found >= wanted || self.repeats >= 16 * (found + 4) || self.draws >= most_draws_of_size(wanted);
        (!is_over).then_some(self.draws)
    }

    /// Records the instance of the last index; returns whether it is new.
    fn found(&mut self, canonical: &str) -> bool {
        let is_new = self.seen.insert(canonical.to_owned());
        self.draws += 1;
        self.repeats = if is_new { 0 } else { self.repeats + 1 };
        is_new
    }
}

/// Converts a task's split to the split of the statistics.
pub fn split_of(split: task::Split) -> Split {
    match split {
        task::Split::InRange => Split::InRange,
        task::Split::Embedded => Split::Embedded,
        task::Split::Between => Split::Between,
        task::Split::Beyond => Split::Beyond,
    }
}

/// Smallest and largest headline complexity over training instances, for oracles.
///
/// # Errors
/// Like [`draw`].
pub fn complexity_range(task: &dyn Task, name: &str, headline: usize) -> Result<(f32, f32)> {
    let (mut least, mut most) = (f32::INFINITY, f32::NEG_INFINITY);
    for entry in training_instances(task, name, 256)? {
        for value in entry.instance.complexities.column(headline).filter(|value| !value.is_nan()) {
            least = least.min(value);
            most = most.max(value);
        }
    }
    Ok((least, most))
}
