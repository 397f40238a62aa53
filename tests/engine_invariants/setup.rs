//! Models and batches for the checks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use haltbench_engine::batch::Batch;
use haltbench_engine::device;
use haltbench_engine::model::{Model, ModelParts};
use haltbench_engine::plugins::{self, Catalogue};
use haltbench_engine::recurrence::{self, Evaluated, Execution, evaluate};
use haltbench_sdk::conformance::Sequence;
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::{Domain, Value};
use haltbench_sdk::policy::Privileged;
use haltbench_sdk::prelude::*;
use haltbench_sdk::registry::Declaration;

use crate::miniatures::MINIATURES;

/// Range of the complexities that oracles see.
const COMPLEXITIES: (f32, f32) = (1.0, 9.0);
/// Scale of the noise on a policy's initial weights, because many policies initially treat all tokens alike.
const PERTURBATION: f64 = 0.5;
/// Values to try for a parameter that may make a policy treat tokens differently.
const TRIED: [f64; 18] =
    [0.5, 0.05, 0.001, 0.01, 0.03, 0.1, 0.2, 0.3, 0.7, 0.9, 0.97, 1.0, 2.0, 2.5, 3.0, 4.0, 10.0, 100.0];
/// Lengths of the sequences of a usual batch; one is a single token.
pub const LENGTHS: [usize; 4] = [6, 1, 9, 4];

/// All settings of a model besides its policy.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// The backbone, with its text parameters.
    pub backbone: (&'static str, &'static [(&'static str, &'static str)]),
    /// Layers of the prelude and of the coda.
    pub around: usize,
    pub core_layers: usize,
    pub d_model: usize,
    pub d_ff: usize,
    pub vocabulary: usize,
    pub max_depth: usize,
    pub halted: HaltedKeysValues,
    /// Whether the backward pass recomputes the core's steps.
    pub recompute: bool,
    pub dtype: DType,
    pub seed: u64,
}

impl Setup {
    pub const PLAIN: Self = Self {
        backbone: ("anira", &[]),
        around: 1,
        core_layers: 1,
        d_model: 16,
        d_ff: 24,
        vocabulary: 11,
        max_depth: 5,
        halted: HaltedKeysValues::FreezeState,
        recompute: false,
        dtype: DType::F64,
        seed: 1,
    };

    /// Every option of halted keys and values with cores of one and two layers, with and without layers around them.
    pub fn all(dtype: DType) -> Vec<Self> {
        let mut setups = Vec::new();
        for (_, halted) in HaltedKeysValues::ALL {
            for (core_layers, around) in [(1, 0), (1, 1), (2, 0), (2, 1)] {
                setups.push(Self { around, core_layers, halted, dtype, ..Self::PLAIN });
            }
        }
        setups
    }

    /// [`all`](Self::all) in f32 and in f64.
    pub fn both_types() -> Vec<Self> {
        [DType::F32, DType::F64].into_iter().flat_map(Self::all).collect()
    }

    /// Every option of halted keys and values with a core of two layers.
    pub fn options(dtype: DType) -> Vec<Self> {
        HaltedKeysValues::ALL.map(|(_, halted)| Self { core_layers: 2, halted, dtype, ..Self::PLAIN }).to_vec()
    }

    /// Sequences of the given lengths with random tokens and complexities.
    pub fn sequences(&self, lengths: &[usize]) -> Vec<Sequence> {
        (0..).zip(lengths).map(|(identity, length)| self.sequence(identity, *length)).collect()
    }

    /// One sequence; sequences with the same id are prefixes of each other.
    pub fn sequence(&self, identity: u64, length: usize) -> Sequence {
        let mut stream = Stream::new(self.seed, "tokens", &[identity]);
        let mut draw = || (stream.below(self.vocabulary as u64) as u32, 1.0 + stream.below(9) as f32);
        let (tokens, mut complexity): (Vec<u32>, Vec<f32>) = (0..length).map(|_| draw()).unzip();
        complexity[0] = f32::NAN;
        Sequence { identity, tokens, complexity }
    }

