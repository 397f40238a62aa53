//! A model with given states and losses, and the gradients of objectives with respect to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use haltbench_engine::batch::Batch;
use haltbench_engine::costs::Costs;
use haltbench_engine::model::Model;
use haltbench_engine::recurrence::Noise;
use haltbench_engine::training;
use haltbench_sdk::backbone::Start;
use haltbench_sdk::candle_core::Var;
use haltbench_sdk::initialise::Variables;
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::golden::Golden;

/// States and losses of the tokens that are not padding.
pub struct Given {
    /// Logits that a gate reads after steps 1..=D, `[tokens]` each.
    pub gates: Vec<Var>,
    /// Losses after these steps, `[tokens]` each.
    pub losses: Vec<Tensor>,
    /// Number of tokens of each sequence.
    pub lengths: Vec<usize>,
}

/// An objective and its gradients.
pub struct Differentiated {
    pub total: f64,
    /// With respect to the logits that gates read, per step.
    pub gates: Vec<Vec<f64>>,
    /// With respect to the gate's weight, which is 1.
    pub weight: f64,
    /// With respect to the gate's bias, which is 0.
    pub bias: f64,
}

/// The entries of `[N, B, S]` at tokens that are not padding, per step.
pub fn unpadded(golden: &Golden, steps: &Tensor) -> Vec<Vec<f64>> {
    let lengths = golden.integers("input.lengths");
    let rows: Vec<Vec<Vec<f64>>> = steps.to_vec3().unwrap();
    let whole = |step: &Vec<Vec<f64>>| {
        step.iter().zip(&lengths).flat_map(|(row, length)| row[..*length as usize].to_vec()).collect()
    };
    rows.iter().map(whole).collect()
}

impl Given {
    /// Gate logits and losses of a golden file, both `[N, B, S]`; without losses they are 0.
    pub fn new(golden: &Golden, gates: &Tensor, losses: Option<&Tensor>) -> Self {
        let tensor = |values: Vec<f64>| Tensor::new(values, &Device::Cpu).unwrap();
        let gates: Vec<Var> =
            unpadded(golden, gates).into_iter().map(|gates| Var::from_tensor(&tensor(gates)).unwrap()).collect();
        let losses = match losses {
            Some(losses) => unpadded(golden, losses).into_iter().map(tensor).collect(),
            None => gates.iter().map(|gates| gates.zeros_like().unwrap()).collect(),
        };
        let lengths = golden.integers("input.lengths").into_iter().map(|length| length as usize).collect();
        Self { gates, losses, lengths }
    }

    /// The objective and its gradients.
    pub fn gradient(
        &self,
        declaration: &'static PolicyDeclaration,
        gate: &str,
        given: &[(&str, Value)],
        recipe: Recipe,
    ) -> Differentiated {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let parameters = Parameters::resolve(declaration.name, declaration.parameters, &given).unwrap();
        let tensor = |values: &[f64]| Tensor::new(values, &Device::Cpu).unwrap();
        // The second number of a state is the step.
        let weight = Var::from_tensor(&tensor(&[1.0, 0.0]).unsqueeze(0).unwrap()).unwrap();
        let bias = Var::from_tensor(&tensor(&[0.0])).unwrap();
        let weights = BTreeMap::from([
            (format!("{gate}.weight"), weight.as_tensor().clone()),
            (format!("{gate}.bias"), bias.as_tensor().clone()),
        ]);
        let max_depth = self.gates.len();
        let context = PolicyContext {
            d_model: 2,
            d_ff: 1,
            vocabulary: 2,
            max_depth,
            parameters: &parameters,
            variables: VarBuilder::from_tensors(weights.into_iter().collect(), DType::F64, &Device::Cpu),
            source: None,
            seed: 1,
        };
        let model = Model {
            backbone: Box::new(Steps::new(self)),
            backbone_declaration: None,
            policy: (declaration.build)(&context).unwrap(),
            declaration,
            costs: Costs::default(),
            recipe,
            training_steps: 1,
            is_causal: true,
            variables: Variables::new(1, DType::F64, &Device::Cpu),
            max_depth,
            halted_keys_values: HaltedKeysValues::FreezeState,
            recompute: false,
            seed: 1,
            device: Device::Cpu,
            dtype: DType::F64,
        };
        let identities: Vec<u64> = (0..self.lengths.len() as u64).collect();
        let layout = TokenLayout::new(&self.lengths, &identities).unwrap();
        let rows = layout.rows();
        let batch = Batch {
            layout: Arc::new(layout),
            tokens: Tensor::zeros(rows, DType::U32, &Device::Cpu).unwrap(),
            readout: RowSet::all(rows),
            targets: Arc::new(vec![0; rows]),
            target_index: vec![0; rows],
            complexity: vec![f32::NAN; rows],
        };
        let loss = training::loss(&model, &batch, &Noise::Seeded(0), None).unwrap();
        let gradients = loss.total.backward().unwrap();
        let of = |gates: &Var| match gradients.get(gates) {
            Some(gradient) => gradient.to_vec1().unwrap(),
            None => vec![0.0; rows],
        };
        let first = |var: &Var| gradients.get(var).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap()[0];
        Differentiated {
            total: loss.total.to_scalar().unwrap(),
            gates: self.gates.iter().map(of).collect(),
            weight: first(&weight),
            bias: first(&bias),
        }
    }
}

/// A backbone that returns given states and logits.
struct Steps {
    states: Vec<Tensor>,
    /// Logits whose cross-entropy for token 0 is the loss, `[tokens, 2]` after each step.
    logits: Vec<Tensor>,
}

impl Steps {
    fn new(given: &Given) -> Self {
        let state = |(step, gates): (usize, &Tensor)| {
            let marks = gates.ones_like().unwrap() * step as f64;
            Tensor::stack(&[gates, &marks.unwrap()], 1).unwrap()
        };
        let nothing = given.gates[0].zeros_like().unwrap();
        let states = std::iter::once(&nothing).chain(given.gates.iter().map(Var::as_tensor)).enumerate().map(state);
        // ln(1 + e^x) = L for x = ln(e^L - 1).
        let logits = |losses: &Tensor| {
            let other = (losses.exp().unwrap() - 1.0).unwrap().log().unwrap();
            Tensor::stack(&[&other.zeros_like().unwrap(), &other], 1).unwrap()
        };
        Self { states: states.collect(), logits: given.losses.iter().map(logits).collect() }
    }
}

impl Backbone for Steps {
    fn dimensions(&self) -> Dimensions {
        Dimensions { d_model: 2, d_ff: 1, core_layers: 0, vocabulary: 2 }
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
        let marks: Vec<f64> = states.get_on_dim(1, 1)?.to_vec1()?;
        // The output of a mixture does not belong to a step.
        let step = marks[0].round().max(1.0) as usize;
        rows.select(&self.logits[step - 1])
    }

    fn cost(&self) -> BackboneCost {
        BackboneCost::default()
    }
}
