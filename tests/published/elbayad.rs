//! The depth-adaptive Transformer's exits, oracles, losses and gradients against their equations.

use haltbench_engine::trace::ReplayedToken;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::golden::Golden;
use crate::linear_model::{LinearModel, unpadded};
use crate::replays::{policy, text};

const NAMES: [&str; 3] = ["multinomial", "geometric", "sequence"];

fn declaration(name: &str) -> &'static PolicyDeclaration {
    policy(match name {
        "multinomial" => "elbayad-multinomial",
        "geometric" => "elbayad-geometric",
        _ => "elbayad-sequence",
    })
}

fn model(golden: &Golden, name: &str) -> LinearModel {
    let weight = golden.tensor(&format!("weight.{name}.w"));
    let weight = if name == "geometric" { weight.unsqueeze(0).unwrap() } else { weight };
    let weights = [("exit.weight", weight), ("exit.bias", golden.tensor(&format!("weight.{name}.b")))];
    let states = unpadded(golden, &golden.tensor("input.states"));
    LinearModel::new(golden, &states, &golden.tensor("weight.out"), weights)
}

/// `[B, S]` or `[B]`, by token.
fn by_token(golden: &Golden, name: &str, numbers: &Tensor) -> Vec<u32> {
    let numbers = match name {
        "sequence" => numbers.unsqueeze(1).unwrap().broadcast_as(golden.tensor("input.valid").shape()).unwrap(),
        _ => numbers.clone(),
    };
    let tokens: Vec<f64> = unpadded(golden, &numbers.unsqueeze(0).unwrap().contiguous().unwrap())
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    tokens.into_iter().map(|number| number as u32).collect()
}

fn settings(golden: &Golden, name: &str, oracle: &str, lambda: f64, alpha: f64) -> Vec<(&'static str, Value)> {
    let mut given = vec![("lambda", Value::Real(lambda)), ("alpha", Value::Real(alpha))];
    given.push(("oracle", text(if oracle.starts_with("LL") { "likelihood" } else { "correctness" })));
    if name != "sequence" {
        let sigma = if oracle.ends_with("_smoothed") { golden.number("sigma") } else { 0.0 };
        given.push(("smoothing", Value::Real(sigma)));
    }
    given
}

#[test]
fn distributions_and_exits_are_those_of_the_equations() {
    for golden in Golden::all("elbayad") {
        for name in NAMES {
            let trajectory = model(&golden, name).trajectory();
            let q = golden.tensor(&format!("expected.{name}.q"));
            let q = match name {
                "sequence" => {
                    let (batch, depth) = q.dims2().unwrap();
                    let length = golden.size("S");
                    q.unsqueeze(1).unwrap().broadcast_as((batch, length, depth)).unwrap().contiguous().unwrap()
                }
                _ => q,
            };
            let q: Vec<Vec<f64>> = unpadded(&golden, &q.unsqueeze(0).unwrap()).get(0).unwrap().to_vec2().unwrap();
            let taus = golden.numbers("input.tau_geometric");
            let taus: Vec<String> = taus[..taus.len() - 1].iter().map(f64::to_string).collect();
            let rules: Vec<(Vec<(&str, Value)>, String)> = match name {
                "geometric" => vec![
                    (vec![("thresholds", text(&taus.join(",")))], "expected.geometric.exit.tau".to_owned()),
                    (vec![("threshold", Value::Real(0.5))], "expected.geometric.exit.half".to_owned()),
                ],
                _ => vec![(vec![], format!("expected.{name}.exit"))],
            };
            for (given, expected) in rules {
                let found = trajectory.replay(declaration(name), &given, None);
                let depths: Vec<u32> = found.iter().map(|token| token.depth).collect();
                assert_eq!(depths, by_token(&golden, name, &golden.tensor(&expected)), "{expected}");
                for (found, q) in found.iter().zip(&q) {
                    golden.near("q", found.distribution.as_ref().unwrap(), q);
                }
            }
        }
        let taus = golden.numbers("input.tau_confidence");
        let taus: Vec<String> = taus[..taus.len() - 1].iter().map(f64::to_string).collect();
        let model = model(&golden, "geometric");
        let found = LinearModel { weights: [].into(), ..model }.trajectory().replay(
            policy("elbayad-confidence"),
            &[("thresholds", text(&taus.join(",")))],
            None,
        );
        let depths: Vec<u32> = found.iter().map(|token| token.depth).collect();
        assert_eq!(depths, by_token(&golden, "confidence", &golden.tensor("expected.confidence.exit")));
        let most = unpadded(&golden, &golden.tensor("expected.max_prob")).squeeze(2).unwrap();
        let most: Vec<Vec<f64>> = most.t().unwrap().to_vec2().unwrap();
        for (token, most) in found.iter().zip(&most) {
            let scores: Vec<f64> = token.scores.iter().copied().flatten().collect();
            golden.near("largest probability", &scores, &most[..scores.len()]);
        }
        // Scores are the exit probabilities.
        let found = self::model(&golden, "geometric").trajectory().replay(
            declaration("geometric"),
            &[("threshold", Value::Real(1.0))],
            None,
        );
        let chi = unpadded(&golden, &golden.tensor("expected.geometric.chi")).squeeze(2).unwrap();
        let chi: Vec<Vec<f64>> = chi.t().unwrap().to_vec2().unwrap();
        for (token, chi) in found.iter().zip(&chi) {
            let scores: Vec<f64> = token.scores.iter().copied().flatten().collect();
            golden.near("chi", &scores, &chi[..chi.len() - 1]);
        }
    }
}

