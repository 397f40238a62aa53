//! Oracles that know every outcome, against depths from slow loops over recorded predictions.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::golden::Golden;
use crate::replays::{Trajectory, policy, valid};

/// Depths of the tokens that are not padding, from recorded logits `[N, B, S, V]`.
fn depths(golden: &Golden, logits: &Tensor, name: &str, given: &[(&str, Value)]) -> Vec<u32> {
    let (steps, batch, length, vocabulary) = logits.dims4().unwrap();
    let mut trajectory =
        Trajectory::new(&Tensor::zeros((steps + 1, batch, length, 1), DType::F64, &Device::Cpu).unwrap(), []);
    trajectory.logits = Some(logits.reshape((steps, batch * length, vocabulary)).unwrap());
    trajectory.targets = Some(golden.integers("input.targets").into_iter().map(i64::from).collect());
    let found = trajectory.replay(policy(name), given, None);
    valid(&golden.tensor("input.valid")).into_iter().map(|token| found[token].depth).collect()
}

/// The expected depths of the tokens that are not padding; `never` where there is none.
fn expected(golden: &Golden, name: &str, never: u32) -> Vec<u32> {
    let depths = golden.integers(name);
    let depth = |token: usize| if depths[token] == 0 { never } else { depths[token] };
    valid(&golden.tensor("input.valid")).into_iter().map(depth).collect()
}

#[test]
fn first_correct_first_consistent_and_needed_depths_are_those_of_the_loops() {
    for golden in Golden::all("needed_depth") {
        let vocabulary = golden.size("V");
        let predictions = golden.tensor("input.predictions");
        let mut shape = predictions.dims().to_vec();
        shape.push(vocabulary);
        let tokens: Vec<f64> = predictions.flatten_all().unwrap().to_vec1().unwrap();
        let logits = |token: f64| (0..vocabulary).map(move |other| f64::from(u8::from(other as f64 == token)));
        let logits = Tensor::from_vec(tokens.into_iter().flat_map(logits).collect(), shape, &Device::Cpu).unwrap();
        let most = golden.size("R") as u32;
        let stays = [("stays", Value::Flag(true))];
        for (name, given, tensor) in [
            ("first-correct", &[][..], "first_correct"),
            ("first-correct", &stays, "needed"),
            ("first-consistent", &[], "first_consistent"),
            ("first-consistent", &stays, "stable_consistent"),
        ] {
            let expected = expected(&golden, &format!("expected.{tensor}"), most);
            assert_eq!(depths(&golden, &logits, name, given), expected, "{}: {tensor}", golden.name);
        }
    }
}

#[test]
fn the_least_loss_with_a_price_is_the_likelihood_oracle() {
    for golden in Golden::all("elbayad") {
        let states = golden.tensor("input.states");
        let exits = states.narrow(0, 1, states.dim(0).unwrap() - 1).unwrap();
        let logits = exits.broadcast_matmul(&golden.tensor("weight.out").t().unwrap()).unwrap();
        for (place, lambda) in golden.config()["lambda_likelihood"].as_array().unwrap().iter().enumerate() {
            let given = [("lambda", Value::Real(lambda.as_f64().unwrap()))];
            let expected = expected(&golden, &format!("expected.oracle.LL.{place}"), 0);
            assert_eq!(depths(&golden, &logits, "loss-optimal", &given), expected, "{}", golden.name);
        }
    }
}
