//! Settings of a run with their defaults and ranges.

use std::fmt;
use std::marker::PhantomData;
use std::ops::RangeInclusive;

use haltbench_sdk::key_values::HaltedKeysValues;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{Error, Result};

/// The recurrence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recurrence {
    /// Steps a token may take at most, D.
    pub max_depth: usize,
    /// Keys and values of halted tokens.
    pub halted_keys_values: String,
}

impl Default for Recurrence {
    fn default() -> Self {
        Self { max_depth: 6, halted_keys_values: "freeze-state".to_owned() }
    }
}

/// Optimiser and schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingSettings {
    /// Optimiser steps.
    pub steps: u64,
    /// Instances in a batch.
    pub batch: usize,
    /// Learning rate after the warm-up, constant from there.
    pub learning_rate: f64,
    /// Steps over which the learning rate rises linearly from zero.
    pub warmup_steps: u64,
    /// Decoupled weight decay of matrices; vectors are never decayed.
    pub weight_decay: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Largest Euclidean norm of the gradient; longer ones are scaled down. 0 means no limit.
    pub clip: f64,
    /// Steps between two checkpoints.
    pub checkpoint_every: u64,
    /// Steps between two lines of metrics.jsonl.
    pub log_every: u64,
    /// Whether the backward pass recomputes the core's steps instead of keeping their activations: less memory, more
    /// time, the same numbers.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recompute: bool,
}

impl Default for TrainingSettings {
    fn default() -> Self {
        Self {
            steps: 1000,
            batch: 64,
            learning_rate: 1e-3,
            warmup_steps: 100,
            weight_decay: 0.01,
            beta1: 0.9,
            beta2: 0.95,
            epsilon: 1e-8,
            clip: 1.0,
            checkpoint_every: 100,
            log_every: 10,
            recompute: false,
        }
    }
}

/// The evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Evaluation {
    /// Number of distinct instances of each size, or all if fewer exist.
    pub instances: usize,
    /// Number of distinct calibration instances of each training size, on which knobs are chosen. 0 is allowed if no
    /// knob is swept.
    #[serde(skip_serializing_if = "is_zero")]
    pub calibration: usize,
    /// Instances in a batch; results do not depend on it.
    pub batch: usize,
    /// Number of strings that the model generates, for tasks that are languages; 0 turns this off.
    pub generated_strings: usize,
    /// Sizes seen in training; by default the task's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_range: Option<Vec<u32>>,
    /// Unseen sizes between training sizes; by default the task's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub between: Option<Vec<u32>>,
    /// Unseen sizes beyond the training sizes; by default the task's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beyond: Option<Vec<u32>>,
    /// Steps a token may take at most, one evaluation for each; by default `recurrence.max_depth`. Only in suite files:
    /// a plan has one value.
    #[serde(skip_serializing)]
    pub max_depth: Option<OneOrMore<usize>>,
}

/// A value or a list of values.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum OneOrMore<T> {
    /// A value.
    One(T),
    /// A list.
    More(Vec<T>),
}

