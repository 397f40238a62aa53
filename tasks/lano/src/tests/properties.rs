//! Properties that hold for every instance.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::task::{FeatureKind, HELD_OUT_SHARE, Instance, Task};

use super::{configured, instance, language, lano};
use crate::grammar::Terminal;

fn tasks() -> Vec<Box<dyn Task>> {
    let mut tasks: Vec<_> = ["cfg3b", "cfg3f", "toy", "sampled"].map(lano).into_iter().collect();
    for (depth, seed) in [(3, 1), (5, 2), (1, 3)] {
        let given = [
            ("grammar", Value::Text("sampled".into())),
            ("grammar_seed", Value::Integer(seed)),
            ("depth", Value::Integer(depth)),
        ];
        tasks.push(configured(&given).unwrap());
    }
    tasks
}

/// The column called `name`, a complexity or a feature.
fn column(task: &dyn Task, instance: &Instance, name: &str) -> Vec<f32> {
    let spec = task.spec();
    match spec.complexities.iter().position(|column| column.name == name) {
        Some(place) => instance.complexities.column(place).collect(),
        None => {
            instance.features.column(spec.features.iter().position(|column| column.name == name).unwrap()).collect()
        }
    }
}

#[test]
fn generator_solver_and_checker_agree() {
    for task in tasks() {
        for seed in 0..20 {
            let instance = instance(&*task, seed);
            instance.validate("lano", task.spec()).unwrap();
            let verdict = task.check(&instance.question, &instance.answer).unwrap();
            assert!(verdict.valid, "{} {}: {}", instance.question, instance.answer, verdict.reason);
            assert_eq!(task.answer(&instance.question).unwrap(), instance.answer);
            assert_eq!(instance.loss_mask.iter().position(|loss| *loss), Some(1));
            assert!(instance.loss_mask[1..].iter().all(|loss| *loss));
        }
    }
}

#[test]
fn columns_are_those_of_the_library() {
    let (task, language) = (lano("cfg3b"), language("cfg3b"));
    let instance = instance(&*task, 7);
    let column = |name: &str| column(&*task, &instance, name);
    let string: Vec<Terminal> =
        instance.tokens[1..instance.tokens.len() - 1].iter().map(|token| *token as u8 - 2).collect();
    let (end, work) = (string.len() + 1, language.work(&string));
    let same = |found: f32, expected: f64| assert_eq!(found, expected as f32);
    for (index, cost) in work.iter().enumerate() {
        let token = index + 1;
        same(column("expansion")[token], cost.expansion as f64);
        same(column("additions")[token], cost.additions as f64);
        same(column("multiplications")[token], cost.multiplications as f64);
        for name in ["expansion", "additions", "multiplications"] {
            same(column(&format!("{name}_before"))[token + 1], column(name)[token].into());
        }
        same(column("live")[token + 1], cost.live as f64);
        if index > 0 {
            same(column("convergence")[token], work[index - 1].live as f64 - cost.live as f64);
            same(column("convergence_before")[token + 1], column("convergence")[token].into());
            same(column("boundary")[token], column("closes")[token - 1].into());
            same(column("previous")[token], string[index - 1].into());
            assert_eq!(column("boundary")[token], column("opens")[token]);
        }
        let exact = language.next_token(&string[..index]).unwrap();
        let entropy: f64 = exact.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum();
        assert!((f64::from(column("entropy")[token]) - entropy).abs() < 1e-6);
        let surprisal = -exact[usize::from(string[index])].ln();
        assert!((f64::from(column("surprisal")[token]) - surprisal).abs() < 1e-6);
        let lookbacks: Vec<f32> = (1..6).map(|level| column(&format!("lookback_{level}"))[token]).collect();
        assert!(lookbacks.is_sorted_by(|upper, lower| upper >= lower), "{lookbacks:?}");
        let run = (0..index).rev().take_while(|place| string[*place] == string[index.max(1) - 1]).count();
        same(column("run")[token], run as f64);
    }
    let sum: f64 = column("surprisal")[1..].iter().map(|surprisal| f64::from(*surprisal)).sum();
    assert!((sum + language.ln_probability(&string)).abs() < 1e-3);
    for name in ["expansion", "convergence", "closes", "opens", "lookback", "lookback_1"] {
        assert!(column(name)[end].is_nan() && column(name)[0].is_nan(), "{name}");
    }
    for name in ["convergence", "convergence_before", "previous", "lookback"] {
        assert!(column(name)[1].is_nan(), "{name}");
    }
    assert_eq!(column("boundary")[end], 6.0);
    assert!(column("entropy")[end] >= 0.0);
}

#[test]
fn static_features_need_no_grammar() {
    for feature in &lano("cfg3b").spec().features {
        let named = ["position", "previous", "second_previous", "run"].contains(&feature.name);
        assert_eq!(named, feature.kind == FeatureKind::Static, "{}", feature.name);
    }
}

#[test]
fn a_key_names_one_instance() {
    let task = lano("cfg3b");
    assert_eq!(instance(&*task, 5).canonical(), instance(&*task, 5).canonical());
    assert_ne!(instance(&*task, 5).canonical(), instance(&*task, 6).canonical());
}

#[test]
fn about_one_in_eight_instances_is_held_out() {
    for (name, count) in [("sampled", 4000), ("cfg3b", 1000)] {
        let task = lano(name);
        let held_out = (0..count).filter(|seed| instance(&*task, *seed).is_held_out()).count() as f64;
        let share = 1.0 / HELD_OUT_SHARE as f64;
        // The variance from the starts that happen to be held out, plus the variance from the drawn strings.
        let variance = share * (1.0 - share) * (1.0 / 200.0 + 1.0 / count as f64);
        assert!((held_out / count as f64 - share).abs() < 4.0 * variance.sqrt(), "{name}: {held_out}");
    }
}
