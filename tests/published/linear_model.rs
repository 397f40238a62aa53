//! A model with given states and a linear read-out, and the gradients of objectives with respect to both.

use std::collections::BTreeMap;
use std::sync::Arc;

use haltbench_engine::batch::Batch;
use haltbench_engine::costs::Costs;
use haltbench_engine::model::Model;
use haltbench_engine::recurrence::Noise;
use haltbench_engine::training;
use haltbench_sdk::backbone::Start;
use haltbench_sdk::candle_core::Var;
use haltbench_sdk::candle_core::backprop::GradStore;
use haltbench_sdk::initialise::Variables;
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::golden::Golden;
use crate::replays::{Trajectory, valid};

/// States after 0, 1, ..., D steps, whatever halts, and logits that are linear in them.
pub struct LinearModel {
    /// `[tokens, width]` after each of 0, 1, ..., D steps.
    pub states: Vec<Var>,
    /// The read-out, `[vocabulary, width]`.
    pub head: Var,
    /// Number of tokens of each sequence.
    pub lengths: Vec<usize>,
    /// Target of each token; `None` for a token that is no answer.
    pub targets: Vec<Option<u32>>,
    /// Weights of the policy.
    pub weights: BTreeMap<&'static str, Var>,
    /// Steps of the training of which gradients are the first; 1 is also the last.
    pub training_steps: u64,
}

/// An objective and its gradients.
pub struct Differentiated {
    pub total: f64,
    gradients: GradStore,
}

impl Differentiated {
    /// The gradient with respect to `var`, row by row; zeros if there is none.
    pub fn of(&self, var: &Var) -> Vec<f64> {
        match self.gradients.get(var) {
            Some(gradient) => gradient.flatten_all().unwrap().to_vec1().unwrap(),
            None => vec![0.0; var.elem_count()],
        }
    }
}

/// The tokens of `steps`, `[N, B, S, ...]`, that are not padding, `[N, tokens, width]`.
pub fn unpadded(golden: &Golden, steps: &Tensor) -> Tensor {
    let mask = golden.tensor("input.valid");
    let tokens: Vec<u32> = valid(&mask).iter().map(|token| *token as u32).collect();
    let steps = steps.reshape((steps.dim(0).unwrap(), mask.elem_count(), ())).unwrap();
    steps.index_select(&Tensor::new(tokens, &Device::Cpu).unwrap(), 1).unwrap()
}

