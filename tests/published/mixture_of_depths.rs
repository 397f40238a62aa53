//! Mixture-of-Depths against its equations: selections, states, losses and gradients over the file's stub branch.

use haltbench_engine::model::Model;
use haltbench_engine::recurrence::{Execution, Noise, evaluate, unroll};
use haltbench_sdk::candle_core::Var;
use haltbench_sdk::candle_nn::ops::softmax;
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::ops::silu;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::golden::Golden;
use crate::replays::{Trajectory, policy, text};
use crate::stub::{Padded, Stub, Stubbed, batch};

const NAME: &str = "mixture-of-depths";

fn vector(golden: &Golden, name: &str) -> Tensor {
    golden.tensor(name).unsqueeze(0).unwrap()
}

fn weights(golden: &Golden) -> Vec<(&'static str, Tensor)> {
    vec![
        ("router.weight", vector(golden, "weight.router.w")),
        ("predictor.inner.weight", golden.tensor("weight.predictor.w1")),
        ("predictor.inner.bias", golden.tensor("weight.predictor.b1")),
        ("predictor.outer.weight", vector(golden, "weight.predictor.w2")),
        ("predictor.outer.bias", golden.tensor("weight.predictor.b2")),
    ]
}

/// The knob, the capacity, and the weights of the two losses.
fn given(golden: &Golden, choice: &str, auxiliary: f64, predictor: f64) -> Vec<(&'static str, Value)> {
    vec![
        ("choice", text(choice)),
        ("capacity", Value::Real(golden.number("capacity"))),
        ("predictor_width", Value::Integer(golden.size("predictor_hidden") as i64)),
        ("auxiliary", Value::Real(auxiliary)),
        ("predictor", Value::Real(predictor)),
    ]
}

/// The file's step: x plus a residual of attention among the tokens that take part, and a perceptron of both.
fn branch(golden: &Golden) -> impl Fn(&Tensor, &mut StepContext) -> Result<Tensor> + use<> {
    let weight = |name: &str| golden.tensor(&format!("weight.stub.{name}")).t().unwrap();
    let [wq, wk, wv, wo, w1, w2] = ["wq", "wk", "wv", "wo", "w1", "w2"].map(weight);
    move |x, context| {
        let times = |x: &Tensor, w: &Tensor| x.contiguous()?.matmul(&w.contiguous()?);
        let width = x.dim(1)? as f64;
        let (queries, keys, values) = (times(x, &wq)?, times(x, &wk)?, times(x, &wv)?);
        let rows: Vec<usize> = context.rows.iter().collect();
        let visible = context.key_values.visible().cloned();
        let attend = |place: usize| {
            let own = rows[place];
            let sees = |row: usize| {
                let is_visible = row == own || visible.as_ref().is_none_or(|visible| visible[row]);
                row <= own && is_visible && context.layout.sequence(row) == context.layout.sequence(own)
            };
            let seen: Vec<u32> = (0u32..).zip(&rows).filter(|(_, row)| sees(**row)).map(|(place, _)| place).collect();
            let seen = Tensor::new(seen, x.device())?;
            let scores = times(&queries.narrow(0, place, 1)?, &keys.index_select(&seen, 0)?.t()?)?;
            times(&softmax(&(scores / width.sqrt())?, 1)?, &values.index_select(&seen, 0)?)
        };
        let attended = (0..rows.len()).map(attend).collect::<Result<Vec<_>, _>>()?;
        let attended = times(&Tensor::cat(&attended, 0)?, &wo)?;
        let inner = silu(&times(&(x + &attended)?, &w1)?)?;
        Ok((x + attended + times(&inner, &w2)?)?)
    }
}

