//! Graves' ACT against its equations and against Sonnet's pondering core.

use haltbench_engine::trace::ReplayedToken;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::golden::Golden;
use crate::replays::{Trajectory, after_nothing, by_token, gate_of_width_one, policy, valid};

/// Weights after each step, without the weight of h(0).
fn weights(token: &ReplayedToken) -> &[f64] {
    &token.weights.as_ref().unwrap()[1..]
}

#[test]
fn weights_depths_and_ponder_costs_are_those_of_the_equations() {
    for golden in Golden::all("graves_act") {
        let logits = golden.tensor("input.logits").unsqueeze(3).unwrap();
        let tokens = valid(&golden.tensor("input.valid"));
        let mut trajectory = Trajectory::new(&after_nothing(&logits), gate_of_width_one("halting"));
        let count: usize = trajectory.lengths.iter().sum();
        trajectory.targets = Some((0..count).map(|token| if tokens.contains(&token) { 0 } else { -1 }).collect());
        let tau = golden.number("tau");
        let given = [("epsilon", Value::Real(golden.number("epsilon"))), ("tau", Value::Real(tau))];
        for cap in golden.config()["caps"].as_array().unwrap().iter().map(|cap| cap.as_u64().unwrap() as usize) {
            let found = trajectory.replay(policy("act"), &given, Some(cap));
            let depths = golden.integers(&format!("expected.N.cap{cap}"));
            let expected = by_token(&golden.tensor(&format!("expected.weights.cap{cap}")));
            let ponder = golden.numbers(&format!("expected.ponder.cap{cap}"));
            let states = golden.tensor("input.states").narrow(0, 0, cap).unwrap();
            let mixed = golden.tensor(&format!("expected.state.cap{cap}"));
            let mixed: Vec<Vec<f64>> = mixed.reshape((count, ())).unwrap().to_vec2().unwrap();
            for token in &tokens {
                assert_eq!(found[*token].depth, depths[*token], "{}", golden.name);
                golden.near("weights", weights(&found[*token]), &expected[*token]);
                // Before the last step, weights are halting probabilities, and scores are their sums.
                let mut sum = 0.0;
                for (score, weight) in found[*token].scores.iter().zip(&expected[*token][..depths[*token] as usize - 1])
                {
                    sum += weight;
                    golden.near("score", &[score.unwrap()], &[sum]);
                }
                let asked = found[*token].scores.iter().take_while(|score| score.is_some()).count();
                assert_eq!(asked, (depths[*token] as usize).min(cap - 1), "{}", golden.name);
                golden.near("ponder", &[found[*token].objective.unwrap()], &[tau * ponder[*token]]);
                let states = states.reshape((cap, count, ())).unwrap().get_on_dim(1, *token).unwrap();
                let weights = Tensor::new(weights(&found[*token]), &Device::Cpu).unwrap().unsqueeze(0).unwrap();
                golden.close(
                    "state",
                    &weights.matmul(&states).unwrap(),
                    &Tensor::new(&mixed[*token][..], &Device::Cpu).unwrap(),
                );
            }
            let mean = tokens.iter().map(|token| found[*token].objective.unwrap()).sum::<f64>() / tokens.len() as f64;
            golden.near("loss", &[mean], &golden.numbers(&format!("expected.loss.ponder.cap{cap}")));
        }
    }
}

/// If a row halts at once, Sonnet's remainder is 0; the paper's is 1.
#[test]
fn weights_and_depths_are_those_of_the_published_core() {
    for golden in Golden::all("act_graves_sonnet") {
        for case in ["uncapped", "capped"] {
            let states = golden.tensor(&format!("expected.{case}.states")).unsqueeze(2).unwrap();
            let weight = golden.tensor("weight.halting_linear.w").t().unwrap();
            let bias = golden.tensor("weight.halting_linear.b");
            let mut trajectory =
                Trajectory::new(&after_nothing(&states), [("halting.weight", weight), ("halting.bias", bias)]);
            trajectory.targets = Some(vec![0; trajectory.lengths.len()]);
            let epsilon = ("epsilon", Value::Real(1.0 - golden.number("threshold")));
            let found = trajectory.replay(policy("act"), &[epsilon, ("tau", Value::Real(1.0))], None);
            let depths: Vec<u32> = found.iter().map(|token| token.depth).collect();
            assert_eq!(depths, golden.integers(&format!("expected.{case}.N")), "{}", golden.name);
            let p = by_token(&golden.tensor(&format!("expected.{case}.p")));
            found.iter().zip(&p).for_each(|(found, p)| golden.near("p", weights(found), p));
            let ponder: Vec<f64> = found.iter().map(|token| token.objective.unwrap()).collect();
            golden.near("ponder", &ponder, &golden.numbers(&format!("derived.{case}.ponder")));
        }
    }
}