impl LinearModel {
    /// The model of `states`, `[D + 1, tokens, width]`, in sequences of the golden's lengths; every token is an answer.
    pub fn new(
        golden: &Golden,
        states: &Tensor,
        head: &Tensor,
        weights: impl IntoIterator<Item = (&'static str, Tensor)>,
    ) -> Self {
        let targets = golden.tensor("input.targets").unsqueeze(0).unwrap();
        let targets: Vec<f64> = unpadded(golden, &targets).flatten_all().unwrap().to_vec1().unwrap();
        let var = |tensor: &Tensor| Var::from_tensor(&tensor.contiguous().unwrap()).unwrap();
        Self {
            states: (0..states.dim(0).unwrap()).map(|step| var(&states.get(step).unwrap())).collect(),
            head: var(head),
            lengths: golden.integers("input.lengths").into_iter().map(|length| length as usize).collect(),
            targets: targets.iter().map(|target| Some(*target as u32)).collect(),
            weights: weights.into_iter().map(|(name, weight)| (name, var(&weight))).collect(),
            training_steps: 1,
        }
    }

    /// The same states, logits, targets and weights as a trace.
    pub fn trajectory(&self) -> Trajectory {
        let constant = |var: &Var| var.as_detached_tensor();
        let head = constant(&self.head).t().unwrap();
        let logits: Vec<Tensor> =
            self.states[1..].iter().map(|states| constant(states).matmul(&head).unwrap()).collect();
        let states: Vec<Tensor> = self.states.iter().map(constant).collect();
        Trajectory {
            lengths: self.lengths.clone(),
            states: Tensor::stack(&states, 0).unwrap(),
            logits: Some(Tensor::stack(&logits, 0).unwrap()),
            targets: Some(self.targets.iter().map(|target| target.map_or(-1, i64::from)).collect()),
            stage: None,
            weights: self.weights.iter().map(|(name, weight)| (*name, constant(weight))).collect(),
        }
    }

    /// The objective under `recipe` and its gradients.
    pub fn gradient(
        &self,
        declaration: &'static PolicyDeclaration,
        given: &[(&str, Value)],
        recipe: Recipe,
    ) -> Differentiated {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let parameters = Parameters::resolve(declaration.name, declaration.parameters, &given).unwrap();
        let (vocabulary, d_model) = self.head.dims2().unwrap();
        let max_depth = self.states.len() - 1;
        let weights = self.weights.iter().map(|(name, weight)| ((*name).to_owned(), weight.as_tensor().clone()));
        let context = PolicyContext {
            d_model,
            d_ff: 1,
            vocabulary,
            max_depth,
            parameters: &parameters,
            variables: VarBuilder::from_tensors(weights.collect(), DType::F64, &Device::Cpu),
            source: None,
            seed: 1,
        };
        let model = Model {
            backbone: Box::new(Given {
                states: self.states.iter().map(|states| states.as_tensor().clone()).collect(),
                head: self.head.as_tensor().clone(),
            }),
            backbone_declaration: None,
            policy: (declaration.build)(&context).unwrap(),
            declaration,
            costs: Costs::default(),
            recipe,
            training_steps: self.training_steps,
            is_causal: declaration.causal.given(&parameters),
            variables: Variables::new(1, DType::F64, &Device::Cpu),
            max_depth,
            halted_keys_values: HaltedKeysValues::FreezeState,
            recompute: false,
            seed: 1,
            device: Device::Cpu,
            dtype: DType::F64,
        };
        let loss = training::loss(&model, &self.batch(), &Noise::Seeded(0), None).unwrap();
        Differentiated { total: loss.total.to_scalar().unwrap(), gradients: loss.total.backward().unwrap() }
    }

    fn batch(&self) -> Batch {
        let identities: Vec<u64> = (0..self.lengths.len() as u64).collect();
        let layout = TokenLayout::new(&self.lengths, &identities).unwrap();
        let rows = layout.rows();
        let readout = RowSet::from_mask(&self.targets.iter().map(Option::is_some).collect::<Vec<bool>>());
        Batch {
            layout: Arc::new(layout),
            tokens: Tensor::zeros(rows, DType::U32, &Device::Cpu).unwrap(),
            target_index: vec![0; readout.len()],
            readout,
            targets: Arc::new(self.targets.iter().copied().flatten().collect()),
            complexity: vec![f32::NAN; rows],
        }
    }
}

/// A backbone that returns given states.
struct Given {
    states: Vec<Tensor>,
    head: Tensor,
}

impl Backbone for Given {
    fn dimensions(&self) -> Dimensions {
        let (vocabulary, d_model) = self.head.dims2().unwrap();
        Dimensions { d_model, d_ff: 1, core_layers: 0, vocabulary }
    }

    fn begin(&self, _: &Tensor, _: &mut BeginContext) -> Result<Start> {
        Ok(self.states[0].clone().into())
    }

    fn step(&self, _: &Tensor, context: &mut StepContext) -> Result<Tensor> {
        context.rows.select(&self.states[context.step])
    }

    fn coda(
        &self,
        states: &Tensor,
        _: &Arc<TokenLayout>,
        rows: &RowSet,
        _: Option<&mut KeyValueCache>,
    ) -> Result<Tensor> {
        Ok(rows.select(states)?.matmul(&self.head.t()?)?)
    }

    fn cost(&self) -> BackboneCost {
        BackboneCost::default()
    }
}

/// A read-out whose logits are the `vocabulary` numbers of a state after the first `before`.
pub fn identity_read_out(before: usize, vocabulary: usize) -> Tensor {
    let number =
        |place: usize| f64::from(u8::from(place % (before + vocabulary) == before + place / (before + vocabulary)));
    let numbers: Vec<f64> = (0..vocabulary * (before + vocabulary)).map(number).collect();
    Tensor::from_vec(numbers, (vocabulary, before + vocabulary), &Device::Cpu).unwrap()
}