    /// The batch as the engine reads it; two out of three tokens are under the loss.
    pub fn pack(&self, sequences: &[Sequence]) -> (Batch, Privileged) {
        let lengths: Vec<usize> = sequences.iter().map(|sequence| sequence.tokens.len()).collect();
        let identities: Vec<u64> = sequences.iter().map(|sequence| sequence.identity).collect();
        let layout = Arc::new(TokenLayout::new(&lengths, &identities).unwrap());
        let tokens: Vec<u32> = sequences.iter().flat_map(|sequence| sequence.tokens.iter().copied()).collect();
        let complexity: Vec<f32> = sequences.iter().flat_map(|sequence| sequence.complexity.iter().copied()).collect();
        let mask: Vec<bool> = (0..layout.rows()).map(|row| layout.position(row) % 3 != 1).collect();
        let readout = RowSet::from_mask(&mask);
        let target = |row: usize| (tokens[row] * 7 + layout.position(row) as u32) % self.vocabulary as u32;
        let targets = readout.iter().map(target).collect();
        let batch = Batch {
            tokens: Tensor::new(tokens, &device()).unwrap(),
            targets: Arc::new(targets),
            target_index: (0..layout.rows()).map(|row| layout.position(row) as u32).collect(),
            complexity: complexity.clone(),
            readout,
            layout,
        };
        (batch, Privileged { complexity, range: COMPLEXITIES, outcomes: None })
    }

    /// [`pack`](Self::pack) with everything that the policy of `model` may read.
    pub fn pack_for(&self, model: &Model, sequences: &[Sequence]) -> (Batch, Privileged) {
        let batch = self.pack(sequences).0;
        let privileged = recurrence::privileged(model, &batch, COMPLEXITIES).unwrap();
        (batch, privileged)
    }
}

/// Device of the models: the CPU, or the value of `HALTBENCH_TEST_DEVICE`.
pub fn device() -> Device {
    // If a GPU were opened twice, their tensors would not mix.
    static OPENED: OnceLock<Device> = OnceLock::new();
    let open = || device::open(&std::env::var("HALTBENCH_TEST_DEVICE").unwrap_or_else(|_| "cpu".to_owned())).unwrap();
    OPENED.get_or_init(open).clone()
}

/// One sequence without targets; the positions in `mask` are read out.
pub fn read_out(identity: u64, tokens: &[u32], mask: &[bool]) -> Batch {
    let layout = Arc::new(TokenLayout::new(&[tokens.len()], &[identity]).unwrap());
    Batch {
        tokens: Tensor::new(tokens, &device()).unwrap(),
        targets: Arc::new(Vec::new()),
        target_index: (0..tokens.len() as u32).collect(),
        complexity: vec![f32::NAN; tokens.len()],
        readout: RowSet::from_mask(mask),
        layout,
    }
}

/// A policy with values of its parameters.
#[derive(Debug, Clone)]
pub struct Subject {
    pub declaration: &'static PolicyDeclaration,
    pub given: BTreeMap<String, Value>,
    /// Whether the tokens of a usual batch get different depths.
    pub varies: bool,
}

impl Subject {
    /// Whether a token's decision depends only on tokens at or before it.
    pub fn is_causal(&self) -> bool {
        let Self { declaration, given, .. } = self;
        let parameters = Parameters::resolve(declaration.name, declaration.parameters, given).unwrap();
        declaration.causal.given(&parameters)
    }

    /// Whether the policy reads logits to decide: its decisions then cost more than it declares.
    pub fn reads_logits(&self) -> bool {
        let (setup, model) = (Setup::PLAIN, self.model(&Setup::PLAIN));
        let (batch, privileged) = setup.pack_for(&model, &setup.sequences(&LENGTHS));
        let ledger = evaluate(&model, &batch, Execution::Compacted, Some(&privileged)).unwrap().ledger;
        ledger.decision_flops > model.costs.decision * ledger.decisions as f64 * (1.0 + 1e-9)
    }

