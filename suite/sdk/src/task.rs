//! The contract of a task: instances with known per-token complexity.
//!
//! Per-token arrays are indexed by the **target** token. The steps that predict token i are spent at position i-1
//! when tokens are predicted from their predecessors ([`Supervision::NextToken`]), and at position i when a label is
//! supervised at the token itself ([`Supervision::AtToken`]). [`Supervision::reads_at`] is the one place that shifts.
//!
//! # Training and evaluation
//!
//! Instances are split by their [problem](Instance::problem): a hash of its text holds out one problem in
//! [`HELD_OUT_SHARE`], and instances of one problem are never on both sides. A causal model answers a target from its
//! context alone, so this keeps training apart from evaluation if the context of every [graded](Instance::is_graded)
//! target determines the problem. Tasks promise that, and the conformance kit checks it:
//!
//! * a question that comes before all answers may be the problem as a whole;
//! * where answers stand inside the question, the problem is what comes before the first answer;
//! * where every token is an answer, the problem is the start of the sequence, and grading begins after it.

mod columns;
pub mod generation;
pub mod guess;
pub mod sizes;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

pub use self::columns::Columns;
use self::generation::Generation;
use self::guess::Guess;
use crate::error::{Error, Result};
use crate::parameters::{ParameterSpec, Parameters};
use crate::random::Stream;

/// Declaration of a task, registered with [`register_task!`](crate::register_task).
#[derive(Debug, Clone, Copy)]
pub struct TaskDeclaration {
    /// Name in suite files.
    pub name: &'static str,
    /// One line for `haltbench list`.
    pub summary: &'static str,
    /// Markdown for `haltbench explain`.
    pub documentation: &'static str,
    /// Paper and section.
    pub reference: &'static str,
    /// Licence of the data that the task generates.
    pub licence: &'static str,
    /// Parameters with defaults, ranges and documentation.
    pub parameters: &'static [ParameterSpec],
    /// Builds the task.
    pub build: fn(&Parameters) -> Result<Box<dyn Task>>,
}

/// Where a supervised token's prediction is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Supervision {
    /// Token i is predicted from the state at position i-1.
    NextToken,
    /// The target of token i is predicted from the state at position i.
    AtToken,
}

impl Supervision {
    /// The position whose state predicts target `index`; `None` where nothing can (the first token).
    pub fn reads_at(self, index: usize) -> Option<usize> {
        match self {
            Self::NextToken => index.checked_sub(1),
            Self::AtToken => Some(index),
        }
    }
}

/// Whether a feature can be counted from the prompt or needs the algorithm to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeatureKind {
    /// Countable from the prompt or the position.
    Static,
    /// Depends on running the algorithm.
    State,
}

/// Declaration of a per-token feature.
#[derive(Debug, Clone, Copy)]
pub struct FeatureSpec {
    /// Column name.
    pub name: &'static str,
    /// Static or state.
    pub kind: FeatureKind,
    /// One sentence.
    pub documentation: &'static str,
}

/// Declaration of a per-token complexity.
#[derive(Debug, Clone, Copy)]
pub struct ComplexitySpec {
    /// Column name.
    pub name: &'static str,
    /// One sentence with the unit.
    pub documentation: &'static str,
}

/// The difficulty knob.
#[derive(Debug, Clone, PartialEq)]
pub struct SizeKnob {
    /// The field's name of the size: `L`, `N`, ...
    pub name: &'static str,
    /// Smallest size the task can express.
    pub minimum: u32,
    /// Largest size the task can express.
    pub maximum: u32,
    /// Sizes seen in training.
    pub training: Vec<u32>,
    /// Unseen sizes between training sizes.
    pub between: Vec<u32>,
    /// Unseen sizes beyond the training sizes.
    pub beyond: Vec<u32>,
}

impl SizeKnob {
    /// Relation of `size` to the training sizes, whether or not the other lists contain it.
    pub fn split(&self, size: u32) -> Split {
        Split::among(size, self.training.iter().copied())
    }

    /// Size of a target that answers a part of an instance of `size`; `own` is the size of the part. For tasks whose training instances have parts of every size up to the largest, skipped sizes
    /// included.
    pub fn part(&self, size: u32, own: u32) -> TokenSize {
        let split = if self.training.contains(&size) {
            Split::InRange
        } else if self.training.last().is_some_and(|largest| own <= *largest) {
            Split::Embedded
        } else {
            Split::Beyond
        };
        TokenSize { size: own, split }
    }
}

