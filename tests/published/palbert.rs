//! PALBERT's exit at a quantile against the equations of PonderNet's distribution.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::golden::Golden;
use crate::replays::{Trajectory, by_token, policy, valid, with_losses};

/// A gate without layers that reads its logit from a state of width 1 and ignores the state before.
fn gate() -> [(&'static str, Tensor); 2] {
    let tensor = |values: &[f64]| Tensor::new(values, &Device::Cpu).unwrap();
    [("gate.weight", tensor(&[1.0, 0.0]).unsqueeze(0).unwrap()), ("gate.bias", tensor(&[0.0]))]
}

const LAYERS: (&str, Value) = ("layers", Value::Integer(0));

#[test]
fn exits_and_objective_are_those_of_the_equations() {
    for golden in Golden::all("pondernet_quantile") {
        let logits = golden.tensor("input.logits").permute((2, 0, 1)).unwrap();
        let tokens = valid(&golden.tensor("input.valid"));
        let losses = golden.tensor("input.losses");
        let trajectory = with_losses(&logits, gate(), &losses, &tokens);
        for (place, share) in golden.config()["quantiles"].as_array().unwrap().iter().enumerate() {
            let given = [LAYERS, ("threshold", Value::Real(share.as_f64().unwrap()))];
            let found = trajectory.replay(policy("palbert"), &given, None);
            let expected = golden.integers(&format!("expected.q_exit.{place}"));
            tokens.iter().for_each(|token| assert_eq!(found[*token].depth, expected[*token], "{place}"));
        }
        let p = by_token(&golden.tensor("expected.p").permute((2, 0, 1)).unwrap());
        let losses = by_token(&losses);
        for (place, prior) in golden.config()["lambda_p"].as_array().unwrap().iter().enumerate() {
            let beta = golden.number("beta");
            let prior = ("lambda_p", Value::Real(prior.as_f64().unwrap()));
            let found = trajectory.replay(policy("palbert"), &[LAYERS, ("beta", Value::Real(beta)), prior], None);
            let kl = golden.numbers(&format!("expected.kl_per_token.{place}"));
            for token in &tokens {
                golden.near("p", found[*token].distribution.as_ref().unwrap(), &p[*token]);
                let expected: f64 = p[*token].iter().zip(&losses[*token]).map(|(p, loss)| p * loss).sum();
                golden.near("objective", &[found[*token].objective.unwrap()], &[expected + beta * kl[*token]]);
            }
        }
    }
}

/// Halting probabilities of 1/2: the sums of p are 1/2 and 3/4.
#[test]
fn a_sum_that_equals_the_threshold_does_not_exceed_it() {
    let states = Tensor::zeros((5, 1, 1, 1), DType::F64, &Device::Cpu).unwrap();
    let trajectory = Trajectory::new(&states, gate());
    for (threshold, depth) in [(0.49, 1), (0.5, 2), (0.74, 2), (0.75, 3), (1.0, 4)] {
        let given = [LAYERS, ("threshold", Value::Real(threshold))];
        assert_eq!(trajectory.replay(policy("palbert"), &given, None)[0].depth, depth, "{threshold}");
    }
}

/// One layer over both states: f(h(d), h(d-1)) = tanh of their weighted sums, worked out in a loop.
#[test]
fn the_gate_reads_this_state_and_the_one_before() {
    let states = [0.7, -0.4, 1.3, 0.2];
    let (weight, bias) = ([[0.5, -1.0], [0.25, 2.0]], [0.1, -0.3]);
    let (gate_weight, gate_bias) = ([1.5, -0.75], 0.2);
    let tensor = |values: &[f64]| Tensor::new(values, &Device::Cpu).unwrap();
    let weights = [
        ("layers.0.weight", tensor(&weight.concat()).reshape((2, 2)).unwrap()),
        ("layers.0.bias", tensor(&bias)),
        ("gate.weight", tensor(&gate_weight).unsqueeze(0).unwrap()),
        ("gate.bias", tensor(&[gate_bias])),
    ];
    let trajectory = Trajectory::new(&tensor(&states).reshape((4, 1, 1, 1)).unwrap(), weights);
    let found = trajectory.replay(policy("palbert"), &[("layers", Value::Integer(1))], None);
    let (mut rest, mut expected, mut before) = (1.0, Vec::new(), 0.0);
    for state in &states[1..3] {
        let mut logit = gate_bias;
        for unit in 0..2 {
            let sum: f64 = bias[unit] + weight[unit][0] * state + weight[unit][1] * before;
            logit += gate_weight[unit] * sum.tanh();
        }
        let lambda = 1.0 / (1.0 + (-logit).exp());
        expected.push(rest * lambda);
        rest *= 1.0 - lambda;
        before = *state;
    }
    expected.push(rest);
    let distribution = found[0].distribution.as_ref().unwrap();
    assert!(distribution.iter().zip(&expected).all(|(found, expected)| (found - expected).abs() < 1e-12));
}
