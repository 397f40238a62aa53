//! The setup that a policy is checked on: random weights over a miniature backbone, and sequences to try it on.

use std::collections::BTreeMap;
use std::fmt;

use candle_core::{DType, Device, Tensor};

use super::promise::Subject;
use super::reference::{Outcome, Settings, outcomes, run};
use super::{Batch, Sequence, miniature};
use crate::backbone::{Backbone, Dimensions};
use crate::error::{Error, Result};
use crate::initialise::Variables;
use crate::key_values::HaltedKeysValues;
use crate::parameters::{Parameters, Value};
use crate::policy::{
    EarlyDecision, EarlyPolicy, Labels, Policy, PolicyContext, PolicyDeclaration, SourceDepths, SourceToken, View,
};
use crate::random::Stream;

/// Number of tokens in the vocabulary.
pub(super) const VOCABULARY: usize = 11;
/// Random perturbation of a policy's initial weights: with its own initial weights, a policy may treat every token
/// alike.
const PERTURBATION: f64 = 0.3;

/// What a policy is tried on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    /// Seed of weights and tokens.
    pub seed: u64,
    /// Steps a token may take at most, D.
    pub max_depth: usize,
    /// Lengths of the sequences.
    pub lengths: &'static [usize],
}

impl Shape {
    /// The shapes that are smaller than this one, the smallest first.
    pub fn smaller(self) -> impl Iterator<Item = Self> {
        const LENGTHS: [&[usize]; 9] = [&[1], &[2], &[1, 1], &[3], &[2, 1], &[2, 2], &[4, 1], &[5, 3], &[4, 1, 6]];
        let of_depth = move |lengths: &'static [usize]| {
            (1..=self.max_depth).map(move |max_depth| Self { max_depth, lengths, ..self })
        };
        LENGTHS.into_iter().flat_map(of_depth)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "D = {}, seed {}, sequences of the tokens", self.max_depth, self.seed)?;
        sequences(FIRST, self.lengths, self.seed)
            .iter()
            .try_for_each(|sequence| write!(formatter, " {:?}", sequence.tokens))
    }
}

/// Id of the first sequence.
const FIRST: u64 = 100;

/// A policy with random weights over a miniature backbone.
pub(super) struct Setup {
    /// The plugin under test.
    pub subject: Subject,
    /// Its declaration.
    pub declaration: &'static PolicyDeclaration,
    /// The backbone that it runs on.
    pub backbone: Box<dyn Backbone>,
    /// The policy's own weights.
    pub deciders: Variables,
    /// How passes are made.
    pub settings: Settings,
    /// The sequences of every check.
    pub sequences: Vec<Sequence>,
    shape: Shape,
    given: BTreeMap<String, Value>,
    resolved: Parameters,
    source: SourceDepths,
}

impl Setup {
    pub fn new(
        subject: Subject,
        declaration: &'static PolicyDeclaration,
        parameters: &[(&str, Value)],
        shape: Shape,
    ) -> Self {
        Self::unbuilt(subject, declaration, parameters, shape).perturbed()
    }

    /// [`new`](Self::new), or `None` if the policy refuses these values of its parameters by name.
    pub fn unless_refused(
        subject: Subject,
        declaration: &'static PolicyDeclaration,
        parameters: &[(&str, Value)],
        shape: Shape,
    ) -> Option<Self> {
        let setup = Self::unbuilt(subject, declaration, parameters, shape);
        let refuses = matches!(setup.build(&[]), Err(Error::Invalid { .. } | Error::Unknown { .. }));
        (!refuses).then(|| setup.perturbed())
    }

    fn perturbed(self) -> Self {
        self.policy(&[]);
        self.subject.expect("its weights can be set", self.perturb(self.shape.seed));
        self
    }

    fn unbuilt(
        subject: Subject,
        declaration: &'static PolicyDeclaration,
        parameters: &[(&str, Value)],
        shape: Shape,
    ) -> Self {
        let Shape { seed, max_depth, lengths } = shape;
        // Cores of one and two layers alternate: options of halted keys and values differ only with several layers.
        let core_layers = 1 + seed as usize % 2;
        let made = miniature(VOCABULARY, core_layers, seed, DType::F64, &Device::Cpu);
        let (backbone, _) = subject.expect("the miniature backbone can be built", made);
        let mut setup = Self {
            subject,
            declaration,
            backbone,
            deciders: Variables::new(seed, DType::F64, &Device::Cpu),
            settings: Settings { max_depth, halted: HaltedKeysValues::FreezeState, seed },
            sequences: sequences(FIRST, lengths, seed),
            shape,
            resolved: Parameters::default(),
            given: parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            source: SourceDepths::default(),
        };
        setup.resolved = subject.expect("its parameters can be resolved", setup.resolve(&[]));
        if declaration.source.has_depths() {
            setup.source = subject.expect("the reference depths can be computed", setup.reference_depths());
        }
        setup
    }

    /// The policy, built anew from the setup's weights with other values of some parameters.
    pub fn policy(&self, parameters: &[(&str, Value)]) -> Policy {
        let doing = format!("it can be built with D = {}", self.settings.max_depth);
        let policy = self.subject.expect(&doing, self.build(parameters));
        self.subject.demand("it is of the kind it declares", policy.kind() == self.declaration.kind, || {
            format!("declared {}, built {}", self.declaration.kind.name(), policy.kind().name())
        });
        policy
    }

