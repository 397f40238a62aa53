//! Gradients of objectives with respect to the logits that gates read.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::given::{Given, unpadded};
use crate::golden::Golden;
use crate::replays::{policy, text};

fn same(golden: &Golden, what: &str, found: &[Vec<f64>], expected: &[Vec<f64>]) {
    assert!(found.len() <= expected.len(), "{what}");
    found.iter().zip(expected).for_each(|(found, expected)| golden.near(what, found, expected));
}

/// The expected loss and beta times the divergence.
#[test]
fn of_pondernet() {
    for golden in Golden::all("pondernet").iter().filter(|golden| golden.has("input.logits")) {
        let by_step = |name: &str| golden.tensor(name).permute((2, 0, 1)).unwrap();
        let given = Given::new(golden, &by_step("input.logits"), Some(&golden.tensor("input.losses")));
        let reconstruction = by_step("expected.grad.reconstruction.logits");
        for (place, prior) in golden.config()["lambda_p"].as_array().unwrap().iter().enumerate() {
            let beta = golden.number("beta");
            let parameters = [("beta", Value::Real(beta)), ("lambda_p", Value::Real(prior.as_f64().unwrap()))];
            let found = given.gradient(policy("pondernet"), "lambda", &parameters, Recipe::EVERY_STEP);
            let divergence = (by_step(&format!("expected.grad.kl.{place}")) * beta).unwrap();
            same(golden, "gradient", &found.gates, &unpadded(golden, &(&reconstruction + divergence).unwrap()));
            golden.near("total", &[found.total], &golden.numbers(&format!("derived.loss.total.{place}")));
        }
    }
}

#[test]
fn of_both_stages_of_ouro() {
    for golden in Golden::all("ouro_stages") {
        let given = Given::new(&golden, &golden.tensor("input.gate_logits"), Some(&golden.tensor("input.losses")));
        let parameters = [
            ("norm", text("none")),
            ("beta", Value::Real(golden.number("beta"))),
            ("sharpness", Value::Real(golden.number("k"))),
            ("gain", Value::Real(golden.number("gamma"))),
        ];
        for (stage, recipe) in [("stage1", Recipe::EVERY_STEP), ("stage2", Recipe::OBJECTIVE)] {
            let found = given.gradient(policy("ouro"), "gate", &parameters, recipe);
            let expected = unpadded(&golden, &golden.tensor(&format!("expected.{stage}.grad.gate_logits")));
            // The second stage does not train the states, so the gradient reaches only the gate's weights.
            if stage == "stage1" {
                same(&golden, stage, &found.gates, &expected);
            }
            let gates = given.gates.iter().flat_map(|gates| gates.to_vec1::<f64>().unwrap());
            let weight: f64 = expected.concat().iter().zip(gates).map(|(gradient, gate)| gradient * gate).sum();
            let bias: f64 = expected.concat().iter().sum();
            golden.near(stage, &[found.weight, found.bias], &[weight, bias]);
            golden.near(stage, &[found.total], &golden.numbers(&format!("expected.{stage}.loss")));
        }
    }
}

/// The ponder cost: -1 for each halting unit before the last.
#[test]
fn of_graves_act() {
    for golden in Golden::all("graves_act") {
        let logits = golden.tensor("input.logits");
        for cap in golden.config()["caps"].as_array().unwrap().iter().map(|cap| cap.as_u64().unwrap() as usize) {
            let given = Given::new(&golden, &logits.narrow(0, 0, cap).unwrap(), None);
            let (epsilon, tau) = (golden.number("epsilon"), golden.number("tau"));
            let parameters = [("epsilon", Value::Real(epsilon)), ("tau", Value::Real(tau))];
            let found = given.gradient(policy("act"), "halting", &parameters, Recipe::SAMPLED);
            let expected = unpadded(&golden, &golden.tensor(&format!("expected.grad.ponder.cap{cap}")));
            same(&golden, "gradient", &found.gates, &expected);
            golden.near("loss", &[found.total], &golden.numbers(&format!("expected.loss.ponder.cap{cap}")));
        }
    }
}