impl<T> OneOrMore<T> {
    /// All of them.
    pub fn values(&self) -> &[T] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::More(values) => values,
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMore<T> {
    /// Looks at the value's type first, so that a value of a wrong type gets its own message.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Values<T> {
            type Value = OneOrMore<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a value or a list of values")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<OneOrMore<T>, E> {
                T::deserialize(value.into_deserializer()).map(OneOrMore::One)
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<OneOrMore<T>, E> {
                T::deserialize(value.into_deserializer()).map(OneOrMore::One)
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<OneOrMore<T>, E> {
                T::deserialize(value.into_deserializer()).map(OneOrMore::One)
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<OneOrMore<T>, E> {
                T::deserialize(value.into_deserializer()).map(OneOrMore::One)
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<OneOrMore<T>, E> {
                T::deserialize(value.into_deserializer()).map(OneOrMore::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<OneOrMore<T>, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(values)).map(OneOrMore::More)
            }
        }
        deserializer.deserialize_any(Values(PhantomData))
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Default for Evaluation {
    fn default() -> Self {
        Self {
            instances: 100,
            calibration: 0,
            batch: 64,
            generated_strings: 16,
            in_range: None,
            between: None,
            beyond: None,
            max_depth: None,
        }
    }
}

fn check(holds: bool, key: &str, expected: &str, found: impl std::fmt::Display) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::Usage(format!("{key}: expected {expected}, found {found}"))) }
}

/// Most steps of a token, instances of a size, optimiser steps, and instances in a batch. Sums and products of these
/// numbers fit their types, and the draws of an evaluation's instances fit their ids.
const MOST_DEPTH: usize = 100_000;
const MOST_INSTANCES: usize = 10_000_000;
const MOST_STEPS: u64 = 1_000_000_000;
const MOST_BATCH: usize = 1_000_000;

/// Refuses a whole number outside `allowed`.
fn within<N: PartialOrd + fmt::Display>(key: &str, found: N, allowed: RangeInclusive<N>) -> Result<()> {
    let expected = format!("a whole number from {} to {}", allowed.start(), allowed.end());
    check(allowed.contains(&found), key, &expected, found)
}

/// Refuses an invalid D.
///
/// # Errors
/// [`Error::Usage`] naming the key.
pub fn check_depth(key: &str, max_depth: usize) -> Result<()> {
    within(key, max_depth, 1..=MOST_DEPTH)
}

/// Refuses an invalid number of optimiser steps of a stage.
///
/// # Errors
/// [`Error::Usage`] naming the key.
pub(super) fn check_steps(key: &str, steps: u64) -> Result<()> {
    within(key, steps, 0..=MOST_STEPS)
}

impl Recurrence {
    /// Refuses values outside their ranges.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the key.
    pub fn validate(&self) -> Result<()> {
        check_depth("recurrence.max_depth", self.max_depth)?;
        HaltedKeysValues::from_name(&self.halted_keys_values)?;
        Ok(())
    }
}

impl TrainingSettings {
    /// Refuses values outside their ranges.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the key.
    pub fn validate(&self) -> Result<()> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let share = |value: f64| (0.0..1.0).contains(&value);
        let at_least_one = "a whole number of at least 1";
        within("training.steps", self.steps, 1..=MOST_STEPS)?;
        within("training.batch", self.batch, 1..=MOST_BATCH)?;
        check(positive(self.learning_rate), "training.learning_rate", "a positive number", self.learning_rate)?;
        let decay = self.weight_decay.is_finite() && self.weight_decay >= 0.0;
        check(decay, "training.weight_decay", "a number of at least 0", self.weight_decay)?;
        check(share(self.beta1), "training.beta1", "a number in [0, 1)", self.beta1)?;
        check(share(self.beta2), "training.beta2", "a number in [0, 1)", self.beta2)?;
        check(positive(self.epsilon), "training.epsilon", "a positive number", self.epsilon)?;
        check(self.clip.is_finite() && self.clip >= 0.0, "training.clip", "a number of at least 0", self.clip)?;
        check(self.checkpoint_every >= 1, "training.checkpoint_every", at_least_one, self.checkpoint_every)?;
        check(self.log_every >= 1, "training.log_every", at_least_one, self.log_every)
    }
}

impl Evaluation {
    /// Refuses an evaluation that gives `policy`, which calibrates itself, no instance to do so.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the key.
    pub fn check_calibration(&self, policy: &str) -> Result<()> {
        let expected = format!("at least 1 instance of each size, because policy {policy} calibrates itself");
        check(self.calibration > 0, "evaluation.calibration", &expected, self.calibration)
    }

    /// Refuses values outside their ranges.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the key.
    pub fn validate(&self) -> Result<()> {
        within("evaluation.instances", self.instances, 1..=MOST_INSTANCES)?;
        within("evaluation.calibration", self.calibration, 0..=MOST_INSTANCES)?;
        within("evaluation.generated_strings", self.generated_strings, 0..=MOST_INSTANCES)?;
        if let Some(depths) = &self.max_depth {
            let none = depths.values().is_empty();
            check(!none, "evaluation.max_depth", "at least one whole number", "[]")?;
            depths.values().iter().try_for_each(|depth| check_depth("evaluation.max_depth", *depth))?;
        }
        within("evaluation.batch", self.batch, 1..=MOST_BATCH)
    }
}