    /// Whether it reads the states of earlier tokens when it decides.
    pub fn reads_earlier_tokens(&self) -> bool {
        self.given.get("scope") == Some(&Value::Text("causal".to_owned()))
    }

    pub fn new(declaration: &'static PolicyDeclaration, given: &[(&str, Value)]) -> Self {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Self { declaration, given, varies: false }
    }

    /// The registered policy `name`.
    pub fn registered(name: &str, given: &[(&str, Value)]) -> Self {
        Self::new(catalogue().policy(name).unwrap(), given)
    }

    /// Whether a choice among its knobs makes all tokens take D steps.
    fn never_halts(&self) -> bool {
        let knobs = self.declaration.parameters.iter().filter(|parameter| parameter.is_knob());
        let setup = Setup::PLAIN;
        knobs.into_iter().any(|knob| self.given.contains_key(knob.name))
            && tokens(&self.model(&setup), &setup, &setup.sequences(&LENGTHS), Execution::Compacted)
                .values()
                .all(|token| token.depth as usize == setup.max_depth)
    }

    pub fn label(&self) -> String {
        let given: Vec<String> = self.given.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        format!("{} ({})", self.declaration.name, given.join(", "))
    }

    /// The policy over random weights; its own weights are initial values plus noise.
    pub fn model(&self, setup: &Setup) -> Model {
        let source = source(setup.max_depth);
        let source = self.declaration.source.has_depths().then_some(&source);
        let model = self.built(setup, source).unwrap();
        for (name, variable) in model.variables.all() {
            if name.starts_with("decider.") {
                let mut stream = Stream::new(setup.seed, &name, &[]);
                let noise: Vec<f64> = (0..variable.elem_count()).map(|_| PERTURBATION * stream.normal()).collect();
                let noise = Tensor::from_vec(noise, variable.shape(), &device()).unwrap();
                let moved = (variable.to_dtype(DType::F64).unwrap() + noise).unwrap();
                model.variables.set(&name, &moved).unwrap();
            }
        }
        model
    }

    /// The policy over initial weights.
    pub fn fresh(&self, setup: &Setup) -> haltbench_engine::Result<Model> {
        self.built(setup, None)
    }

    /// The policy over initial weights, with the depths of another policy.
    pub fn built(&self, setup: &Setup, source: Option<&SourceDepths>) -> haltbench_engine::Result<Model> {
        let (name, texts) = setup.backbone;
        let backbone = catalogue().backbone(name).unwrap();
        let sizes = [
            ("d_model", setup.d_model),
            ("d_ff", setup.d_ff),
            ("heads", 2),
            ("prelude_layers", setup.around),
            ("core_layers", setup.core_layers),
            ("coda_layers", setup.around),
            ("steps", setup.max_depth),
            ("ff_experts", 3),
            ("ff_k", 2),
            ("att_experts", 3),
        ];
        let declared = |name: &str| backbone.parameters.iter().any(|spec| spec.name == name);
        let sizes = sizes.into_iter().filter(|(name, _)| declared(name));
        let sizes = sizes.map(|(name, size)| (name.to_owned(), Value::Integer(size as i64)));
        let texts = texts.iter().map(|(name, text)| ((*name).to_owned(), Value::Text((*text).to_owned())));
        let given = sizes.chain(texts).collect();
        let backbone_parameters = Parameters::resolve(name, backbone.parameters, &given)?;
        let parameters = Parameters::resolve(self.declaration.name, self.declaration.parameters, &self.given)?;
        let parts = ModelParts {
            backbone: (backbone, &backbone_parameters),
            policy: (self.declaration, &parameters),
            recipe: self.declaration.recipe,
            source,
            vocabulary: Vocabulary::new(setup.vocabulary),
            max_depth: setup.max_depth,
            halted_keys_values: setup.halted,
            recompute: setup.recompute,
            seed: setup.seed,
        };
        Model::new(parts, setup.dtype, &device())
    }

