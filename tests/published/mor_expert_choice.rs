//! Mixture-of-Recursions' expert-choice router against the published code.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::golden::Golden;
use crate::replays::{Trajectory, policy};

#[test]
fn choices_logits_and_losses_are_those_of_the_published_router() {
    for golden in Golden::all("mor_expert_choice") {
        let first = golden.tensor("input.x");
        let (batch, length, _) = first.dims3().unwrap();
        let depth = (1..).take_while(|recursion| golden.has(&format!("expected.r{recursion}.x"))).count();
        let mut states = vec![first];
        states.extend((1..=depth).map(|recursion| golden.tensor(&format!("expected.r{recursion}.x"))));
        let names = ["router.0.weight", "router.1.weight", "router.2.weight", "router.3.weight", "router.4.weight"];
        let weight = |step: usize| golden.tensor(&format!("weight.{step}.mor_router.router.weight"));
        let weights: Vec<(&'static str, Tensor)> = (0..depth).map(|step| (names[step], weight(step))).collect();
        let mut trajectory = Trajectory::new(&Tensor::stack(&states, 0).unwrap(), weights);
        trajectory.targets = Some(vec![0; batch * length]);
        let found = trajectory.replay(policy("mor-expert-choice"), &[], None);
        let mut candidates: Vec<Vec<usize>> = vec![(0..length).collect(); batch];
        for recursion in 1..=depth {
            let logits: Vec<Vec<f64>> = golden.tensor(&format!("expected.r{recursion}.logits")).to_vec2().unwrap();
            let selected: Vec<Vec<f64>> = golden.tensor(&format!("expected.r{recursion}.selected")).to_vec2().unwrap();
            for (sequence, candidates) in candidates.iter_mut().enumerate() {
                let token = |position: usize| &found[sequence * length + position];
                let scores: Vec<f64> =
                    candidates.iter().map(|position| token(*position).scores[recursion - 1].unwrap()).collect();
                golden.near("logits", &scores, &logits[sequence]);
                let others = (0..length).filter(|position| !candidates.contains(position));
                assert!(others.map(|position| token(position).scores[recursion - 1]).all(|score| score.is_none()));
                let wanted: Vec<usize> = selected[sequence].iter().map(|position| *position as usize).collect();
                let goes_on: Vec<usize> = candidates
                    .iter()
                    .copied()
                    .filter(|position| token(*position).depth as usize >= recursion)
                    .collect();
                assert_eq!(goes_on, wanted, "{}: recursion {recursion}", golden.name);
                *candidates = wanted;
            }
        }
        for (name, parameter, other) in
            [("expected.sampling_loss", "auxiliary", "z_loss"), ("expected.z_loss", "z_loss", "auxiliary")]
        {
            let given = [(parameter, Value::Real(1.0)), (other, Value::Real(0.0))];
            let found = trajectory.replay(policy("mor-expert-choice"), &given, None);
            let mean = found.iter().map(|token| token.objective.unwrap()).sum::<f64>() / found.len() as f64;
            golden.near(name, &[mean], &[golden.numbers(name).iter().sum()]);
        }
    }
}
