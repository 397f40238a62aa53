//! Paired instances: one prompt, one node at one position, two prefixes.

use std::collections::BTreeSet;

use haltbench_sdk::parameters::Value;
use haltbench_sdk::task::{FeatureKind, Instance, Task};

use super::{column, configured, draw, text};

fn members(given: &[(&str, Value)]) -> [Box<dyn Task>; 2] {
    ["first", "second"].map(|member| {
        let pair = [("order", text("any")), ("pair", text(member))];
        configured(&[&pair[..], given].concat()).unwrap()
    })
}

#[test]
fn pairs_differ_in_their_state_alone() {
    let spelled = [("shortest_name", Value::Integer(2)), ("longest_name", Value::Integer(4))];
    for [first, second] in [members(&[]), members(&spelled)] {
        let mut changed = BTreeSet::new();
        for size in [5, 6, 8, 12, 20, 30] {
            for seed in 0..50 {
                let pair = [draw(&*first, size, seed), draw(&*second, size, seed)];
                changed.extend(compare(&*first, &pair));
            }
        }
        let state = ["c_front", "c_new", "frontier", "lag", "newly_enabled"].map(str::to_owned);
        assert_eq!(changed, BTreeSet::from(state));
    }
}

/// The columns that differ at the node that the pair shares.
fn compare(task: &dyn Task, [one, other]: &[Instance; 2]) -> BTreeSet<String> {
    assert_eq!((&one.question, one.canonical()), (&other.question, other.canonical()));
    let marks = [one, other].map(|instance| {
        let marks = column(task, instance, "paired");
        assert_eq!(super::values(&marks).iter().sum::<f64>(), 1.0);
        assert!(task.check(&instance.question, &instance.answer).unwrap().valid);
        marks.iter().position(|mark| *mark == 1.0).unwrap()
    });
    let position = [one, other]
        .map(|instance| super::values(&column(task, instance, "paired")).iter().position(|mark| *mark == 1.0).unwrap());
    assert_eq!(position[0], position[1]);
    let nodes = [one, other].map(|instance| instance.answer.split(' ').collect::<Vec<_>>());
    assert_eq!(nodes[0][position[0]], nodes[1][position[0]]);
    let prefixes = [0, 1].map(|member| nodes[member][..position[0]].iter().collect::<Vec<_>>());
    assert_ne!(prefixes[0], prefixes[1]);
    let spec = task.spec();
    let mut changed = BTreeSet::new();
    let complexities = spec.complexities.iter().map(|column| (column.name, FeatureKind::State));
    let features = spec.features.iter().map(|column| (column.name, column.kind));
    for (name, kind) in complexities.chain(features) {
        let at = |instance: &Instance, mark: usize| column(task, instance, name)[mark];
        let [left, right] = [at(one, marks[0]), at(other, marks[1])];
        if left != right && !(left.is_nan() && right.is_nan()) {
            assert_eq!(kind, FeatureKind::State, "{name}");
            changed.insert(name.to_owned());
        }
    }
    assert!(!changed.is_empty(), "{}", one.question);
    changed
}

#[test]
fn graphs_too_small_for_pairs_are_told() {
    let [first, _] = members(&[]);
    for size in [3, 4] {
        let error = first.sample(size, &mut haltbench_sdk::random::Stream::new(0, "test", &[])).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("size of brevo: expected N whose graphs have pairs of answers, found {size}")
        );
    }
}
