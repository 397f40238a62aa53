//! Instances for training and evaluation, from seeded streams and disjoint by the hash of the canonical instance.

use std::collections::BTreeSet;

use haltbench_analysis::Split;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{Instance, Standing, Task};

use crate::error::{Error, Result};
use crate::plan::Evaluation;

/// Attempts to find an instance of one split before the split counts as empty.
const ATTEMPTS: u64 = 2000;

/// Which part of a size's instances is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Those that training may see.
    Train,
    /// Those that are held out for evaluation.
    HeldOut,
    /// All.
    Any,
}

/// Instance `index` of a size under `seed`, of the part wanted: one seed and index name the same instance for ever.
///
/// # Errors
/// If the task cannot express the size or the part is empty.
pub fn instance(task: &dyn Task, name: &str, (seed, size, index): (u64, u32, u64), part: Part) -> Result<Instance> {
    for attempt in 0..ATTEMPTS {
        let mut stream = Stream::new(seed, "instance", &[u64::from(size), index, attempt]);
        let drawn = match part {
            Part::Train => task.sample_training(size, &mut stream),
            Part::HeldOut | Part::Any => task.sample(size, &mut stream),
        };
        // It stays where it was drawn until it is given out: an instance is large.
        let is_wanted = match &drawn {
            Err(_) => true,
            Ok(instance) => {
                instance.validate(name, task.spec())?;
                match part {
                    Part::Any => true,
                    Part::Train => !instance.is_held_out(),
                    Part::HeldOut => instance.is_held_out(),
                }
            }
        };
        if is_wanted {
            return Ok(drawn?);
        }
    }
    let part = if part == Part::Train { "training" } else { "evaluation" };
    Err(Error::Usage(format!("task {name}: size {size} has no instance in the {part} split; choose a larger size")))
}

/// The training instance of a training step's place in the batch.
///
/// # Errors
/// Like [`instance`].
pub fn training_instance(task: &dyn Task, name: &str, seed: u64, step: u64, place: u64) -> Result<Instance> {
    let key = [step, place];
    let mut stream = Stream::new(seed, "training-size", &key);
    let size = task.training_size(&mut stream);
    // Training and evaluation instances come from streams with other keys and from disjoint halves of the hash.
    instance(task, name, (stream.integer(), size, 0), Part::Train)
}

/// An instance of the evaluation.
pub struct EvaluationInstance {
    /// Number within the evaluation; the instance's lasting name.
    pub number: u64,
    /// Size.
    pub size: u32,
    /// Where the size stands.
    pub split: Split,
    /// The instance.
    pub instance: Instance,
}

/// The seed of evaluation instances: the same for every policy and every seed of a run, so that all comparisons are
/// paired.
pub(crate) const EVALUATION_SEED: u64 = 0x6861_6c74;

/// The sizes of an evaluation: the plan's, or the task's own.
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

/// Makes sure that every size has instances in the split that wants them, before anything is trained.
///
/// # Errors
/// Like [`instance`].
pub fn check_splits(task: &dyn Task, name: &str, evaluation: &Evaluation) -> Result<()> {
    if let Some(knob) = &task.spec().size {
        for size in &knob.training {
            instance(task, name, (EVALUATION_SEED, *size, 0), Part::Train)?;
        }
    }
    for (_, size) in sizes(task, evaluation) {
        instance(task, name, (EVALUATION_SEED, size, 0), Part::HeldOut)?;
    }
    Ok(())
}

/// All instances of an evaluation: distinct held-out ones, fewer where a size has not that many. `interrupted` tells the
/// signal that asks to stop, if one does.
///
/// # Errors
/// Like [`instance`], and [`Error::Interrupted`].
pub fn evaluation_instances(
    task: &dyn Task,
    name: &str,
    evaluation: &Evaluation,
    interrupted: &dyn Fn() -> Option<i32>,
) -> Result<Vec<EvaluationInstance>> {
    let mut all = Vec::new();
    for (split, size) in sizes(task, evaluation) {
        let mut seen = BTreeSet::new();
        let most = 4 * evaluation.instances as u64 + 64;
        for index in 0..most {
            if seen.len() == evaluation.instances {
                break;
            }
            if let Some(signal) = interrupted() {
                return Err(Error::Interrupted(signal));
            }
            let instance = instance(task, name, (EVALUATION_SEED, size, index), Part::HeldOut)?;
            if seen.insert(instance.canonical().to_owned()) {
                let split = task.standing(size, &instance).map_or(split, split_of);
                all.push(EvaluationInstance { number: all.len() as u64, size, split, instance });
            }
        }
    }
    Ok(all)
}

fn split_of(standing: Standing) -> Split {
    match standing {
        Standing::Trained => Split::InRange,
        Standing::Between => Split::Between,
        Standing::Beyond => Split::Beyond,
    }
}

/// Smallest and largest headline complexity over training instances, for oracles.
///
/// # Errors
/// Like [`instance`].
pub fn complexity_range(task: &dyn Task, name: &str, headline: usize) -> Result<(f32, f32)> {
    let (mut least, mut most) = (f32::INFINITY, f32::NEG_INFINITY);
    for place in 0..256 {
        let instance = training_instance(task, name, EVALUATION_SEED, 0, place)?;
        for value in instance.complexities.column(headline).filter(|value| !value.is_nan()) {
            least = least.min(value);
            most = most.max(value);
        }
    }
    Ok((least, most))
}
