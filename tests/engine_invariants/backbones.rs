//! The invariants for every registered backbone; some have random initial states, read the input again at every step,
//! or read the step number.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use haltbench_engine::decoding::Decoder;
use haltbench_engine::model::ModelParts;
use haltbench_engine::recurrence::{Execution, Noise, evaluate};
use haltbench_engine::training;
use haltbench_sdk::key_values::{HaltedKeysValues, KeyValues};
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;
use haltbench_sdk::registry::Declaration;

use crate::batches::compositions;
use crate::decoding::cached_equals_uncached;
use crate::evaluation::{compacted_equals_dense, equals_the_reference_loop};
use crate::miniatures::{ACT, HAZARDS, SCORES, STILL, TOP_SHARE};
use crate::processes::in_one_thread;
use crate::setup::{LENGTHS, Setup, Subject, catalogue, close, numbers};
use crate::training::{gradient, small};

/// A backbone with its text parameters.
pub type Named = (&'static str, &'static [(&'static str, &'static str)]);

/// Backbones other than the one that all other tests use.
pub const OTHERS: [Named; 15] = [
    ("gated-ut", &[]),
    ("gated-ut-bidirectional", &[]),
    ("huginn", &[]),
    ("huginn", &[("injection", "add")]),
    ("huginn", &[("injection", "none")]),
    ("looped", &[("injection", "diagonal"), ("positions", "learned")]),
    ("looped", &[("step_signal", "sinusoid")]),
    ("loopformer", &[]),
    ("moeut", &[]),
    ("ouro", &[]),
    ("recursive-reasoner", &[("backpropagate", "full")]),
    ("universal-transformer", &[]),
    ("universal-transformer", &[("step_signal", "learned"), ("norm", "pre")]),
    ("universal-transformer", &[("step_signal", "none")]),
    ("unshared", &[]),
];

fn subjects() -> Vec<Subject> {
    let registered = ["anira-e", "anira-o"].map(|name| Subject::registered(name, &[]));
    let miniatures = [&SCORES, &HAZARDS, &STILL, &ACT, &TOP_SHARE].map(|policy| Subject::new(policy, &[]));
    registered.into_iter().chain(miniatures).collect()
}

/// Every option of halted keys and values, cores of one and two layers, with and without layers around them.
fn setups(backbone: Named, dtype: DType) -> Vec<Setup> {
    Setup::all(dtype).into_iter().map(|setup| Setup { backbone, ..setup }).collect()
}

/// Checks every other backbone with every subject; depths must vary on each.
fn for_others(dtype: DType, check: impl Fn(&Subject, &Setup) -> bool) {
    for backbone in OTHERS {
        let varied = (setups(backbone, dtype).iter())
            .flat_map(|setup| subjects().into_iter().map(move |subject| (subject, *setup)))
            .filter(|(subject, setup)| check(subject, setup))
            .count();
        assert!(varied > 0, "{backbone:?}: depths never vary");
    }
}

#[test]
fn no_registered_backbone_is_left_out() {
    for entry in catalogue().of_kind("backbone") {
        let Declaration::Backbone(backbone) = entry.declaration else { panic!("{} is no backbone", entry.name()) };
        let tested = OTHERS.iter().any(|(name, _)| *name == backbone.name);
        assert!(tested || backbone.name == Setup::PLAIN.backbone.0, "{} is not among those tested", backbone.name);
    }
}

#[test]
fn invariant_5_other_backbones_are_evaluated_compacted_as_dense() {
    in_one_thread(|| for_others(DType::F64, compacted_equals_dense));
}

#[test]
fn invariant_5_other_backbones_are_evaluated_as_by_the_reference_loop() {
    in_one_thread(|| for_others(DType::F64, equals_the_reference_loop));
}

#[test]
fn invariant_6_other_backbones_are_decoded_as_evaluated() {
    in_one_thread(|| {
        for_others(DType::F64, |subject, setup| {
            let is_causal = catalogue().backbone(setup.backbone.0).unwrap().causal;
            !is_causal || setup.halted == HaltedKeysValues::RunOn || cached_equals_uncached(subject, setup)
        });
    });
}

