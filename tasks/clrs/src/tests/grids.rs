//! The algorithms and sizes of a configuration.

use std::collections::{BTreeMap, BTreeSet};

use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{Instance, Split, Task, TokenSize};

use super::{clrs, configured};
use crate::published::TABLE;

fn refusal(given: &[(&str, Value)]) -> String {
    configured(given).map(drop).unwrap_err().to_string()
}

fn name(instance: &Instance) -> String {
    instance.question.split(':').next().unwrap().to_owned()
}

fn by_name(task: &dyn Task, size: u32) -> BTreeMap<String, Instance> {
    let drawn = (0..400).map(|seed| task.sample(size, &mut Stream::new(seed, "grids", &[])).unwrap());
    drawn.map(|instance| (name(&instance), instance)).collect()
}

fn names(task: &dyn Task, size: u32) -> BTreeSet<String> {
    by_name(task, size).into_keys().collect()
}

#[test]
fn the_table_is_in_the_order_of_the_algorithms() {
    for (index, row) in TABLE.iter().enumerate() {
        assert_eq!(row.algorithm as usize, index);
        assert_eq!(row.algorithm.row().name, row.name);
        assert!(row.training.is_sorted() && row.training[..2] == [4, 5]);
    }
    assert!(TABLE.iter().map(|row| row.name).collect::<BTreeSet<_>>().len() == 30);
}

#[test]
fn thirty_algorithms_merge_to_the_papers_23_tasks() {
    let merged: BTreeSet<&str> = TABLE.iter().map(|row| row.merged).collect();
    assert_eq!(merged.len(), 23);
    let representatives: Vec<&str> = TABLE.iter().filter(|row| row.represents()).map(|row| row.name).collect();
    assert_eq!(representatives.len(), 23);
    for name in ["insertion_sort", "kmp_matcher", "graham_scan", "bellman_ford"] {
        assert!(representatives.contains(&name), "{name}");
    }
}

#[test]
fn the_mixture_has_every_task_at_the_sizes_it_is_trained_at() {
    let task = clrs();
    let knob = task.spec().size.clone().unwrap();
    assert_eq!(knob.training, [4, 5, 10, 11, 12, 15, 19, 23, 28, 31]);
    assert_eq!(knob.between, [6, 7, 8, 9, 13, 14, 16, 17, 18, 20, 21, 22, 24, 25, 26, 27, 29, 30]);
    assert_eq!(knob.beyond, (32..=64).collect::<Vec<u32>>());
    assert_eq!(names(&*task, 4).len(), 23);
    assert!(!names(&*task, 10).contains("bridges"));
    assert_eq!(names(&*task, 31).len(), 12);
    let all = configured(&[("merge", Value::Flag(false))]).unwrap();
    assert_eq!(names(&*all, 4).len(), 30);
}

#[test]
fn an_algorithm_alone_has_its_published_sizes() {
    let knob = |name: &str| {
        let task = configured(&[("algorithm", Value::Text(name.into()))]).unwrap();
        task.spec().size.clone().unwrap()
    };
    let bridges = knob("bridges");
    assert_eq!((&bridges.training[..], &bridges.between[..], &bridges.beyond[..]), (&[4, 5][..], &[][..], &[6, 7][..]));
    let heapsort = knob("heapsort");
    assert_eq!((&heapsort.training[..], &heapsort.between[..]), (&[4, 5, 10][..], &[6, 7, 8, 9][..]));
    assert_eq!(heapsort.beyond, [11]);
    assert_eq!(knob("bfs").beyond, (32..=41).collect::<Vec<u32>>());
}

/// In a mixture every algorithm has the same sizes as alone, with the same splits.
#[test]
fn a_mixture_labels_sizes_as_its_algorithms_do() {
    for merge in [true, false] {
        let mixture = configured(&[("merge", Value::Flag(merge))]).unwrap();
        let drawn: Vec<BTreeMap<String, Instance>> = (4..=64).map(|size| by_name(&*mixture, size)).collect();
        for row in TABLE.iter().filter(|row| !merge || row.represents()) {
            let alone = configured(&[("algorithm", Value::Text(row.name.into()))]).unwrap();
            let knob = alone.spec().size.clone().unwrap();
            for (sizes, split) in
                [(knob.training, Split::InRange), (knob.between, Split::Between), (knob.beyond, Split::Beyond)]
            {
                for size in sizes {
                    let instance = &drawn[size as usize - 4][row.name];
                    // Its instances are the same at every size.
                    let expected = match row.name {
                        "segments_intersect" => TokenSize { size: 4, split: Split::InRange },
                        _ => TokenSize { size, split },
                    };
                    for task in [&mixture, &alone] {
                        assert_eq!(task.token_size(size, instance, 0), expected, "{} {size}", row.name);
                    }
                }
            }
        }
    }
}

