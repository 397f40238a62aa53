//! Mixture-of-Recursions' token-choice router against the published code, around its shared Llama layer.

use haltbench_engine::recurrence::{Execution, Noise, evaluate, unroll};
use haltbench_sdk::candle_core::Var;
use haltbench_sdk::initialise::Variables;
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::layers::{BlockShape, Layer, Place, Rotary};
use haltbench_sdk::ops::AttentionPlan;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::golden::Golden;
use crate::replays::{Trajectory, policy, text};
use crate::stub::{Stub, Stubbed, batch};

const NAME: &str = "mor-token-choice";

/// The shared layer of a file.
fn layer(golden: &Golden) -> Layer {
    let (epsilon, theta) = (golden.number("rms_norm_eps"), golden.number("rope_theta"));
    let (width, heads) = (golden.size("hidden_size"), golden.size("num_attention_heads"));
    let mut shape = BlockShape::llama2(width, golden.size("intermediate_size"), heads, epsilon, theta);
    shape.attention.key_value_heads = golden.size("num_key_value_heads");
    let variables = Variables::new(0, DType::F64, &Device::Cpu);
    let rotary = Rotary::new(shape.attention.rotation, width / heads);
    let layer = Layer::new(&shape, &rotary, variables.builder()).unwrap();
    for (name, tensor) in golden.weights() {
        if let Some(name) = name.strip_prefix("block.") {
            variables.set(name, tensor).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
    layer
}

/// A variant of the router.
struct Variant {
    given: Vec<(&'static str, Value)>,
    weights: Vec<(&'static str, Tensor)>,
}

fn variant(golden: &Golden, variant: &str) -> Variant {
    let alpha = golden.number(&format!("variants/{variant}/alpha"));
    let router = if variant == "sigmoid" { "sigmoid" } else { "softmax" };
    let mut given = vec![("alpha", Value::Real(alpha)), ("router", text(router))];
    let mut weights = vec![("router.weight", golden.tensor("weight.mor_router.router.weight"))];
    if variant == "loss_free" {
        given.push(("balancing", text("loss-free")));
        weights.push(("router.bias", golden.tensor("input.router_bias")));
    }
    Variant { given, weights }
}

const VARIANTS: [&str; 3] = ["softmax", "sigmoid", "loss_free"];

#[test]
fn choices_and_outputs_are_those_of_the_published_router() {
    for golden in Golden::all("mor_token_choice") {
        let x = golden.tensor("input.x");
        let (sequences, length, _) = x.dims3().unwrap();
        for name in VARIANTS {
            let layer = layer(&golden);
            let step = move |states: &Tensor, context: &mut StepContext| {
                let plan = AttentionPlan::new(&**context.layout, context.rows, context.key_values.visible());
                layer.step(Place::shared(0), states, context, &plan)
            };
            let Variant { given, weights } = variant(&golden, name);
            let max_depth = golden.size("num_recursion");
            let stubbed =
                Stubbed { declaration: policy(NAME), given, weights, max_depth, halted: HaltedKeysValues::Skip };
            let model = stubbed.model(Stub { first: x.flatten(0, 1).unwrap(), step: Box::new(step) });
            for execution in [Execution::Compacted, Execution::Dense] {
                let found = evaluate(&model, &batch(&vec![length; sequences]), execution, None).unwrap();
                assert_eq!(found.depths, golden.integers(&format!("derived.{name}.depth")), "{name}");
                golden.close("output", &found.logits, &golden.tensor(&format!("expected.{name}.output")));
                let gates = golden.numbers(&format!("expected.{name}.gate"));
                for ((weights, depth), gate) in found.decided.weights.unwrap().iter().zip(&found.depths).zip(gates) {
                    let expected: Vec<f64> = (0..=max_depth as u32)
                        .map(|step| {
                            if step == 0 {
                                1.0
                            } else if step == *depth {
                                gate
                            } else {
                                0.0
                            }
                        })
                        .collect();
                    golden.near("weights", weights, &expected);
                }
            }
        }
    }
}

/// The published code computes shares in single precision.
#[test]
fn losses_are_those_of_the_published_router() {
    for golden in Golden::all("mor_token_choice") {
        let x = golden.tensor("input.x");
        let (sequences, length, width) = x.dims3().unwrap();
        let most = golden.size("num_recursion");
        let states = x.unsqueeze(0).unwrap().broadcast_as((most + 1, sequences, length, width)).unwrap();
        for name in VARIANTS {
            let Variant { given, weights } = variant(&golden, name);
            let mut trajectory = Trajectory::new(&states.contiguous().unwrap(), weights);
            trajectory.targets = Some(vec![0; sequences * length]);
            // A vocabulary of one token has no loss, so only the regulariser remains.
            trajectory.logits = Some(Tensor::zeros((most, sequences * length, 1), DType::F64, &Device::Cpu).unwrap());
            let mean = |balance: f64, z_loss: f64| {
                let losses = [("balance", Value::Real(balance)), ("z_loss", Value::Real(z_loss))];
                let given: Vec<_> = given.iter().cloned().chain(losses).collect();
                let found = trajectory.replay(policy(NAME), &given, None);
                let depths: Vec<u32> = found.iter().map(|token| token.depth).collect();
                assert_eq!(depths, golden.integers(&format!("derived.{name}.depth")), "{name}");
                found.iter().map(|token| token.objective.unwrap()).sum::<f64>() / found.len() as f64
            };
            golden.near("z loss", &[mean(0.0, 1.0)], &golden.numbers("expected.z_loss"));
            if golden.has(&format!("expected.{name}.balancing_loss")) {
                let expected = golden.numbers(&format!("expected.{name}.balancing_loss"))[0];
                let found = mean(1.0, 0.0);
                assert!((found - expected).abs() < 1e-6 * (1.0 + expected.abs()), "{name}: {found} against {expected}");
            } else {
                let biases = golden.numbers("input.router_bias");
                let shares = golden.numbers(&format!("expected.{name}.ratio"));
                let pull = |(bias, share): (&f64, &f64)| bias * (share - 1.0 / most as f64).signum();
                golden.near("bias term", &[mean(1.0, 0.0)], &[biases.iter().zip(&shares).map(pull).sum()]);
            }
        }
    }
}

/// With the gate at every step, as in the paper: x + g(i) f(... g(1) f(x)), token by token, over a step that adds a vector
/// to a scaled state.
#[test]
fn a_gate_at_every_step_scales_every_result() {
    for golden in Golden::all("mor_token_choice") {
        let x = golden.tensor("input.x").flatten(0, 1).unwrap();
        let (rows, width) = x.dims2().unwrap();
        let Variant { mut given, weights } = variant(&golden, "softmax");
        given.push(("gate", text("each")));
        let most = golden.size("num_recursion");
        let halted = HaltedKeysValues::Skip;
        let stubbed = Stubbed { declaration: policy(NAME), given, weights, max_depth: most, halted };
        let step = |states: &Tensor, context: &mut StepContext| Ok(states.affine(1.5, context.step as f64)?);
        let model = stubbed.model(Stub { first: x.clone(), step: Box::new(step) });
        let logits: Vec<Vec<f64>> = golden.tensor("expected.logits").flatten(0, 1).unwrap().to_vec2().unwrap();
        let x: Vec<Vec<f64>> = x.to_vec2().unwrap();
        for execution in [Execution::Compacted, Execution::Dense] {
            let found = evaluate(&model, &batch(&[rows]), execution, None).unwrap();
            let outputs: Vec<Vec<f64>> = found.logits.to_vec2().unwrap();
            for row in 0..rows {
                let total: f64 = logits[row].iter().map(|logit| logit.exp()).sum();
                for column in 0..width {
                    let mut state = x[row][column];
                    for step in 1..=found.depths[row] as usize {
                        state = logits[row][step - 1].exp() / total * (1.5 * state + step as f64);
                    }
                    golden.near("output", &[outputs[row][column]], &[x[row][column] + state]);
                }
            }
        }
    }
}

/// Gradients of outputs with respect to the router, by finite differences: they pass through the gates alone.
#[test]
fn gates_have_the_gradients_of_finite_differences() {
    for golden in Golden::all("mor_token_choice") {
        let x = golden.tensor("input.x").flatten(0, 1).unwrap();
        let rows = x.dim(0).unwrap();
        for (name, gate) in [("softmax", "end"), ("softmax", "each"), ("sigmoid", "end"), ("sigmoid", "each")] {
            let Variant { mut given, weights } = variant(&golden, name);
            given.push(("gate", text(gate)));
            let total = |router: &Tensor| {
                let stubbed = Stubbed {
                    declaration: policy(NAME),
                    given: given.clone(),
                    weights: vec![("router.weight", router.clone())],
                    max_depth: golden.size("num_recursion"),
                    halted: HaltedKeysValues::Skip,
                };
                let step = |states: &Tensor, context: &mut StepContext| Ok(states.affine(1.5, context.step as f64)?);
                let model = stubbed.model(Stub { first: x.clone(), step: Box::new(step) });
                let pass = unroll(&model, &batch(&[rows]), &Noise::Seeded(0), None).unwrap();
                (pass.logits[0].sin().unwrap().sum_all().unwrap(), pass.record.depths)
            };
            let router = Var::from_tensor(&weights[0].1).unwrap();
            let (value, depths) = total(router.as_tensor());
            let slopes =
                value.backward().unwrap().get(&router).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
            assert!(slopes.iter().any(|slope| *slope != 0.0));
            let numbers: Vec<f64> = router.flatten_all().unwrap().to_vec1().unwrap();
            for (place, slope) in slopes.iter().enumerate().step_by(5) {
                let at = |shift: f64| {
                    let mut moved = numbers.clone();
                    moved[place] += shift;
                    let (value, own) = total(&Tensor::from_vec(moved, router.shape(), &Device::Cpu).unwrap());
                    assert_eq!(own, depths, "the difference crosses a choice");
                    value.to_scalar::<f64>().unwrap()
                };
                let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
                let near = (slope - difference).abs() < 1e-6 * (1.0 + difference.abs());
                assert!(near, "{name} {gate} {place}: {slope} against {difference}");
            }
        }
    }
}
