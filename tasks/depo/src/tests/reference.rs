//! Every column again, computed from the texts alone by walking hop by hop.

use std::collections::BTreeMap;

use haltbench_sdk::parameters::Value;
use haltbench_sdk::task::{Instance, Task};

use super::{configured, depo, draw, released, text};

/// Expected columns: name, token, value.
fn expected(instance: &Instance, size: usize) -> BTreeMap<(&'static str, usize), f64> {
    let mut parts = instance.question.split(" ? ");
    let edges: Vec<(&str, &str)> = parts.next().unwrap().split(' ').map(|edge| edge.split_once('>').unwrap()).collect();
    let edge_from = |node: &str| edges.iter().position(|(from, _)| *from == node).unwrap();
    let edge_to = |node: &str| edges.iter().position(|(_, to)| *to == node).unwrap();
    let letters = |node: &str| node.split('.').count();
    let length: usize = edges.iter().map(|(from, to)| letters(from) + letters(to)).sum();
    let mut starts =
        (0..instance.tokens.len()).filter(|token| instance.loss_mask[*token] && !instance.loss_mask[token - 1]);
    let mut all = BTreeMap::new();
    for (index, (query, answer)) in parts.zip(instance.answer.split(' ')).enumerate() {
        let token = starts.next().unwrap();
        let (start, hops) = query.split_once(' ').unwrap();
        let hops: usize = hops.parse().unwrap();
        let walk: Vec<usize> =
            std::iter::successors(Some(edge_from(start)), |edge| Some(edge_from(edges[*edge].1))).take(hops).collect();
        assert_eq!(edges[walk[hops - 1]].1, answer);
        let forwards = (0..size).find(|count| (hops - count).is_multiple_of(size)).unwrap();
        let backwards = (0..).find(|count| (hops + count).is_multiple_of(size)).unwrap();
        let rounds = (0..).find(|rounds| 1 << rounds > forwards).unwrap();
        let mut put = |name, token: usize, value: f64| {
            all.insert((name, token), value);
        };
        put("size", token, size as f64);
        put("length", token, length as f64);
        put("query_index", token, (index + 1) as f64);
        put("printed_hops", token, hops as f64);
        put("edge_position", token, (walk[0] + 1) as f64);
        put("edge_distance", token, edge_from(edges[walk[0]].1) as f64 - walk[0] as f64);
        put("wraps", token, walk[..].iter().filter(|edge| edges[**edge].1 == start).count() as f64);
        put("answer_position", token, (edge_to(answer) + 1) as f64);
        let steps: Vec<f64> = walk.windows(2).map(|pair| pair[1] as f64 - pair[0] as f64).collect();
        put("backward_hops", token, steps.iter().filter(|step| **step < 0.0).count() as f64);
        if !steps.is_empty() {
            let mean = steps.iter().map(|step| step.abs()).sum::<f64>() / steps.len() as f64;
            put("walk_distance", token, f64::from(mean as f32));
        }
        let words: Vec<&str> = answer.split_inclusive('.').collect();
        for place in 0..words.len() {
            let prefix = words[..place].concat();
            let sharing = edges.iter().filter(|(from, _)| from.starts_with(&prefix)).count();
            let copies = place > 0 && sharing == 1;
            let mut put = |name, value: usize| {
                all.insert((name, token + place), if copies { 1.0 } else { value as f64 });
            };
            put("hops", hops);
            put("hops_mod", forwards);
            put("hops_bidir", forwards.min(backwards));
            put("parallel", rounds);
            all.insert(("spelling", token + place), sharing as f64);
        }
    }
    all
}

#[test]
fn columns_are_what_their_definitions_give() {
    let tasks = [
        depo(),
        released(50, [1, 2], 60, 8),
        released(3, [5, 7], 60, 40),
        configured(&[("hop_encoding", text("unary")), ("maximum_hops", Value::Integer(30))]).unwrap(),
    ];
    for task in tasks {
        for size in [3, 4, 5, 8, 13, 21, 60] {
            for seed in 0..40 {
                compare(&*task, size, seed);
            }
        }
    }
}

fn compare(task: &dyn Task, size: u32, seed: u64) {
    let instance = draw(task, size, seed);
    let spec = task.spec();
    let mut expected = expected(&instance, size as usize);
    let is_spelled = spec.complexities.iter().any(|column| column.name == "spelling");
    expected.retain(|(name, _), _| is_spelled || *name != "spelling");
    let complexities =
        spec.complexities.iter().enumerate().map(|(place, spec)| (spec.name, instance.complexities.column(place)));
    let features = spec.features.iter().enumerate().map(|(place, spec)| (spec.name, instance.features.column(place)));
    let mut compared = 0;
    for (name, column) in complexities.chain(features) {
        for (token, value) in column.enumerate() {
            let found = (!value.is_nan()).then_some(f64::from(value));
            assert_eq!(found, expected.get(&(name, token)).copied(), "{name} at {token} of {}", instance.question);
            compared += usize::from(found.is_some());
        }
    }
    assert_eq!(compared, expected.len(), "a column is missing");
}