/// A random h(0) belongs to the token.
#[test]
fn invariant_7_batch_composition_changes_no_bit_of_other_backbones() {
    in_one_thread(|| {
        for backbone in OTHERS {
            for setup in Setup::options(DType::F32) {
                let subject = Subject::new(&HAZARDS, &[]);
                compositions(&subject, &Setup { backbone, ..setup });
            }
        }
    });
}

#[test]
fn gradients_through_other_backbones_are_finite_differences() {
    in_one_thread(|| {
        for backbone in OTHERS {
            // Where positions turn only queries and keys, tokens that repeat have equal states, and rounding breaks a tie.
            let vocabulary = if backbone.0 == "universal-transformer" { 7 } else { 97 };
            for policy in [&HAZARDS, &ACT, &TOP_SHARE] {
                gradient(&Subject::new(policy, &[]), &Setup { backbone, vocabulary, ..small(Setup::PLAIN) });
            }
        }
    });
}

/// The random h(0) belongs to the training step: the same step repeats a loss, and no other step does.
#[test]
fn a_training_step_has_initial_states_of_its_own() {
    let subject = Subject::registered("fixed", &[]);
    let setup = Setup { backbone: ("huginn", &[]), ..Setup::PLAIN };
    let (model, batch) = (subject.model(&setup), setup.pack(&setup.sequences(&LENGTHS)).0);
    let loss = |step: u64| numbers(&training::loss(&model, &batch, &Noise::Seeded(step), None).unwrap().total)[0];
    assert_eq!(loss(3), loss(3));
    assert_ne!(loss(3), loss(4));
}

/// A policy that decides depths before the first step gives each token the steps of a pass of its depth.
#[test]
fn a_depth_that_is_decided_beforehand_reaches_the_backbone() {
    in_one_thread(|| {
        let logits = |max_depth: usize, depth: i64| {
            let setup = Setup { backbone: ("loopformer", &[]), max_depth, ..Setup::PLAIN };
            let model = Subject::registered("fixed", &[("depth", Value::Integer(depth))]).model(&setup);
            let (batch, _) = setup.pack(&setup.sequences(&LENGTHS));
            let loss = training::loss(&model, &batch, &Noise::Seeded(0), None).unwrap();
            let found = evaluate(&model, &batch, Execution::Compacted, None).unwrap();
            (numbers(&found.logits), numbers(&loss.total))
        };
        let (short, budget, whole) = (logits(2, 2), logits(5, 2), logits(5, 5));
        close("logits", &budget.0, &short.0, 1e-12);
        close("loss", &budget.1, &short.1, 1e-12);
        assert_ne!(budget.0, whole.0);
        // A policy that decides step by step plans nothing: its tokens take steps of a pass of D.
        let setup = Setup { backbone: ("loopformer", &[]), ..Setup::PLAIN };
        let model = Subject::new(&STILL, &[("threshold", Value::Real(0.0))]).model(&setup);
        let (batch, _) = setup.pack(&setup.sequences(&LENGTHS));
        let found = evaluate(&model, &batch, Execution::Compacted, None).unwrap();
        assert!(found.depths.iter().all(|depth| *depth == 5));
        close("all steps", &numbers(&found.logits), &whole.0, 1e-12);
    });
}

