//! PonderNet against labml's forward pass and against its equations.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::golden::Golden;
use crate::replays::{Trajectory, after_nothing, by_token, gate_of_width_one, policy, text, valid, with_losses};

fn quantile(quantile: f64) -> [(&'static str, Value); 2] {
    [("exit", text("quantile")), ("threshold", Value::Real(quantile))]
}

#[test]
fn distributions_and_divergences_are_those_of_the_published_forward_pass() {
    for golden in Golden::all("pondernet").iter().filter(|golden| golden.has("weight.lambda_layer.weight")) {
        let states = golden.tensor("expected.states").unsqueeze(2).unwrap();
        let weights = [
            ("lambda.weight", golden.tensor("weight.lambda_layer.weight")),
            ("lambda.bias", golden.tensor("weight.lambda_layer.bias")),
        ];
        let mut trajectory = Trajectory::new(&after_nothing(&states), weights);
        let p = by_token(&golden.tensor("expected.p"));
        let [exit, whole] = quantile(1.0);
        let given = [exit, whole, ("lambda_p", Value::Real(golden.number("lambda_p")))];
        // The distribution is that of the whole trajectory, wherever the token halts.
        let [_, early] = quantile(0.1);
        for exits in [&given[..], &[given[0].clone(), early], &[("exit", text("bernoulli"))]] {
            let found = trajectory.replay(policy("pondernet"), exits, None);
            assert_eq!(found.len(), p.len());
            for (found, p) in found.iter().zip(&p) {
                golden.near("p", found.distribution.as_ref().unwrap(), p);
            }
            let steps: Vec<f64> = found.iter().map(|token| token.expected_depth.unwrap()).collect();
            golden.near("expected steps", &steps, &golden.numbers("derived.expected_steps"));
        }
        // A vocabulary of one token has no loss, so only the divergence remains.
        let (count, depth) = (p.len(), p[0].len());
        trajectory.logits = Some(Tensor::zeros((depth, count, 1), DType::F64, &Device::Cpu).unwrap());
        trajectory.targets = Some(vec![0; count]);
        let beta = [given[0].clone(), given[1].clone(), given[2].clone(), ("beta", Value::Real(1.0))];
        let shares: Vec<f64> =
            trajectory.replay(policy("pondernet"), &beta, None).iter().map(|token| token.objective.unwrap()).collect();
        golden.near("divergence", &shares, &golden.numbers("derived.kl_p_prior"));
    }
}

/// Exits, expected loss and divergence for given logits and losses.
#[test]
fn exits_and_objective_are_those_of_the_equations() {
    for golden in Golden::all("pondernet").iter().filter(|golden| golden.has("input.logits")) {
        let logits = golden.tensor("input.logits").permute((2, 0, 1)).unwrap();
        let tokens = valid(&golden.tensor("input.valid"));
        let losses = golden.tensor("input.losses");
        let trajectory = with_losses(&logits, gate_of_width_one("lambda"), &losses, &tokens);
        for (place, share) in golden.config()["quantiles"].as_array().unwrap().iter().enumerate() {
            let found = trajectory.replay(policy("pondernet"), &quantile(share.as_f64().unwrap()), None);
            let expected = golden.integers(&format!("expected.q_exit.{place}"));
            tokens.iter().for_each(|token| assert_eq!(found[*token].depth, expected[*token], "{}", golden.name));
        }
        let found = trajectory.replay(policy("pondernet"), &[("exit", text("argmax"))], None);
        let expected = golden.integers("expected.argmax_exit");
        tokens.iter().for_each(|token| assert_eq!(found[*token].depth, expected[*token], "{}", golden.name));
        // The draws are the policy's own, so certain halting probabilities take the place of the given uniform numbers.
        let lambda = golden.tensor("expected.lambda").permute((2, 0, 1)).unwrap();
        let uniforms = golden.tensor("input.uniforms").permute((2, 0, 1)).unwrap();
        let certain =
            ((uniforms.lt(&lambda).unwrap().to_dtype(DType::F64).unwrap() * 1600.0).unwrap() - 800.0).unwrap();
        let drawn = with_losses(&certain, gate_of_width_one("lambda"), &losses, &tokens);
        let found = drawn.replay(policy("pondernet"), &[("exit", text("bernoulli"))], None);
        let expected = golden.integers("expected.bernoulli_exit");
        tokens.iter().for_each(|token| assert_eq!(found[*token].depth, expected[*token], "{}", golden.name));
        let p = by_token(&golden.tensor("expected.p").permute((2, 0, 1)).unwrap());
        let losses = by_token(&losses);
        for (place, prior) in golden.config()["lambda_p"].as_array().unwrap().iter().enumerate() {
            let beta = golden.number("beta");
            let [exit, whole] = quantile(1.0);
            let prior = ("lambda_p", Value::Real(prior.as_f64().unwrap()));
            let found =
                trajectory.replay(policy("pondernet"), &[exit, whole, ("beta", Value::Real(beta)), prior], None);
            let kl = golden.numbers(&format!("expected.kl_per_token.{place}"));
            let share = |token: &usize| {
                let expected: f64 = p[*token].iter().zip(&losses[*token]).map(|(p, loss)| p * loss).sum();
                expected + beta * kl[*token]
            };
            let objective: Vec<f64> = tokens.iter().map(|token| found[*token].objective.unwrap()).collect();
            golden.near("objective", &objective, &tokens.iter().map(share).collect::<Vec<f64>>());
            let total = objective.iter().sum::<f64>() / tokens.len() as f64;
            golden.near("total", &[total], &golden.numbers(&format!("derived.loss.total.{place}")));
        }
    }
}
