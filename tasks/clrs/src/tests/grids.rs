//! Which algorithms and sizes a configuration has.

use std::collections::BTreeSet;

use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Task;

use super::{clrs, configured};
use crate::published::TABLE;
use crate::task::DECLARATION;

fn refusal(given: &[(&str, Value)]) -> String {
    configured(given).map(drop).unwrap_err().to_string()
}

fn names(task: &dyn Task, size: u32) -> BTreeSet<String> {
    let name = |seed| task.sample(size, &mut Stream::new(seed, "grids", &[])).unwrap().question;
    (0..400).map(|seed| name(seed).split(':').next().unwrap().to_owned()).collect()
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

/// What a mixture does to the unseen sizes that its algorithms have alone: those that it does not draw them at, and
/// those beyond an algorithm's training that it calls between.
fn lost_and_relabelled(merge: bool) -> [Vec<String>; 2] {
    let mixture = configured(&[("merge", Value::Flag(merge))]).unwrap();
    let mixed = mixture.spec().size.clone().unwrap();
    let drawn: Vec<BTreeSet<String>> = (4..=64).map(|size| names(&*mixture, size)).collect();
    let mut found = [Vec::new(), Vec::new()];
    for row in TABLE.iter().filter(|row| !merge || row.represents()) {
        let task = configured(&[("algorithm", Value::Text(row.name.into()))]).unwrap();
        let alone = task.spec().size.clone().unwrap();
        let lost: Vec<u32> =
            (4..=row.evaluation).filter(|size| !drawn[*size as usize - 4].contains(row.name)).collect();
        let relabelled: Vec<u32> = alone.beyond.into_iter().filter(|size| mixed.between.contains(size)).collect();
        for (list, sizes) in found.iter_mut().zip([lost, relabelled]) {
            if !sizes.is_empty() {
                let sizes: Vec<String> = sizes.iter().map(u32::to_string).collect();
                list.push(format!("`{}` {}", row.name, sizes.join(", ")));
            }
        }
    }
    found
}

#[test]
fn the_documentation_tells_which_sizes_a_mixture_loses_and_relabels() {
    let [lost, relabelled] = lost_and_relabelled(true);
    let documentation = DECLARATION.documentation;
    for (before, list, after) in [("get lost, which are ", &lost, "."), ("is trained at: ", &relabelled, ".")] {
        let sentence = format!("{before}{}{after}", list.join(", "));
        assert!(documentation.contains(&sentence), "{sentence}");
    }
    let [all_lost, all_relabelled] = lost_and_relabelled(false);
    let more = |all: Vec<String>, some: &[String]| {
        all.into_iter().filter(|entry| !some.contains(entry)).collect::<Vec<_>>().join(", ")
    };
    let sentence = format!(
        "Without `merge`, {} get lost as well, and {} is labelled between.",
        more(all_lost, &lost),
        more(all_relabelled, &relabelled)
    );
    assert!(documentation.contains(&sentence), "{sentence}");
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
