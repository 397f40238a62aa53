//! The fixed-point exit, whose damping changes the states of later steps, over the stub that its golden file describes.

use std::sync::Arc;

use haltbench_engine::batch::Batch;
use haltbench_engine::costs::Costs;
use haltbench_engine::model::Model;
use haltbench_engine::recurrence::{Evaluated, Execution, evaluate};
use haltbench_sdk::backbone::Start;
use haltbench_sdk::initialise::Variables;
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::golden::Golden;
use crate::replays::{by_token, policy, text, valid};

/// x becomes tanh(a x + u e + b), for each token alone. The coda returns the state.
#[derive(Clone)]
struct Stub {
    first: Tensor,
    input: Tensor,
    a: Tensor,
    u: Tensor,
    b: Tensor,
}

impl Stub {
    fn new(golden: &Golden) -> Self {
        let rows = |name: &str| golden.tensor(name).flatten_to(1).unwrap();
        let weight = |name: &str| golden.tensor(&format!("weight.stub.{name}"));
        Self { first: rows("input.h0"), input: rows("input.e"), a: weight("a"), u: weight("u"), b: weight("b") }
    }
}

impl Backbone for Stub {
    fn dimensions(&self) -> Dimensions {
        let d_model = self.a.dim(0).unwrap();
        Dimensions { d_model, d_ff: 1, core_layers: 0, vocabulary: d_model }
    }

    fn begin(&self, _: &Tensor, _: &mut BeginContext) -> Result<Start> {
        Ok(Start { states: self.first.clone(), input: Some(self.input.clone()) })
    }

    fn step(&self, states: &Tensor, context: &mut StepContext) -> Result<Tensor> {
        let input = context.input.unwrap().matmul(&self.u.t()?)?;
        Ok((states.matmul(&self.a.t()?)? + input)?.broadcast_add(&self.b)?.tanh()?)
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

/// All tokens of the golden file, padding included, with at most `max_depth` steps.
fn evaluated(golden: &Golden, given: &[(&str, Value)], max_depth: usize, execution: Execution) -> Evaluated {
    let declaration = policy("fixed-point");
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let parameters = Parameters::resolve(declaration.name, declaration.parameters, &given).unwrap();
    let stub = Stub::new(golden);
    let Dimensions { d_model, vocabulary, .. } = stub.dimensions();
    let context = PolicyContext {
        d_model,
        d_ff: 1,
        vocabulary,
        max_depth,
        parameters: &parameters,
        variables: VarBuilder::zeros(DType::F64, &Device::Cpu),
        source: None,
        seed: 1,
    };
    let model = Model {
        policy: (declaration.build)(&context).unwrap(),
        backbone: Box::new(stub),
        backbone_declaration: None,
        declaration,
        costs: Costs::default(),
        recipe: declaration.recipe,
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
    let lengths = vec![golden.size("S"); golden.size("B")];
    let identities: Vec<u64> = (0..lengths.len() as u64).collect();
    let layout = TokenLayout::new(&lengths, &identities).unwrap();
    let rows = layout.rows();
    let batch = Batch {
        layout: Arc::new(layout),
        tokens: Tensor::zeros(rows, DType::U32, &Device::Cpu).unwrap(),
        readout: RowSet::all(rows),
        targets: Arc::new(vec![0; rows]),
        target_index: vec![0; rows],
        complexity: vec![f32::NAN; rows],
    };
    evaluate(&model, &batch, execution, None).unwrap()
}

/// The parameters of a reading of patience.
fn reading(golden: &Golden, name: &str) -> Vec<(&'static str, Value)> {
    let number = |key: &str| Value::Real(golden.number(&format!("reading_{name}/{key}")));
    let patience = ("patience", Value::Integer(golden.size(&format!("reading_{name}/patience")) as i64));
    if name == "B" {
        return vec![("patience_for", text("exit")), patience, ("damping", number("eta"))];
    }
    let damping = [("damping", number("eta0")), ("decay", number("decay")), ("least_damping", number("eta_min"))];
    [vec![("patience_for", text("damping")), patience], damping.to_vec()].concat()
}

#[test]
fn states_residuals_and_exits_of_both_readings_are_those_of_the_equations() {
    for golden in Golden::all("fixed_point") {
        let (most, tokens) = (golden.size("R"), valid(&golden.tensor("input.valid")));
        for name in ["A", "B"] {
            let states = golden.tensor(&format!("expected.{name}.states")).flatten(1, 2).unwrap();
            let state = |step: usize, token: usize| states.get(step).unwrap().get(token).unwrap();
            let mut given = reading(&golden, name);
            // A threshold of 0 halts no token, so D steps give the state after D steps.
            given.push(("threshold", Value::Real(0.0)));
            for depth in 1..=most {
                let found = evaluated(&golden, &given, depth, Execution::Compacted).logits;
                for token in &tokens {
                    golden.close(&format!("{name} {depth}"), &found.get(*token).unwrap(), &state(depth, *token));
                }
            }
            given.pop();
            given.push(("threshold", Value::Real(golden.number("tolerance"))));
            let residuals = by_token(&golden.tensor(&format!("expected.{name}.residual")));
            let depths = golden.integers(&format!("expected.{name}.depth"));
            let converged = golden.integers(&format!("expected.{name}.converged"));
            for execution in [Execution::Compacted, Execution::Dense] {
                let found = evaluated(&golden, &given, most, execution);
                for token in &tokens {
                    let depth = depths[*token] as usize;
                    assert_eq!(found.depths[*token], depths[*token], "{name} {token}");
                    assert!(converged[*token] == 1 || depth == most);
                    golden.close(name, &found.logits.get(*token).unwrap(), &state(depth, *token));
                    let scores: Vec<f64> = found.decided.scores[*token].iter().copied().flatten().collect();
                    golden.near(name, &scores, &residuals[*token][..depth]);
                }
            }
        }
    }
}
