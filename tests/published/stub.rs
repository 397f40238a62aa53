//! A model whose backbone is a function: the whole engine around a golden file's stub layer.

use std::collections::BTreeMap;
use std::sync::Arc;

use haltbench_engine::batch::Batch;
use haltbench_engine::costs::Costs;
use haltbench_engine::model::Model;
use haltbench_sdk::backbone::Start;
use haltbench_sdk::initialise::Variables;
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

/// R(h) of the rows that a step computes, `[rows, d_model]`.
pub type StepOf = Box<dyn Fn(&Tensor, &mut StepContext) -> Result<Tensor> + Send + Sync>;

/// The backbone: given states, and a function that makes a step of them. Logits are the states.
pub struct Stub {
    /// h(0) of all tokens, `[tokens, d_model]`.
    pub first: Tensor,
    /// R.
    pub step: StepOf,
}

/// A model of the stub under a policy.
pub struct Stubbed {
    /// The policy.
    pub declaration: &'static PolicyDeclaration,
    /// Values of its parameters.
    pub given: Vec<(&'static str, Value)>,
    /// Its weights.
    pub weights: Vec<(&'static str, Tensor)>,
    /// D.
    pub max_depth: usize,
    /// Keys and values of halted tokens.
    pub halted: HaltedKeysValues,
}

impl Stubbed {
    /// The model.
    pub fn model(&self, stub: Stub) -> Model {
        let Self { declaration, given, weights, max_depth, halted } = self;
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let parameters = Parameters::resolve(declaration.name, declaration.parameters, &given).unwrap();
        let weights: BTreeMap<String, Tensor> =
            weights.iter().map(|(name, tensor)| ((*name).to_owned(), tensor.clone())).collect();
        let width = stub.first.dim(1).unwrap();
        let context = PolicyContext {
            d_model: width,
            d_ff: 1,
            vocabulary: width,
            max_depth: *max_depth,
            parameters: &parameters,
            variables: VarBuilder::from_tensors(weights.into_iter().collect(), DType::F64, &Device::Cpu),
            source: None,
            seed: 1,
        };
        Model {
            policy: (declaration.build)(&context).unwrap(),
            backbone: Box::new(stub),
            backbone_declaration: None,
            declaration,
            costs: Costs::default(),
            recipe: declaration.recipe,
            training_steps: 1,
            is_causal: declaration.causal.given(&parameters),
            variables: Variables::new(1, DType::F64, &Device::Cpu),
            max_depth: *max_depth,
            halted_keys_values: *halted,
            recompute: false,
            seed: 1,
            device: Device::Cpu,
            dtype: DType::F64,
        }
    }
}

/// Sequences of these lengths, of which every token is an answer.
pub fn batch(lengths: &[usize]) -> Batch {
    let identities: Vec<u64> = (0..lengths.len() as u64).collect();
    let layout = TokenLayout::new(lengths, &identities).unwrap();
    let rows = layout.rows();
    Batch {
        layout: Arc::new(layout),
        tokens: Tensor::zeros(rows, DType::U32, &Device::Cpu).unwrap(),
        readout: RowSet::all(rows),
        targets: Arc::new(vec![0; rows]),
        target_index: vec![0; rows],
        complexity: vec![f32::NAN; rows],
    }
}

/// A padded golden tensor and which of its positions are tokens.
pub struct Padded {
    /// Number of tokens of each sequence; padding comes after them.
    pub lengths: Vec<usize>,
    /// Places of the tokens in `[B, S]`.
    pub tokens: Vec<u32>,
}

impl Padded {
    /// From a mask `[B, S]`.
    pub fn new(mask: &Tensor) -> Self {
        let mask: Vec<Vec<f64>> = mask.to_vec2().unwrap();
        let lengths: Vec<usize> = mask.iter().map(|row| row.iter().filter(|is| **is > 0.0).count()).collect();
        for (row, length) in mask.iter().zip(&lengths) {
            assert!(row[..*length].iter().all(|is| *is > 0.0), "padding comes last");
        }
        let width = mask[0].len();
        let places = lengths.iter().enumerate().flat_map(|(row, length)| row * width..row * width + length);
        Self { tokens: places.map(|place| place as u32).collect(), lengths }
    }

    /// The tokens of `[B, S, width]`, `[tokens, width]`, or of `[B, S]`, `[tokens]`.
    pub fn packed(&self, tensor: &Tensor) -> Tensor {
        let tokens = Tensor::new(&self.tokens[..], &Device::Cpu).unwrap();
        tensor.contiguous().unwrap().flatten(0, 1).unwrap().index_select(&tokens, 0).unwrap()
    }

    /// The same for every step of `[N, B, S, ...]`: `[N, tokens, ...]`.
    pub fn by_step(&self, steps: &Tensor) -> Tensor {
        let steps: Vec<Tensor> =
            (0..steps.dim(0).unwrap()).map(|step| self.packed(&steps.get(step).unwrap())).collect();
        Tensor::stack(&steps, 0).unwrap()
    }
}

impl Backbone for Stub {
    fn dimensions(&self) -> Dimensions {
        let width = self.first.dim(1).unwrap();
        Dimensions { d_model: width, d_ff: 1, core_layers: 1, vocabulary: width }
    }

    fn begin(&self, _: &Tensor, _: &mut BeginContext) -> Result<Start> {
        Ok(self.first.clone().into())
    }

    fn step(&self, states: &Tensor, context: &mut StepContext) -> Result<Tensor> {
        (self.step)(states, context)
    }

    fn coda(
        &self,
        states: &Tensor,
        _: &Arc<TokenLayout>,
        rows: &RowSet,
        _: Option<&mut KeyValueCache>,
    ) -> Result<Tensor> {
        rows.select(states)
    }

    fn cost(&self) -> BackboneCost {
        BackboneCost::default()
    }
}