fn model(
    golden: &Golden,
    weights: Vec<(&'static str, Tensor)>,
    first: Tensor,
    choice: &str,
    losses: [f64; 2],
) -> Model {
    let stubbed = Stubbed {
        declaration: policy(NAME),
        given: given(golden, choice, losses[0], losses[1]),
        weights,
        max_depth: golden.size("R"),
        halted: HaltedKeysValues::Skip,
    };
    stubbed.model(Stub { first, step: Box::new(branch(golden)) })
}

#[test]
fn selections_and_states_are_those_of_the_equations() {
    for golden in Golden::all("mod") {
        let tokens = Padded::new(&golden.tensor("input.valid"));
        for choice in ["topk", "router", "predictor"] {
            let read = |name: &str| tokens.by_step(&golden.tensor(&format!("expected.{choice}.{name}")));
            let (states, selected) = (read("states"), read("selected").to_vec2::<f64>().unwrap());
            let name = if choice == "topk" { "top-k" } else { choice };
            let last = golden.size("R");
            let model = model(&golden, weights(&golden), states.get(0).unwrap(), name, [0.0, 0.0]);
            for execution in [Execution::Compacted, Execution::Dense] {
                let found = evaluate(&model, &batch(&tokens.lengths), execution, None).unwrap();
                golden.close("states", &found.logits, &states.get(last).unwrap());
                let chosen: Vec<Vec<bool>> =
                    selected.iter().map(|step| step.iter().map(|chosen| *chosen > 0.0).collect()).collect();
                assert_eq!(found.decided.chosen, chosen, "{} {choice}", golden.name);
                let executed = golden.tensor(&format!("derived.{choice}.executed"));
                let executed: Vec<f64> = tokens.packed(&executed).to_vec1().unwrap();
                assert!(found.depths.iter().zip(&executed).all(|(depth, steps)| f64::from(*depth) == *steps));
                let scores = read(if choice == "predictor" { "predictor_logits" } else { "router_scores" });
                for (token, own) in found.decided.scores.iter().enumerate() {
                    let own: Vec<f64> = own[..last].iter().map(|score| score.unwrap()).collect();
                    golden.near("scores", &own, &scores.get_on_dim(1, token).unwrap().to_vec1::<f64>().unwrap());
                }
            }
        }
    }
}

#[test]
fn losses_are_those_of_the_equations() {
    for golden in Golden::all("mod") {
        let tokens = Padded::new(&golden.tensor("input.valid"));
        let trajectory = Trajectory {
            lengths: tokens.lengths.clone(),
            states: tokens.by_step(&golden.tensor("expected.topk.states")),
            logits: None,
            targets: Some(vec![0; tokens.tokens.len()]),
            stage: None,
            weights: weights(&golden).into_iter().collect(),
        };
        for (loss, [auxiliary, predictor]) in [("aux", [1.0, 0.0]), ("predictor", [0.0, 1.0])] {
            let found = trajectory.replay(policy(NAME), &given(&golden, "router", auxiliary, predictor), None);
            let mean = found.iter().map(|token| token.objective.unwrap()).sum::<f64>() / found.len() as f64;
            golden.near(loss, &[mean], &golden.numbers(&format!("expected.loss.{loss}")));
        }
    }
}

/// Gradients of a given function of the outputs and of both losses, through all steps.
#[test]
fn gradients_are_those_of_the_equations() {
    for golden in Golden::all("mod") {
        let tokens = Padded::new(&golden.tensor("input.valid"));
        let first = Var::from_tensor(&tokens.packed(&golden.tensor("input.x"))).unwrap();
        let variables: Vec<(&'static str, Var)> =
            weights(&golden).into_iter().map(|(name, weight)| (name, Var::from_tensor(&weight).unwrap())).collect();
        let graph = || variables.iter().map(|(name, variable)| (*name, variable.as_tensor().clone())).collect();
        let cotangent = tokens.packed(&golden.tensor("input.cotangent"));
        for (what, losses) in [("combine", [0.0, 0.0]), ("aux", [1.0, 0.0]), ("predictor", [0.0, 1.0])] {
            let model = model(&golden, graph(), first.as_tensor().clone(), "router", losses);
            let pass = unroll(&model, &batch(&tokens.lengths), &Noise::Seeded(0), None).unwrap();
            let total = match what {
                "combine" => (&pass.logits[0] * &cotangent).unwrap().sum_all().unwrap(),
                _ => model.policy.regulariser(&pass.record).unwrap().unwrap().mean_all().unwrap(),
            };
            let gradients = total.backward().unwrap();
            let found = |variable: &Var| match gradients.get(variable) {
                Some(gradient) => gradient.clone(),
                None => variable.zeros_like().unwrap(),
            };
            if what == "predictor" {
                for ((_, variable), name) in variables[1..].iter().zip(["w1", "b1", "w2", "b2"]) {
                    golden.close(name, &found(variable), &golden.tensor(&format!("expected.grad.predictor.{name}")));
                }
                assert!(
                    gradients.get(&first).is_none_or(|slope| slope
                        .abs()
                        .unwrap()
                        .max_all()
                        .unwrap()
                        .to_scalar::<f64>()
                        .unwrap()
                        == 0.0)
                );
                continue;
            }
            let expected = |name: &str| golden.tensor(&format!("expected.grad.{what}.{name}"));
            golden.close("gradient of the router", &found(&variables[0].1), &expected("router"));
            golden.close("gradient of x", &found(&first), &tokens.packed(&expected("x")));
        }
    }
}

#[test]
fn the_earlier_of_equal_tokens_is_selected() {
    for golden in Golden::all("mod") {
        let scores = golden.numbers("input.tie.scores");
        let layout = TokenLayout::new(&[scores.len()], &[0]).unwrap();
        for most in golden.config()["tie_k"].as_array().unwrap().iter().map(|most| most.as_u64().unwrap()) {
            let share = most as f64 / scores.len() as f64;
            let found = largest_of_sequences(&layout, &scores, &vec![true; scores.len()], share);
            let expected: Vec<bool> =
                golden.numbers(&format!("expected.tie.selected.k{most}")).iter().map(|chosen| *chosen > 0.0).collect();
            assert_eq!(found, expected, "{most} of them");
        }
    }
}