    /// The same with one parameter at a value where depths differ, if there is one; if there is, over a deep core too.
    fn enlivened(mut self) -> Self {
        let tried = |name: &'static str, (minimum, maximum): (f64, f64)| {
            TRIED.into_iter().filter(move |value| (minimum..=maximum).contains(value)).map(move |value| (name, value))
        };
        let mut settings = vec![self.given.clone()];
        for parameter in self.declaration.parameters {
            if let Domain::Real { minimum, maximum, .. } = parameter.domain {
                for (name, value) in tried(parameter.name, (minimum, maximum)) {
                    let mut given = self.given.clone();
                    given.insert(name.to_owned(), Value::Real(value));
                    settings.push(given);
                }
            }
        }
        // The size of states differs between cores, and with it the place of a threshold.
        let deep = Setup { core_layers: 2, ..Setup::PLAIN };
        let varies = |tried: &Self, setup: Setup| {
            vary(&tokens(&tried.model(&setup), &setup, &setup.sequences(&LENGTHS), Execution::Compacted))
        };
        for given in settings {
            let tried = Self { given, varies: true, ..self.clone() };
            if !varies(&tried, Setup::PLAIN) {
                continue;
            }
            if varies(&tried, deep) {
                return tried;
            }
            if !self.varies {
                self = tried;
            }
        }
        self
    }
}

/// Depths of another cell, for policies with a source.
fn source(max_depth: usize) -> SourceDepths {
    let token = |place: u64| {
        let (identity, position) = (place / 64, (place % 64) as u32);
        let size = 1 + (identity % 4) as u32;
        let depth = 1 + (3 * identity + 5 * u64::from(position)) as u32 % max_depth as u32;
        let (input_token, split, is_answer) = (position % 5, size % 3, position % 3 != 1);
        SourceToken { identity, position, input_token, size, split, is_answer, depth }
    };
    let evaluation: Vec<SourceToken> = (0..1024).map(token).collect();
    SourceDepths { training: evaluation.clone(), evaluation }
}

/// All registered declarations.
pub fn catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| plugins::catalogue(&[]).unwrap().0)
}

/// Every registered policy and every miniature, with every choice of every parameter in turn.
///
/// # Panics
/// If a policy that is not a control gives all tokens the same depth for all of its parameters.
pub fn subjects() -> &'static [Subject] {
    static SUBJECTS: OnceLock<Vec<Subject>> = OnceLock::new();
    SUBJECTS.get_or_init(|| {
        let registered = catalogue().of_kind("policy").filter_map(|entry| match entry.declaration {
            Declaration::Policy(policy) => Some(policy),
            _ => None,
        });
        let declarations: Vec<_> = registered.chain(MINIATURES).collect();
        assert!(declarations.len() > MINIATURES.len(), "no policy is registered");
        let subjects: Vec<Subject> = declarations.into_iter().flat_map(variants).map(Subject::enlivened).collect();
        let still = subjects.iter().filter(|subject| {
            let may_vary = !subject.varies && subject.declaration.role == Role::Policy;
            may_vary && !subject.never_halts()
        });
        let still: Vec<String> = still.map(Subject::label).collect();
        assert!(still.is_empty(), "{}: all depths are equal", still.join(", "));
        subjects
    })
}

pub fn variants(declaration: &'static PolicyDeclaration) -> Vec<Subject> {
    let mut subjects = vec![Subject::new(declaration, &[])];
    for parameter in declaration.parameters {
        match parameter.domain {
            Domain::Choice { default, choices } => {
                let others = choices.iter().filter(|choice| **choice != default);
                let value = |choice: &&str| Value::Text((*choice).to_owned());
                subjects.extend(others.map(|other| Subject::new(declaration, &[(parameter.name, value(other))])));
            }
            Domain::Flag { default } => {
                subjects.push(Subject::new(declaration, &[(parameter.name, Value::Flag(!default))]));
            }
            _ => {}
        }
    }
    subjects
}