/// Relation of a size to the training sizes, in order of difficulty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Trained on.
    InRange,
    /// Trained on, but inside an instance of a size that was not.
    Embedded,
    /// Not trained on, but inside the range of training sizes.
    Between,
    /// Outside that range.
    Beyond,
}

impl Split {
    /// Relation of `size` to the sizes in `training`.
    pub fn among(size: u32, training: impl IntoIterator<Item = u32>) -> Self {
        let (mut above, mut below) = (false, false);
        for trained in training {
            match size.cmp(&trained) {
                Ordering::Equal => return Self::InRange,
                Ordering::Greater => above = true,
                Ordering::Less => below = true,
            }
        }
        if above && below { Self::Between } else { Self::Beyond }
    }
}

/// Size of the problem that a single target answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenSize {
    /// Size in the units of the size knob; 0 if the token's answer has no size.
    pub size: u32,
    /// Relation of this size to the training sizes.
    pub split: Split,
}

/// What a configured task is.
#[derive(Debug, Clone)]
pub struct TaskSpec {
    /// Text of every token; the index is the token.
    pub vocabulary: Vec<String>,
    /// The difficulty knob; `None` for tasks without one.
    pub size: Option<SizeKnob>,
    /// Where predictions are read.
    pub supervision: Supervision,
    /// Per-token features, in the order of [`Instance::features`].
    pub features: Vec<FeatureSpec>,
    /// Per-token complexities, in the order of [`Instance::complexities`].
    pub complexities: Vec<ComplexitySpec>,
    /// The complexity that reports show first.
    pub headline: &'static str,
}

impl TaskSpec {
    /// The tokens whose text is one decimal digit, ascending.
    pub fn digits(&self) -> Vec<u32> {
        let is_digit = |text: &String| matches!(text.as_bytes(), [b'0'..=b'9']);
        (0..).zip(&self.vocabulary).filter(|(_, text)| is_digit(text)).map(|(token, _)| token).collect()
    }
}

/// One instance. All per-token arrays are as long as `tokens` and indexed by the target token. [`Default`] gives an
/// empty instance.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Instance {
    /// Token ids.
    pub tokens: Vec<u32>,
    /// Target of each token. `None` if every token is its own target, predicted from its predecessors.
    pub targets: Option<Vec<u32>>,
    /// Which targets are under the loss.
    pub loss_mask: Vec<bool>,
    /// One column for each complexity of the task.
    pub complexities: Columns,
    /// One column for each feature of the task.
    pub features: Columns,
    /// The prompt as text.
    pub question: String,
    /// The right answer as text.
    pub answer: String,
    /// Canonical text of the instance: two instances with the same text are the same, even if they list edges in
    /// another order. `None` if the question serves as this text.
    pub canonical: Option<String>,
    /// How many bytes of the canonical text, from its start, name the problem; `None` for all of it.
    pub problem: Option<usize>,
    /// Index of the first graded token. Earlier targets may be under the loss, but their contexts also occur in
    /// training, so grading them would mix the splits.
    pub graded_from: usize,
}

/// One in this many problems is held out for evaluation.
pub const HELD_OUT_SHARE: u64 = 8;

/// One in this many held-out problems is for calibration, if the evaluation calibrates: knobs are chosen on these
/// problems, results come from the others.
pub const CALIBRATION_SHARE: u64 = 4;

impl Instance {
    /// Target of each token.
    pub fn targets(&self) -> &[u32] {
        self.targets.as_deref().unwrap_or(&self.tokens)
    }

    /// Canonical text of the instance. An evaluation never has two instances with the same text.
    pub fn canonical(&self) -> &str {
        self.canonical.as_deref().unwrap_or(&self.question)
    }

    /// The text of the problem, whose hash decides the part. The context of every graded target determines it.
    pub fn problem(&self) -> &str {
        let canonical = self.canonical();
        self.problem.and_then(|end| canonical.get(..end)).unwrap_or(canonical)
    }

    /// Whether the instance belongs to the evaluation part. Training never sees an instance of the same problem.
    pub fn is_held_out(&self) -> bool {
        self.problem_hash().is_multiple_of(HELD_OUT_SHARE)
    }

    /// Whether a held-out instance belongs to the calibration part, if the evaluation calibrates. No problem is in
    /// both parts.
    pub fn is_for_calibration(&self) -> bool {
        self.is_held_out() && (self.problem_hash() / HELD_OUT_SHARE).is_multiple_of(CALIBRATION_SHARE)
    }

    /// Id of the problem, 63 bits, the same in every run.
    pub fn problem_id(&self) -> u64 {
        self.problem_hash() >> 1
    }

