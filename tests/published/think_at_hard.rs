//! Think-at-Hard's labels, weighted cross-entropy, gradients and decisions against their equations.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::golden::Golden;
use crate::linear_model::{LinearModel, identity_read_out, unpadded};
use crate::replays::{policy, text};

/// A model whose decider has a weight of its own for each step and token, which is the logit there: gradients with respect to
/// the weights are gradients with respect to the logits.
fn model(golden: &Golden) -> LinearModel {
    let logits = unpadded(golden, &golden.tensor("input.logits")).squeeze(2).unwrap();
    let predictions: Vec<Vec<f64>> =
        unpadded(golden, &golden.tensor("input.predictions")).squeeze(2).unwrap().to_vec2().unwrap();
    let (steps, tokens) = logits.dims2().unwrap();
    let (vocabulary, places) = (golden.size("V"), steps * tokens);
    let width = places + vocabulary;
    let mut states = vec![0.0; (steps + 2) * tokens * width];
    for step in 1..=steps + 1 {
        for token in 0..tokens {
            let row = &mut states[(step * tokens + token) * width..][..width];
            if step <= steps {
                row[(step - 1) * tokens + token] = 1.0;
            }
            row[places + predictions[step - 1][token] as usize] = 1.0;
        }
    }
    let states = Tensor::from_vec(states, (steps + 2, tokens, width), &Device::Cpu).unwrap();
    let rest = Tensor::zeros((1, vocabulary), DType::F64, &Device::Cpu).unwrap();
    let weight = Tensor::cat(&[&logits.reshape((1, places)).unwrap(), &rest], 1).unwrap();
    let weights = [("decider.weight", weight), ("decider.bias", Tensor::zeros(1, DType::F64, &Device::Cpu).unwrap())];
    LinearModel::new(golden, &states, &identity_read_out(places, vocabulary), weights)
}

#[test]
fn losses_gradients_and_decisions_are_those_of_the_equations() {
    for golden in Golden::all("think_at_hard") {
        let model = model(&golden);
        let declaration = policy("oracle-supervised");
        let weight = ("positive_weight", Value::Real(golden.number("pos_weight")));
        for (labels, name) in [
            ("first-correct", "first_correct"),
            ("first-consistent", "first_consistent"),
            ("stable", "stable_consistent"),
            ("mismatch", "mismatch"),
        ] {
            for (counts, part) in [("all", "all"), ("until-needed", "until_needed")] {
                let expected = format!("expected.loss.{part}.{name}");
                if !golden.has(&expected) {
                    continue;
                }
                let given = [weight.clone(), ("labels", text(labels)), ("counts", text(counts))];
                let found = model.gradient(declaration, &given, Recipe::OBJECTIVE);
                golden.near(&expected, &[found.total], &golden.numbers(&expected));
                let gradient = unpadded(&golden, &golden.tensor(&format!("expected.grad.{part}.{name}")));
                let gradient: Vec<f64> = gradient.flatten_all().unwrap().to_vec1().unwrap();
                let weights = found.of(&model.weights["decider.weight"]);
                golden.near(&format!("gradient of {name}"), &weights[..gradient.len()], &gradient);
                golden.near("bias", &found.of(&model.weights["decider.bias"]), &[gradient.iter().sum()]);
                let replayed = model.trajectory().replay(declaration, &given, None);
                let mean = replayed.iter().map(|token| token.objective.unwrap()).sum::<f64>() / replayed.len() as f64;
                golden.near("replayed", &[mean], &golden.numbers(&expected));
            }
        }
        for (place, threshold) in golden.config()["thresholds"].as_array().unwrap().iter().enumerate() {
            let given = [("threshold", Value::Real(threshold.as_f64().unwrap()))];
            let found = model.trajectory().replay(declaration, &given, None);
            let expected = golden.tensor(&format!("expected.depth.{place}")).unsqueeze(0).unwrap();
            let expected: Vec<f64> = unpadded(&golden, &expected).flatten_all().unwrap().to_vec1().unwrap();
            let depths: Vec<f64> = found.iter().map(|token| f64::from(token.depth)).collect();
            assert_eq!(depths, expected, "threshold {threshold}");
        }
    }
}