/// Runs `check`, which returns whether depths differed, for every subject on every setup. If the subject can vary,
/// depths must differ on at least half of the setups, or the check proves little.
pub fn for_all(setups: &[Setup], check: impl Fn(&Subject, &Setup) -> bool) {
    for subject in subjects() {
        let varied = setups.iter().filter(|setup| check(subject, setup)).count();
        assert!(!subject.varies || 2 * varied >= setups.len(), "{}: depths rarely vary", subject.label());
    }
}

/// The evaluation's result for one token.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    pub depth: u32,
    pub expected_depth: Option<f64>,
    pub answer: Option<Answer>,
}

/// The evaluation's result for a token under the loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub logits: Vec<f64>,
    pub predicted: u32,
    pub confidence: f32,
}

/// Tokens by the id of their sequence and their position in it.
pub type Tokens = BTreeMap<(u64, usize), Token>;

/// Evaluates `sequences` as one batch.
pub fn tokens(model: &Model, setup: &Setup, sequences: &[Sequence], execution: Execution) -> Tokens {
    let (batch, privileged) = setup.pack_for(model, sequences);
    let evaluated = evaluate(model, &batch, execution, Some(&privileged)).unwrap();
    by_name(&batch, &evaluated)
}

fn by_name(batch: &Batch, evaluated: &Evaluated) -> Tokens {
    let logits = evaluated.logits.to_dtype(DType::F64).unwrap().to_vec2::<f64>().unwrap();
    assert_eq!(logits.len(), batch.readout.len());
    let mut tokens: Tokens = (0..batch.rows())
        .map(|row| {
            let expected_depth = evaluated.beliefs.as_ref().map(|beliefs| beliefs.expected[row]);
            let token = Token { depth: evaluated.depths[row], expected_depth, answer: None };
            ((batch.layout.identity(row), batch.layout.position(row)), token)
        })
        .collect();
    for (place, row) in batch.readout.iter().enumerate() {
        let name = (batch.layout.identity(row), batch.layout.position(row));
        tokens.get_mut(&name).unwrap().answer = Some(Answer {
            logits: logits[place].clone(),
            predicted: evaluated.predicted[place],
            confidence: evaluated.confidence[place],
        });
    }
    tokens
}

/// Whether the depths of `tokens` take at least two values.
pub fn vary(tokens: &Tokens) -> bool {
    tokens.values().map(|token| token.depth).collect::<BTreeSet<u32>>().len() > 1
}

/// All numbers of a tensor.
pub fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.detach().to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Tolerance of logits, relative to 1 + their size. A GPU sums in another order, and its errors accumulate over the
/// steps.
pub fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => 1e-10,
        _ if device().is_cpu() => 1e-5,
        _ => 1e-4,
    }
}

/// Asserts that a depth and known logits equal the expected ones: bit for bit on the CPU, nearly on a GPU, where the
/// kernel of a product depends on the number of rows.
#[track_caller]
pub fn same(what: &str, (depth, logits): (u32, Option<&[f64]>), (expected_depth, expected): (u32, Option<&[f64]>)) {
    assert_eq!((depth, logits.is_some()), (expected_depth, expected.is_some()), "{what}");
    let exact = device().is_cpu();
    assert!(!exact || logits == expected, "{what}: {logits:?} against {expected:?}");
    close(what, logits.unwrap_or_default(), expected.unwrap_or_default(), tolerance(DType::F32));
}

/// Asserts that every number of `found` is close to its counterpart in `expected`.
#[track_caller]
pub fn close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let near = (found - expected).abs() <= tolerance * (1.0 + expected.abs());
        assert!(near, "{what}[{index}]: {found} against {expected}");
    }
}
