//! Registered backbones with the weights of a golden file, and their states after every step.

use std::collections::BTreeMap;
use std::sync::Arc;

use haltbench_engine::plugins;
use haltbench_sdk::initialise::Variables;
use haltbench_sdk::key_values::{HaltedKeysValues, KeyValues};
use haltbench_sdk::parameters::Value;
use haltbench_sdk::policy::{Phase, Progress};
use haltbench_sdk::prelude::*;

use crate::golden::Golden;

/// A size as a parameter.
pub fn integer(value: usize) -> Value {
    Value::Integer(value as i64)
}

/// The backbone `name` with these parameters and the weights of a file; `ours` names the parts of a published weight.
/// Every weight of the backbone must be set.
pub fn built(
    golden: &Golden,
    name: &str,
    vocabulary: usize,
    given: &[(&str, Value)],
    ours: impl Fn(&str, &Tensor) -> Vec<(String, Tensor)>,
) -> Box<dyn Backbone> {
    built_of(golden, (name, vocabulary), given, &[], ours)
}

/// [`built`], with some weights that the file lacks: the test does not read them.
pub fn built_of(
    golden: &Golden,
    (name, vocabulary): (&str, usize),
    given: &[(&str, Value)],
    unread: &[&str],
    ours: impl Fn(&str, &Tensor) -> Vec<(String, Tensor)>,
) -> Box<dyn Backbone> {
    let declaration = plugins::catalogue(&[]).unwrap().0.backbone(name).unwrap();
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let parameters = Parameters::resolve(name, declaration.parameters, &given).unwrap();
    let variables = Variables::new(0, DType::F64, &Device::Cpu);
    let context = BackboneContext {
        vocabulary: Vocabulary::new(vocabulary),
        parameters: &parameters,
        variables: variables.builder(),
    };
    let backbone = (declaration.build)(&context).unwrap();
    let mut set = BTreeMap::new();
    for (theirs, tensor) in golden.weights() {
        for (ours, tensor) in ours(theirs, tensor) {
            variables.set(&ours, &tensor).unwrap_or_else(|error| panic!("{theirs} as {ours}: {error}"));
            assert!(set.insert(ours.clone(), theirs.to_owned()).is_none(), "{ours} is set twice");
        }
    }
    let weights = variables.weights().unwrap();
    let wanted = weights.keys().filter(|name| !unread.contains(&name.as_str()));
    assert!(wanted.eq(set.keys()), "every weight is set: {:?} of {:?}", set.keys(), weights.keys());
    backbone
}

/// A tensor with the names of its equal parts along the rows.
pub fn parts(tensor: &Tensor, names: &[String]) -> Vec<(String, Tensor)> {
    names.iter().cloned().zip(tensor.chunk(names.len(), 0).unwrap()).collect()
}

/// The tokens of a file, packed.
pub fn packed(golden: &Golden) -> (Tensor, Arc<TokenLayout>) {
    let (sequences, length) = golden.tensor("input.tokens").dims2().unwrap();
    packed_tokens(&golden.integers("input.tokens"), &vec![length; sequences])
}

/// These tokens, as sequences of these lengths.
pub fn packed_tokens(tokens: &[u32], lengths: &[usize]) -> (Tensor, Arc<TokenLayout>) {
    let identities: Vec<u64> = (0..lengths.len() as u64).collect();
    let layout = TokenLayout::new(lengths, &identities).unwrap();
    (Tensor::from_slice(tokens, tokens.len(), &Device::Cpu).unwrap(), Arc::new(layout))
}

/// A pass over whole sequences in which every token takes every step.
pub struct Unroll<'a> {
    pub backbone: &'a dyn Backbone,
    pub layout: &'a Arc<TokenLayout>,
    pub max_depth: usize,
    pub planned: Option<Vec<u32>>,
}

impl<'a> Unroll<'a> {
    pub fn new(backbone: &'a dyn Backbone, layout: &'a Arc<TokenLayout>, max_depth: usize) -> Self {
        Self { backbone, layout, max_depth, planned: None }
    }

    pub fn begin(&self, tokens: &Tensor) -> Start {
        let mut context = BeginContext { max_depth: self.max_depth, ..BeginContext::new(self.layout) };
        self.backbone.begin(tokens, &mut context).unwrap()
    }

    /// States after 1, 2, ..., `steps` steps.
    pub fn states(&self, start: &Start, steps: usize) -> Vec<Tensor> {
        self.run(start, steps, Phase::Evaluation).0
    }

    fn run(&self, start: &Start, steps: usize, phase: Phase) -> (Vec<Tensor>, KeyValues) {
        let rows = self.layout.rows();
        let all = RowSet::all(rows);
        let mut memory = KeyValues::new(HaltedKeysValues::FreezeState, self.backbone.dimensions().core_layers, rows);
        let mut states = start.states.clone();
        let step = |step: usize| {
            memory.begin_dense(&all, &vec![false; rows], &states).unwrap();
            let context = StepContext::new(step, self.layout, &all, &mut memory).with_input(start.input.as_ref());
            let mut context =
                StepContext { max_depth: self.max_depth, planned: self.planned.as_deref(), phase, ..context };
            states = self.backbone.step(&states, &mut context).unwrap();
            states.clone()
        };
        let states = (1..=steps).map(step).collect();
        (states, memory)
    }

    /// What the layers hold after `steps` steps of a training pass.
    pub fn trained(&self, start: &Start, steps: usize) -> KeyValues {
        let phase = Phase::Training(Progress { step: 0, total: 1 });
        self.run(start, steps, phase).1
    }

    /// Logits of all rows.
    pub fn read(&self, states: &Tensor) -> Tensor {
        self.backbone.coda(states, self.layout, &RowSet::all(self.layout.rows()), None).unwrap()
    }
}
