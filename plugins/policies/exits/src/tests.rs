use haltbench_sdk::conformance::{check_policy, check_policy_with};
use haltbench_sdk::parameters::Value;
use haltbench_sdk::policy::Phase;
use haltbench_sdk::prelude::*;

use crate::softmax_difference::difference;
use crate::{latent_difference, softmax_difference};

#[test]
fn conform() {
    check_policy(&softmax_difference::DECLARATION);
    check_policy(&latent_difference::DECLARATION);
    for threshold in [0.0, 0.1, 0.5] {
        check_policy_with(&softmax_difference::DECLARATION, &[("threshold", Value::Real(threshold))]);
        check_policy_with(&latent_difference::DECLARATION, &[("threshold", Value::Real(threshold))]);
    }
}

/// Depth of every row and its score after every step, of a pass whose states and logits are given: `[step][row]`.
fn decided(
    declaration: &'static PolicyDeclaration,
    threshold: f64,
    states: &[Vec<Vec<f64>>],
    logits: &[Vec<Vec<f64>>],
) -> (Vec<usize>, Vec<Vec<f64>>) {
    let tensor = |rows: &Vec<Vec<f64>>| Tensor::new(rows.clone(), &Device::Cpu).unwrap();
    let given = [("threshold".to_owned(), Value::Real(threshold))].into_iter().collect();
    let parameters = Parameters::resolve(declaration.name, declaration.parameters, &given).unwrap();
    let (rows, most) = (states[0].len(), states.len() - 1);
    let context = PolicyContext {
        d_model: states[0][0].len(),
        d_ff: 1,
        vocabulary: logits.first().map_or(1, |logits| logits[0].len()),
        max_depth: most,
        parameters: &parameters,
        variables: VarBuilder::zeros(DType::F64, &Device::Cpu),
        source: None,
        seed: 0,
    };
    let policy = (declaration.build)(&context).unwrap();
    let layout = TokenLayout::new(&[rows], &[1]).unwrap();
    let all = RowSet::all(rows);
    let mut memory = RowMemory::default();
    let (mut depths, mut scores) = (vec![most; rows], Vec::new());
    for (step, states) in states.iter().enumerate() {
        let states = tensor(states);
        let read = || Ok(tensor(&logits[step - 1]));
        let view = View::new(step, most, &layout, &all, &states, &read, Phase::Evaluation, 1, None);
        let decision = policy.decide(&view, &mut memory).unwrap();
        if step == 0 {
            continue;
        }
        let Halting::Halt(halts) = decision.halting else { panic!("no halts") };
        scores.push(decision.scores.expect("scores"));
        for (depth, _) in depths.iter_mut().zip(halts).filter(|(depth, halts)| *halts && **depth == most) {
            *depth = step;
        }
    }
    (depths, scores)
}

fn numbers(value: &serde_json::Value) -> Vec<Vec<f64>> {
    serde_json::from_value(value.clone()).unwrap()
}

fn close(found: &[Vec<f64>], expected: &[Vec<f64>]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
        assert!((found - expected).abs() < 1e-10, "{found} {expected}");
    }
}

/// Numbers that running T5X's CALM gave.
#[test]
fn confidences_and_exits_are_those_of_calm() {
    let fixture: serde_json::Value = serde_json::from_str(include_str!("../fixtures/calm.json")).unwrap();
    let logits: Vec<Vec<Vec<f64>>> = serde_json::from_value(fixture["logits"].clone()).unwrap();
    let confidences = numbers(&fixture["confidences"]);
    let states = vec![vec![vec![0.0]; 7]; 6];
    for threshold in [0.0, 0.1, 0.2, 0.35, 0.5, 0.9, 0.93, 1.5] {
        let (depths, scores) = decided(&softmax_difference::DECLARATION, threshold, &states, &logits);
        close(&scores, &confidences);
        for (token, depth) in depths.into_iter().enumerate() {
            let exit = confidences.iter().position(|layer| layer[token] >= threshold);
            assert_eq!(depth, exit.map_or(5, |layer| layer + 1), "token {token} at {threshold}");
        }
    }
}

/// Numbers that running Huginn's exit gave.
#[test]
fn relative_steps_and_exits_are_those_of_huginn() {
    let fixture: serde_json::Value = serde_json::from_str(include_str!("../fixtures/huginn.json")).unwrap();
    let states: Vec<Vec<Vec<f64>>> = serde_json::from_value(fixture["states"].clone()).unwrap();
    let thresholds: Vec<f64> = serde_json::from_value(fixture["thresholds"].clone()).unwrap();
    let depths: Vec<Vec<usize>> = serde_json::from_value(fixture["depths"].clone()).unwrap();
    assert_eq!(thresholds.len(), 2);
    for (threshold, expected) in thresholds.into_iter().zip(depths) {
        let (depths, scores) = decided(&latent_difference::DECLARATION, threshold, &states, &[]);
        close(&scores, &numbers(&fixture["values"]));
        assert_eq!(depths, expected, "{threshold}");
    }
}

/// The authors' codes compare so: T5X exits at equality, Huginn does not. h(0) makes an exit at step 1 possible.
#[test]
fn equality_halts_a_confidence_and_not_a_relative_step() {
    let undecided = vec![vec![vec![1.0, 1.0]]; 3];
    let states = vec![vec![vec![3.0, 4.0]]; 4];
    assert_eq!(decided(&softmax_difference::DECLARATION, 0.0, &states, &undecided).0, [1]);
    assert_eq!(decided(&latent_difference::DECLARATION, 0.0, &states, &[]).0, [3]);
    assert_eq!(decided(&latent_difference::DECLARATION, 1e-9, &states, &[]).0, [1]);
}

#[test]
fn what_has_no_number_goes_on() {
    let (infinite, nan) = (f64::INFINITY, f64::NAN);
    for (logits, expected) in [
        (vec![5.0], 1.0),
        (vec![-infinite, 2.0], 1.0),
        (vec![1e300, -1e300], 1.0),
        (vec![nan, 2.0], nan),
        (vec![infinite, 2.0], nan),
        (vec![-infinite; 3], nan),
        (vec![], nan),
    ] {
        let found = difference(&logits);
        assert!(found == expected || found.is_nan() && expected.is_nan(), "{logits:?}: {found}");
    }
    let logits = vec![vec![vec![nan, 0.0]]; 2];
    let states = vec![vec![vec![0.0, 0.0]]; 3];
    assert_eq!(decided(&softmax_difference::DECLARATION, 0.0, &states, &logits).0, [2]);
    assert_eq!(decided(&latent_difference::DECLARATION, 10.0, &states, &[]).0, [2]);
    let moved = vec![vec![vec![1.0, 0.0]], vec![vec![nan, 0.0]], vec![vec![0.0, 0.0]]];
    assert_eq!(decided(&latent_difference::DECLARATION, 10.0, &moved, &[]).0, [2]);
}
