//! Universal-Transformer ACT against scenic, tensor2tensor and its equations.

use haltbench_engine::trace::ReplayedToken;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::golden::Golden;
use crate::replays::{Trajectory, by_token, policy, text, valid};

fn given(golden: &Golden, output: &str, forces: bool, epsilon: &str) -> [(&'static str, Value); 4] {
    [
        ("output", text(output)),
        ("force_remainder", Value::Flag(forces)),
        ("epsilon", Value::Real(golden.number(epsilon))),
        ("tau", Value::Real(1.0)),
    ]
}

/// The sum of a token's states after steps 1, 2, ..., `[D, width]`, with its effective weights.
fn blended(token: &ReplayedToken, states: &Tensor) -> Tensor {
    let weights = Tensor::new(&token.weights.as_ref().unwrap()[1..], &Device::Cpu).unwrap();
    weights.unsqueeze(0).unwrap().matmul(states).unwrap().squeeze(0).unwrap()
}

/// Compares with a published code's recorded pass. Probabilities are computed from the states `read` before each step;
/// `made` are the states after it. Both are `[D, B, S, width]`.
fn check(
    golden: &Golden,
    prefix: &str,
    outputs: &str,
    weights: [(&'static str, Tensor); 2],
    read: &Tensor,
    made: &Tensor,
) {
    let (steps, batch, length, width) = made.dims4().unwrap();
    let count = batch * length;
    let last = made.narrow(0, steps - 1, 1).unwrap();
    let mut trajectory = Trajectory::new(&Tensor::cat(&[read, &last], 0).unwrap(), weights);
    trajectory.targets = Some(vec![0; count]);
    let made = made.reshape((steps, count, width)).unwrap();
    let at_last = |name: &str| golden.tensor(&format!("{prefix}.{name}")).get(steps - 1).unwrap();
    let updates: Vec<f64> = at_last("n_updates").flatten_all().unwrap().to_vec1().unwrap();
    let remainders: Vec<f64> = at_last("remainders").flatten_all().unwrap().to_vec1().unwrap();
    for output in ["basic", "accumulated"] {
        let found = trajectory.replay(policy("ut-act"), &given(golden, output, false, "act_epsilon"), None);
        let expected = golden.tensor(&outputs.replace("OUTPUT", output)).get(steps - 1).unwrap();
        let expected = expected.reshape((count, width)).unwrap();
        for (token, found) in found.iter().enumerate() {
            assert_eq!(f64::from(found.depth), updates[token], "{}", golden.name);
            golden.close("output", &blended(found, &made.get_on_dim(1, token).unwrap()), &expected.get(token).unwrap());
            golden.near("ponder", &[found.objective.unwrap()], &[updates[token] + remainders[token]]);
        }
    }
}

#[test]
fn outputs_and_counters_are_those_of_scenic() {
    for golden in Golden::all("ut_act_scenic") {
        let made = golden.tensor("expected.per_token.states");
        let first = golden.tensor("input.x").unsqueeze(0).unwrap();
        let read = Tensor::cat(&[&first, &made.narrow(0, 0, made.dim(0).unwrap() - 1).unwrap()], 0).unwrap();
        let weights = [
            ("halting.weight", golden.tensor("weight.halt_kernel").t().unwrap()),
            ("halting.bias", golden.tensor("weight.halt_bias")),
        ];
        check(&golden, "expected.per_token", "expected.per_token.OUTPUT.out", weights, &read, &made);
    }
}

/// Probabilities are computed from states with the signals of position and step.
#[test]
fn outputs_and_counters_are_those_of_tensor2tensor() {
    for golden in Golden::all("ut_act_t2t") {
        let made = golden.tensor("expected.basic.states");
        let (steps, _, length, width) = made.dims4().unwrap();
        let first = golden.tensor("input.x").unsqueeze(0).unwrap();
        let before = Tensor::cat(&[&first, &made.narrow(0, 0, steps - 1).unwrap()], 0).unwrap();
        let position = golden.tensor("expected.signal_position").reshape((1, 1, length, width)).unwrap();
        let step =
            golden.tensor("expected.signal_step").narrow(0, 0, steps).unwrap().reshape((steps, 1, 1, width)).unwrap();
        let read = before.broadcast_add(&position).unwrap().broadcast_add(&step).unwrap();
        let weights = [
            ("halting.weight", golden.tensor("weight.halt_kernel").t().unwrap()),
            ("halting.bias", golden.tensor("weight.halt_bias")),
        ];
        check(&golden, "expected.basic", "expected.OUTPUT.out", weights, &read, &made);
    }
}

/// The stub block of the equations: y'(i) = tanh(a y(i) + c mean of y(1..=i) + b), matrices times columns.
fn block(golden: &Golden, y: &Tensor) -> Tensor {
    let (_, length, _) = y.dims3().unwrap();
    let share = (0..length * length).map(|place| {
        let (row, column) = (place / length, place % length);
        if column <= row { 1.0 / (row + 1) as f64 } else { 0.0 }
    });
    let share = Tensor::from_vec(share.collect(), (length, length), &Device::Cpu).unwrap();
    let means = share.broadcast_matmul(y).unwrap();
    let times = |x: &Tensor, name: &str| x.broadcast_matmul(&golden.tensor(name).t().unwrap()).unwrap();
    let sum = (times(y, "weight.stub.a") + times(&means, "weight.stub.c")).unwrap();
    sum.broadcast_add(&golden.tensor("weight.stub.b")).unwrap().tanh().unwrap()
}

#[test]
fn weights_outputs_and_losses_are_those_of_the_equations() {
    for golden in Golden::all("ut_act").iter().filter(|golden| golden.has("weight.step_signal")) {
        let steps = golden.size("max_steps");
        let tokens = valid(&golden.tensor("input.valid"));
        let weights = [
            ("halting.weight", golden.tensor("weight.halt.w").unsqueeze(0).unwrap()),
            ("halting.bias", golden.tensor("weight.halt.b")),
        ];
        for (forces, force) in [(true, "force"), (false, "noforce")] {
            for moves in ["frozen", "runon"] {
                let case = format!("{force}.{moves}");
                let depths = golden.integers(&format!("derived.counters.{case}.depth"));
                let mut state = golden.tensor("input.x");
                let (batch, length, width) = state.dims3().unwrap();
                let (mut read, mut made) = (Vec::new(), Vec::new());
                for step in 1..=steps {
                    let signal = golden.tensor("weight.step_signal").get(step - 1).unwrap();
                    let y = state.broadcast_add(&signal).unwrap();
                    let new = block(golden, &y);
                    let runs: Vec<u8> =
                        depths.iter().map(|depth| u8::from(moves == "runon" || *depth as usize >= step)).collect();
                    let runs = Tensor::from_vec(runs, (batch, length, 1), &Device::Cpu).unwrap();
                    state = runs.broadcast_as(new.shape()).unwrap().where_cond(&new, &state).unwrap();
                    read.push(y);
                    made.push(new);
                }
                read.push(made[steps - 1].clone());
                let mut trajectory = Trajectory::new(&Tensor::stack(&read, 0).unwrap(), weights.clone());
                let count = batch * length;
                trajectory.targets =
                    Some((0..count).map(|token| if tokens.contains(&token) { 0 } else { -1 }).collect());
                let made = Tensor::stack(&made, 0).unwrap().reshape((steps, count, width)).unwrap();
                let direct = by_token(&golden.tensor(&format!("expected.counters.{case}.weight")));
                for output in ["accumulated", "basic"] {
                    let found = trajectory.replay(policy("ut-act"), &given(golden, output, forces, "epsilon"), None);
                    let expected = golden.tensor(&format!("expected.{output}.{case}.output"));
                    let expected = expected.reshape((count, width)).unwrap();
                    let mut cost = 0.0;
                    for token in &tokens {
                        let (found, own) = (&found[*token], made.get_on_dim(1, *token).unwrap());
                        assert_eq!(found.depth, depths[*token], "{} {case}", golden.name);
                        golden.close(&case, &blended(found, &own), &expected.get(*token).unwrap());
                        if output == "accumulated" {
                            golden.near(&case, &found.weights.as_ref().unwrap()[1..], &direct[*token]);
                        }
                        cost += found.objective.unwrap() / tokens.len() as f64;
                    }
                    let loss = golden.number("loss_weight") * cost;
                    golden.near(&case, &[loss], &golden.numbers(&format!("expected.loss.{case}")));
                }
            }
        }
    }
}