    fn problem_hash(&self) -> u64 {
        let hash = blake3::hash(self.problem().as_bytes());
        let mut head = [0; 8];
        head.copy_from_slice(&hash.as_bytes()[..8]);
        u64::from_le_bytes(head)
    }

    /// Whether the evaluation grades what is predicted for a token.
    pub fn is_graded(&self, token: usize) -> bool {
        token >= self.graded_from && self.loss_mask.get(token) == Some(&true)
    }

    /// The tokens whose predictions are graded, in order.
    pub fn graded(&self) -> impl Iterator<Item = usize> + '_ {
        (self.graded_from..self.tokens.len()).filter(|token| self.is_graded(*token))
    }

    /// The targets under the loss, in order.
    pub fn answers(&self) -> impl Iterator<Item = u32> + '_ {
        self.targets().iter().zip(&self.loss_mask).filter(|(_, loss)| **loss).map(|(target, _)| *target)
    }

    /// The tokens as text, separated by spaces.
    pub fn text(&self, vocabulary: &[String]) -> String {
        let words = self.tokens.iter().map(|token| vocabulary.get(*token as usize).map_or("?", String::as_str));
        words.collect::<Vec<_>>().join(" ")
    }

    /// Checks that the instance is what `spec` promises.
    ///
    /// # Errors
    /// [`Error::Contract`] saying what differs.
    pub fn validate(&self, task: &str, spec: &TaskSpec) -> Result<()> {
        let length = self.tokens.len();
        let lengths = [
            ("targets", self.targets().len()),
            ("loss_mask", self.loss_mask.len()),
            ("complexities", self.complexities.tokens()),
            ("features", self.features.tokens()),
        ];
        for (name, found) in lengths {
            if found != length {
                return Err(Error::contract(task, format!("{name} has {found} entries for {length} tokens")));
            }
        }
        if self.complexities.count() != spec.complexities.len() || self.features.count() != spec.features.len() {
            return Err(Error::contract(task, "an instance lacks a declared complexity or feature"));
        }
        let vocabulary = spec.vocabulary.len() as u32;
        let targets = self.targets.as_deref().unwrap_or_default();
        if !within(&self.tokens, vocabulary) || !within(targets, vocabulary) {
            let token = self.tokens.iter().chain(targets).max().copied().unwrap_or_default();
            return Err(Error::contract(task, format!("token {token} is outside the vocabulary of {vocabulary}")));
        }
        let unread = (0..length).take_while(|index| spec.supervision.reads_at(*index).is_none());
        if self.loss_mask[..unread.count()].contains(&true) {
            return Err(Error::contract(task, "the first token is under the loss but has no predecessor"));
        }
        if self.problem.is_some_and(|end| self.canonical().get(..end).is_none()) {
            return Err(Error::contract(task, "the problem is no part of the canonical text"));
        }
        Ok(())
    }
}

/// Whether all tokens are below `vocabulary`, which is below 2^31. Without a branch for each, several are looked at at a time.
fn within(tokens: &[u32], vocabulary: u32) -> bool {
    let last = vocabulary.wrapping_sub(1);
    // The highest bit is set by a token that is too large.
    let bits = tokens.iter().fold(0, |bits, token| bits | token | last.wrapping_sub(*token));
    bits >> 31 == 0
}

/// Whether an answer is right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether the answer solves the question.
    pub valid: bool,
    /// Why not; empty for a valid answer.
    pub reason: String,
}

impl Verdict {
    /// A right answer.
    pub fn valid() -> Self {
        Self { valid: true, reason: String::new() }
    }

    /// A wrong answer and why.
    pub fn wrong(reason: impl Into<String>) -> Self {
        Self { valid: false, reason: reason.into() }
    }
}

/// A task family, configured by its parameters.
pub trait Task: Send + Sync {
    /// Vocabulary, size grids, features and complexities.
    fn spec(&self) -> &TaskSpec;