    /// Packs sequences, with complexities only for oracles.
    pub fn batch(&self, sequences: &[Sequence]) -> Batch {
        let labels = self.declaration.uses_labels;
        let batch = Batch::new(sequences, labels.any(), &Device::Cpu);
        let batch = self.subject.expect("sequences can be packed", batch);
        if labels != Labels::Outcomes {
            return batch;
        }
        let outcomes = outcomes(self.backbone.as_ref(), &batch, &self.settings);
        batch.with_outcomes(Some(self.subject.expect("the backbone can be unrolled", outcomes)))
    }

    /// One evaluation.
    pub fn run(&self, policy: &Policy, batch: &Batch, settings: &Settings) -> Outcome {
        self.subject.expect("it can be evaluated", run(self.backbone.as_ref(), policy, batch, settings))
    }

    /// Sequences other than the setup's own.
    pub fn other_sequences(&self) -> Vec<Sequence> {
        sequences(2 * FIRST, self.shape.lengths, self.settings.seed + 1)
    }

    /// The parameters that the checks run with.
    pub fn parameters(&self) -> &Parameters {
        &self.resolved
    }

    fn resolve(&self, parameters: &[(&str, Value)]) -> Result<Parameters> {
        let mut given = self.given.clone();
        given.extend(parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        Parameters::resolve(self.declaration.name, self.declaration.parameters, &given)
    }

    fn build(&self, parameters: &[(&str, Value)]) -> Result<Policy> {
        let parameters = self.resolve(parameters)?;
        let dimensions = self.backbone.dimensions();
        (self.declaration.build)(&PolicyContext {
            d_model: dimensions.d_model,
            d_ff: dimensions.d_ff,
            vocabulary: dimensions.vocabulary,
            max_depth: self.settings.max_depth,
            parameters: &parameters,
            variables: self.deciders.builder().pp("decider"),
            source: self.declaration.source.has_depths().then_some(&self.source),
            seed: self.settings.seed,
        })
    }

    fn perturb(&self, seed: u64) -> Result<()> {
        for (name, variable) in self.deciders.all() {
            let mut stream = Stream::new(seed, &name, &[]);
            let noise: Vec<f64> = (0..variable.elem_count()).map(|_| PERTURBATION * stream.normal()).collect();
            let noise = Tensor::from_vec(noise, variable.shape(), variable.device())?;
            self.deciders.set(&name, &(variable.as_tensor() + noise)?)?;
        }
        Ok(())
    }

    /// Depths for policies with a source: the depths of [`Stairs`] on every sequence of the checks.
    fn reference_depths(&self) -> Result<SourceDepths> {
        let mut sequences = self.sequences.clone();
        sequences.extend(self.other_sequences());
        let batch = Batch::new(&sequences, false, &Device::Cpu)?;
        let outcome = run(self.backbone.as_ref(), &Policy::early(Stairs), &batch, &self.settings)?;
        let layout = &batch.layout;
        let tokens: Vec<u32> = batch.tokens.to_vec1()?;
        let token = |(row, depth): (usize, &u32)| {
            let size = layout.rows_of(layout.sequence(row)).len();
            SourceToken {
                identity: layout.identity(row),
                position: layout.position(row) as u32,
                input_token: tokens[row],
                size: size as u32,
                split: 0,
                is_answer: 2 * layout.position(row) >= size,
                depth: *depth,
            }
        };
        let evaluation: Vec<SourceToken> = outcome.depths.iter().enumerate().map(token).collect();
        Ok(SourceDepths { training: evaluation.clone(), evaluation })
    }
}

/// The policy with these values of some parameters, at most `max_depth` steps and the widths of the
/// [`miniature`](super::miniature()), for tests of what a policy refuses.
///
/// # Errors
/// What the policy reports, or a value out of range.
pub fn build_policy(declaration: &PolicyDeclaration, given: &[(&str, Value)], max_depth: usize) -> Result<Policy> {
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let (backbone, _) = miniature(VOCABULARY, 1, 1, DType::F64, &Device::Cpu)?;
    let Dimensions { d_model, d_ff, vocabulary, .. } = backbone.dimensions();
    (declaration.build)(&PolicyContext {
        d_model,
        d_ff,
        vocabulary,
        max_depth,
        parameters: &Parameters::resolve(declaration.name, declaration.parameters, &given)?,
        variables: Variables::new(1, DType::F64, &Device::Cpu).builder().pp("decider"),
        source: None,
        seed: 1,
    })
}

fn sequences(first: u64, lengths: &[usize], seed: u64) -> Vec<Sequence> {
    lengths.iter().zip(first..).map(|(length, name)| Sequence::random(name, *length, VOCABULARY, seed)).collect()
}

/// The source policy: each token takes one step more than the token before, back to 1 after D.
struct Stairs;

impl EarlyPolicy for Stairs {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        if view.max_depth() == 0 {
            return Err(Error::invalid("max_depth", "at least 1", 0));
        }
        let layout = view.layout();
        let stair = |row: usize| 1 + (layout.identity(row) as usize + layout.position(row)) % view.max_depth();
        Ok(EarlyDecision::Depths(view.rows().iter().map(|row| stair(row) as u32).collect()))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}