/// The objective's exit loss is -log q of the oracle's depth, which is therefore the expected one.
#[test]
fn oracles_are_those_of_the_equations() {
    for golden in Golden::all("elbayad") {
        let lambdas = |key: &str| -> Vec<f64> {
            golden.config()[key].as_array().unwrap().iter().map(|lambda| lambda.as_f64().unwrap()).collect()
        };
        for name in NAMES {
            let trajectory = model(&golden, name).trajectory();
            let suffixes: &[&str] = if name == "sequence" { &["_sequence"] } else { &["", "_smoothed"] };
            let mut cases = Vec::new();
            for suffix in suffixes {
                for (place, lambda) in lambdas("lambda_likelihood").into_iter().enumerate() {
                    cases.push((format!("LL{suffix}"), place.to_string(), lambda));
                }
                for (place, lambda) in lambdas("lambda_correctness").into_iter().enumerate() {
                    cases.push((format!("correct{suffix}"), place.to_string(), lambda));
                }
                if *suffix != "_smoothed" {
                    cases.push((format!("correct{suffix}"), "lambda0".to_owned(), 0.0));
                }
            }
            for (oracle, place, lambda) in cases {
                let shares = |alpha: f64| -> Vec<ReplayedToken> {
                    let given = settings(&golden, name, &oracle, lambda, alpha);
                    trajectory.replay(declaration(name), &given, None)
                };
                let (without, with) = (shares(0.0), shares(1.0));
                let expected = golden.tensor(&format!("expected.oracle.{oracle}.{place}"));
                let depths = by_token(&golden, name, &expected);
                let mut first = 0;
                for (token, depth) in depths.iter().enumerate() {
                    let q = with[token].distribution.as_ref().unwrap();
                    let mut expected = -q[*depth as usize - 1].ln();
                    if name == "sequence" {
                        // The loss of a sequence lies at its first token, scaled to a mean over all tokens.
                        let starts = token == first;
                        first += if starts { trajectory.lengths[with[token].sequence] } else { 0 };
                        let share = depths.len() as f64 / trajectory.lengths.len() as f64;
                        expected *= if starts { share } else { 0.0 };
                    }
                    let found = with[token].objective.unwrap() - without[token].objective.unwrap();
                    golden.near(&format!("{name} {oracle}.{place}"), &[found], &[expected]);
                }
            }
        }
    }
}

#[test]
fn losses_and_gradients_are_those_of_the_equations() {
    for golden in Golden::all("elbayad") {
        let alpha = golden.number("alpha");
        let lambda = golden.config()["lambda_likelihood"][0].as_f64().unwrap();
        let decoder = unpadded(&golden, &golden.tensor("expected.grad.decoder.states"));
        for name in NAMES {
            let model = model(&golden, name);
            let oracle = if name == "sequence" { "LL_sequence" } else { "LL_smoothed" };
            let given = settings(&golden, name, oracle, lambda, alpha);
            let recipe = Recipe { trains: Trains::All, ..Recipe::OBJECTIVE };
            let found = model.gradient(declaration(name), &given, recipe);
            golden.near(name, &[found.total], &golden.numbers(&format!("derived.loss.total.{name}")));
            golden.near("head", &found.of(&model.head), &golden.numbers("expected.grad.decoder.out"));
            let grad = |part: &str| (golden.tensor(&format!("expected.grad.{name}.{part}")) * alpha).unwrap();
            let flat = |tensor: &Tensor| -> Vec<f64> { tensor.flatten_all().unwrap().to_vec1().unwrap() };
            golden.near("w", &found.of(&model.weights["exit.weight"]), &flat(&grad("w")));
            golden.near("b", &found.of(&model.weights["exit.bias"]), &flat(&grad("b")));
            let states = (&decoder + unpadded(&golden, &grad("states"))).unwrap();
            for (step, var) in model.states.iter().enumerate() {
                golden.near(&format!("{name} h({step})"), &found.of(var), &flat(&states.get(step).unwrap()));
            }
            // Replay computes the same objective.
            let replayed = model.trajectory().replay(declaration(name), &given, None);
            let mean = replayed.iter().map(|token| token.objective.unwrap()).sum::<f64>() / replayed.len() as f64;
            golden.near("replayed", &[mean], &[found.total]);
            let first = model.gradient(declaration(name), &given, declaration(name).stages[0].recipe);
            golden.near("first stage", &[first.total], &golden.numbers("expected.loss.decoder"));
        }
    }
}