/// Weights of steps that do not exist cannot be trained, and steps without weights cannot be taken.
#[test]
fn a_depth_other_than_that_of_the_weights_is_refused() {
    let backbone = catalogue().backbone("unshared").unwrap();
    let given = [("steps", 4), ("d_model", 16), ("heads", 2)];
    let given = given.map(|(name, size)| (name.to_owned(), Value::Integer(size))).into();
    let parameters = Parameters::resolve("unshared", backbone.parameters, &given).unwrap();
    let policy = catalogue().policy("fixed").unwrap();
    let policy_parameters = Parameters::resolve("fixed", policy.parameters, &BTreeMap::new()).unwrap();
    let refusal = |max_depth: usize| {
        let parts = ModelParts {
            backbone: (backbone, &parameters),
            policy: (policy, &policy_parameters),
            recipe: policy.recipe,
            source: None,
            vocabulary: Vocabulary::new(5),
            max_depth,
            halted_keys_values: HaltedKeysValues::FreezeState,
            recompute: false,
            seed: 0,
        };
        parts.weights().err().map(|error| error.to_string())
    };
    assert_eq!(refusal(4), None);
    for other in [3, 5] {
        let expected = format!(
            "largest depth D (recurrence.max_depth, or max_depth or depth of a policy): expected 4, the number of steps for \
             which backbone unshared has weights, found {other}"
        );
        assert_eq!(refusal(other), Some(expected));
    }
}

/// A backbone that counts the rows requested of it, with a configurable `is_stationary`.
struct Counting {
    inner: Box<dyn Backbone>,
    is_stationary: bool,
    rows: Arc<AtomicUsize>,
}

impl Backbone for Counting {
    fn dimensions(&self) -> Dimensions {
        self.inner.dimensions()
    }

    fn own_steps(&self) -> Option<usize> {
        self.inner.own_steps()
    }

    fn is_stationary(&self) -> bool {
        self.is_stationary
    }

    fn begin(&self, tokens: &Tensor, context: &mut BeginContext) -> Result<Start> {
        self.inner.begin(tokens, context)
    }

    fn step(&self, states: &Tensor, context: &mut StepContext) -> Result<Tensor> {
        self.rows.fetch_add(context.rows.len(), Ordering::Relaxed);
        self.inner.step(states, context)
    }

    fn coda(
        &self,
        states: &Tensor,
        layout: &Arc<TokenLayout>,
        readout: &RowSet,
        cache: Option<&mut KeyValueCache>,
    ) -> Result<Tensor> {
        self.inner.coda(states, layout, readout, cache)
    }

    fn regulariser(&self, key_values: &mut KeyValues) -> Result<Option<Tensor>> {
        self.inner.regulariser(key_values)
    }

    fn cost(&self) -> BackboneCost {
        self.inner.cost()
    }
}

/// A candidate that only its gate needs is reused if nothing visible to it has changed, unless the step reads its
/// number, which would give another candidate.
#[test]
fn candidates_are_computed_again_where_a_step_reads_its_number() {
    in_one_thread(|| {
        let subject = Subject::registered("anira-e", &[]);
        let trained = |is_stationary: bool| {
            let mut model = subject.model(&Setup::PLAIN);
            let rows = Arc::new(AtomicUsize::new(0));
            let inner = model.backbone;
            model.backbone = Box::new(Counting { inner, is_stationary, rows: rows.clone() });
            let batch = Setup::PLAIN.pack(&Setup::PLAIN.sequences(&LENGTHS)).0;
            let loss = training::loss(&model, &batch, &Noise::Seeded(0), None).unwrap();
            let gradients = model.variables.gradients(&loss.total.backward().unwrap()).unwrap();
            (rows.load(Ordering::Relaxed), gradients, batch.rows() * Setup::PLAIN.max_depth)
        };
        let ((few, found, _), (all, expected, most)) = (trained(true), trained(false));
        assert!(few < all && all == most, "{few} rows of {all} of {most}");
        for (name, gradient) in &expected {
            close(name, &numbers(&found[name]), &numbers(gradient), 1e-12);
        }
    });
}

/// A token's states may depend on later tokens, which decoding does not have yet.
#[test]
fn a_backbone_that_is_not_causal_is_not_decoded() {
    let mut model = Subject::registered("anira-e", &[]).model(&Setup::PLAIN);
    let declared = *catalogue().backbone("anira").unwrap();
    model.backbone_declaration = Some(Box::leak(Box::new(BackboneDeclaration { causal: false, ..declared })));
    let error = Decoder::new(&model, &[]).err().unwrap().to_string();
    let expected = "decoding: expected a causal backbone, found anira: its states depend on later tokens";
    assert_eq!(error, expected);
}