/// In a mixture with a limit, an algorithm may be evaluated without being trained.
#[test]
fn what_is_not_trained_at_all_is_beyond() {
    let all = clrs();
    let given = [("longest", Value::Integer(200))];
    let task = configured(&given).unwrap();
    let instance = &by_name(&*all, 31)["bellman_ford"];
    assert_eq!(task.token_size(31, instance, 0).split, Split::Beyond);
}

#[test]
fn a_mixture_trains_on_every_algorithm_and_size_equally_often() {
    let mixture = clrs();
    let mut counts: BTreeMap<(String, u32), f64> = BTreeMap::new();
    let count = 20_000;
    let mut instance = Instance::default();
    for seed in 0..count {
        let mut stream = Stream::new(seed, "training", &[]);
        let size = mixture.training_size(&mut stream);
        // Larger instances take long to solve.
        if size <= 12 {
            mixture.draw_training(size, &mut stream, &mut instance).unwrap();
            *counts.entry((name(&instance), size)).or_default() += 1.0;
        }
    }
    let pairs: Vec<(&str, u32)> = TABLE
        .iter()
        .filter(|row| row.represents())
        .flat_map(|row| row.training.iter().map(|size| (row.name, *size)))
        .collect();
    let expected = count as f64 / pairs.len() as f64;
    let small: Vec<_> = pairs.into_iter().filter(|(_, size)| *size <= 12).collect();
    assert_eq!(counts.len(), small.len());
    for (name, size) in small {
        let found = counts[&(name.to_owned(), size)];
        assert!((found - expected).abs() < 5.0 * expected.sqrt(), "{name} {size}: {found}, expected {expected}");
    }
}

#[test]
fn sizes_can_be_limited() {
    let given = [
        ("algorithm", Value::Text("minimum".into())),
        ("largest_training", Value::Integer(10)),
        ("largest", Value::Integer(12)),
    ];
    let knob = configured(&given).unwrap().spec().size.clone().unwrap();
    assert_eq!(
        (&knob.training[..], &knob.between[..], &knob.beyond[..]),
        (&[4, 5, 10][..], &[6, 7, 8, 9][..], &[11, 12][..])
    );
    let task = configured(&[("longest", Value::Integer(4096))]).unwrap();
    assert!(!names(&*task, 31).contains("bellman_ford") && names(&*task, 23).contains("bellman_ford"));
    assert!((0..200).all(|seed| task.sample(31, &mut Stream::new(seed, "x", &[])).unwrap().tokens.len() <= 4096));
}

#[test]
fn what_is_out_of_range_is_refused_with_the_range() {
    let refuse = |size| clrs().sample(size, &mut Stream::new(0, "x", &[])).unwrap_err().to_string();
    assert_eq!(refuse(3), "size of clrs: expected N from 4 to 64, found 3");
    assert_eq!(refuse(65), "size of clrs: expected N from 4 to 64, found 65");
    let refuse = |given: &[(&str, Value)], size| {
        configured(given).unwrap().sample(size, &mut Stream::new(0, "x", &[])).unwrap_err().to_string()
    };
    assert_eq!(
        refuse(&[("largest", Value::Integer(12))], 13),
        "size of clrs: expected one of the sizes that have an algorithm, 4 to 12, 15, 19, 23, 28, 31, found 13"
    );
    assert_eq!(
        refuse(&[("algorithm", Value::Text("bridges".into())), ("longest", Value::Integer(200))], 9),
        "size of clrs: expected one of the sizes that have an algorithm of at most 200 tokens, 4 to 5, found 9"
    );
    let message = refusal(&[("longest", Value::Integer(20))]);
    assert!(message.starts_with("parameter `longest` of clrs: expected at least "), "{message}");
    for (given, nearest) in [("bubblesort", "bubble_sort"), ("quiksort", "quicksort"), ("MIXTURES", "mixture")] {
        let message = refusal(&[("algorithm", Value::Text(given.into()))]);
        assert!(message.ends_with(&format!("found {given}; did you mean `{nearest}`?")), "{message}");
    }
}