    /// Draws an instance of the given size (0 for tasks without a size knob) into `instance`, and overwrites everything
    /// that was there. Reuse its memory: allocating is a fifth of the cost of a small instance.
    ///
    /// # Errors
    /// If the task cannot express the size.
    fn draw(&self, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()>;

    /// [`draw`](Self::draw) into a new instance.
    ///
    /// # Errors
    /// Like [`draw`](Self::draw).
    fn sample(&self, size: u32, stream: &mut Stream) -> Result<Instance> {
        let mut instance = Instance::default();
        self.draw(size, stream, &mut instance)?;
        Ok(instance)
    }

    /// Draws a training size: by default one of the knob's training sizes, all equally likely.
    fn training_size(&self, stream: &mut Stream) -> u32 {
        self.spec().size.as_ref().map_or(0, |knob| *stream.choose(&knob.training))
    }

    /// [`draw`](Self::draw) for training. A mixture of tasks, each with training sizes of its own, leaves out the tasks
    /// that do not train at `size`.
    ///
    /// # Errors
    /// Like [`draw`](Self::draw).
    fn draw_training(&self, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
        self.draw(size, stream, instance)
    }

    /// Size of the problem that a target answers; by default the instance's size. Override this if targets answer parts
    /// of an instance, or if some instances have training sizes of their own.
    fn token_size(&self, size: u32, _instance: &Instance, _token: usize) -> TokenSize {
        let knob = self.spec().size.as_ref();
        TokenSize { size, split: knob.map_or(Split::InRange, |knob| knob.split(size)) }
    }

    /// Solves a question given as text.
    ///
    /// # Errors
    /// [`Error::Malformed`] with the position of the first token that does not parse.
    fn answer(&self, question: &str) -> Result<String>;

    /// Checks an answer, independently of the code that generates answers.
    ///
    /// # Errors
    /// [`Error::Malformed`] if the question does not parse; an answer that does not parse is a wrong answer.
    fn check(&self, question: &str, answer: &str) -> Result<Verdict>;

    /// Text of an answer that the model generated, from its tokens after the prompt without the final token. `None` for
    /// tasks whose questions have one right answer: predictions are then compared token by token. For other tasks,
    /// reports give the share of generated answers that [`check`](Self::check) accepts.
    fn written(&self, _answer: &[u32]) -> Option<String> {
        None
    }

    /// Guesses that reports print beside results; `training` holds instances from the training part. Add guesses that
    /// are better than those of [`guess::trivial`], if the task has any.
    fn guesses(&self, training: &[Instance]) -> Vec<Box<dyn Guess + '_>> {
        guess::trivial(training)
    }

    /// How to judge strings that a model generates; only for tasks that are languages.
    fn generation(&self) -> Option<&dyn Generation> {
        None
    }
}

/// Refuses sizes outside a knob.
///
/// # Errors
/// [`Error::Invalid`] naming the task and the range.
pub fn admit_size(task: &str, knob: &SizeKnob, size: u32) -> Result<()> {
    if (knob.minimum..=knob.maximum).contains(&size) {
        return Ok(());
    }
    let expected = format!("{} from {} to {}", knob.name, knob.minimum, knob.maximum);
    Err(Error::invalid(format!("size of {task}"), expected, size))
}

#[cfg(test)]
mod tests {
    use super::{HELD_OUT_SHARE, Instance, Split};

    #[test]
    fn sizes_stand_by_the_training_sizes_around_them() {
        let split = |size| Split::among(size, [5, 2, 3]);
        assert_eq!([2, 3, 5].map(split), [Split::InRange; 3]);
        assert_eq!(split(4), Split::Between);
        assert_eq!([0, 1, 6, 64].map(split), [Split::Beyond; 4]);
        assert_eq!(Split::among(3, []), Split::Beyond);
    }

    #[test]
    fn instances_of_one_problem_are_on_one_side() {
        let instance = |problem: u32, rest: u32| {
            let start = format!("{problem} ");
            let canonical = Some(format!("{start}{rest}"));
            Instance { canonical, problem: Some(start.len()), ..Instance::default() }
        };
        let is_held_out = |problem| instance(problem, 0).is_held_out();
        let held_out = (0..8000).filter(|problem| is_held_out(*problem)).count() as f64;
        assert!((held_out - 8000.0 / HELD_OUT_SHARE as f64).abs() < 120.0, "{held_out}");
        for (problem, rest) in (0..400).flat_map(|problem| (1..5).map(move |rest| (problem, rest))) {
            assert_eq!(instance(problem, rest).is_held_out(), is_held_out(problem));
            assert_eq!(instance(problem, rest).problem(), format!("{problem} "));
        }
    }

    #[test]
    fn grading_begins_where_an_instance_says() {
        let loss_mask = vec![false, true, false, true, true];
        let instance = Instance { tokens: vec![0; 5], loss_mask, graded_from: 2, ..Instance::default() };
        assert_eq!(instance.graded().collect::<Vec<_>>(), [3, 4]);
        assert!(!instance.is_graded(1) && !instance.is_graded(2) && !instance.is_graded(5));
        assert_eq!(Instance { graded_from: 9, ..instance }.graded().count(), 0);
    }
}
