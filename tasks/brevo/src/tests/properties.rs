//! Properties that hold for every instance.

use std::collections::{BTreeMap, BTreeSet};

use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{HELD_OUT_SHARE, Task};

use super::{canonical, column, configured, draw, released, spelled, text, values};

fn tasks() -> Vec<Box<dyn Task>> {
    let quarter = ("query_rule", text("last_quarter"));
    vec![
        canonical(),
        released(60),
        spelled("canonical"),
        spelled("any"),
        configured(std::slice::from_ref(&quarter)).unwrap(),
        configured(&[quarter, ("order", text("any")), ("vocabulary", Value::Integer(500))]).unwrap(),
    ]
}

#[test]
fn generator_solver_and_checker_agree() {
    for (number, task) in tasks().into_iter().enumerate() {
        let is_canonical = [0, 2, 4].contains(&number);
        for seed in 0..60 {
            for size in [3, 4, 5, 7, 11, 17, 30, 50, 60] {
                let instance = draw(&*task, size, seed);
                instance.validate("brevo", task.spec()).unwrap();
                let solved = task.answer(&instance.question).unwrap();
                assert!(!is_canonical || solved == instance.answer, "{}", instance.question);
                for answer in [solved, instance.answer] {
                    let verdict = task.check(&instance.question, &answer).unwrap();
                    assert!(verdict.valid, "{} = {answer}: {}", instance.question, verdict.reason);
                }
            }
        }
    }
}

#[test]
fn damaged_answers_are_wrong() {
    let mut draws = Stream::new(1, "damage", &[]);
    for task in tasks() {
        for seed in 0..40 {
            let instance = draw(&*task, 13, seed);
            let nodes: Vec<&str> = instance.answer.split(' ').collect();
            let (edges, query) = instance.question.split_once(" ? ").unwrap();
            let foreign = edges.split([' ', '>']).find(|node| !nodes.contains(node) && *node != query);
            let mut place = || draws.below(nodes.len() as u64) as usize;
            let (first, second) = (place(), place());
            let (before, after) = nodes.split_at(first);
            let dropped = [before, &after[1..]].concat();
            let mut repeated = nodes.clone();
            repeated.insert(second, nodes[first]);
            let mut damaged = vec![Vec::new(), dropped, repeated];
            if let Some(foreign) = foreign {
                damaged.push([before, &[foreign], after].concat());
                damaged.push([before, &[foreign], &after[1..]].concat());
            }
            // A node before one of its predecessors.
            let edges = edges.split(' ').map(|edge| edge.split_once('>').unwrap());
            let place_of = |node: &str| nodes.iter().position(|name| *name == node);
            for (from, to) in edges.filter_map(|(from, to)| place_of(from).zip(place_of(to))) {
                let mut swapped = nodes.clone();
                swapped.swap(from, to);
                damaged.push(swapped);
            }
            for answer in damaged.iter().map(|answer| answer.join(" ")) {
                let verdict = task.check(&instance.question, &answer).unwrap();
                assert!(!verdict.valid && !verdict.reason.is_empty(), "{} = {answer}", instance.question);
            }
        }
    }
}

#[test]
fn only_the_canonical_order_is_right_where_one_is() {
    let (task, any) = (canonical(), configured(&[("order", text("any"))]).unwrap());
    let mut others = 0;
    for seed in 0..100 {
        let instance = draw(&*task, 12, seed);
        let (_, query) = instance.question.split_once(" ? ").unwrap();
        let nodes: Vec<&str> = instance.answer.split(' ').collect();
        for place in 1..nodes.len() {
            let mut answer = nodes.clone();
            answer.swap(place - 1, place);
            let answer = answer.join(" ");
            assert!(!task.check(&instance.question, &answer).unwrap().valid);
            // Some of them are topological orders all the same.
            others += usize::from(any.check(&instance.question, &format!("{answer} {query}")).unwrap().valid);
        }
    }
    assert!(others > 100, "{others}");
}

#[test]
fn states_obey_their_conservation_laws() {
    for (task, with_query) in [(released(60), true), (canonical(), false)] {
        for seed in 0..200 {
            let instance = draw(&*task, 25, seed);
            let named = |name: &str| values(&column(&*task, &instance, name));
            let length = instance.answer.split(' ').count();
            let (frontier, unlocks) = (named("frontier"), named("newly_enabled"));
            let leaves = named("in_degree").iter().filter(|degree| **degree == 0.0).count();
            // The last entry of a complexity is at the end marker.
            assert_eq!(named("c_new")[..length].iter().sum::<f64>(), length as f64);
            assert_eq!(unlocks.iter().sum::<f64>() as usize + leaves, length);
            for place in 1..length {
                assert_eq!(frontier[place], frontier[place - 1] - 1.0 + unlocks[place - 1]);
            }
            assert_eq!(frontier[length - 1], 1.0);
            if with_query {
                assert_eq!(*named("out_degree").last().unwrap(), 0.0);
                assert_eq!(*named("dfs_depth").last().unwrap(), 0.0);
            }
        }
    }
}

#[test]
fn a_key_names_one_instance() {
    let question = |seed| draw(&*canonical(), 8, seed).question;
    assert_eq!(question(5), question(5));
    assert_ne!(question(5), question(6));
    // Recorded, because later versions must generate the same instances.
    let first = |task: &dyn Task, size| {
        let instance = draw(task, size, 0);
        format!("{} = {}", instance.question, instance.answer)
    };
    assert_eq!(first(&*canonical(), 6), "55>10 55>39 6>55 6>10 55>9 59>39 55>59 ? 9 = 6 55");
    assert_eq!(
        first(&*spelled("any"), 4),
        "3.4>4.4.3.2 2.2.1>3.3.3 3.4>3.3.3 2.2.1>3.4 4.4.3.2>3.3.3 2.2.1>4.4.3.2 ? 3.3.3 = 2.2.1 3.4 4.4.3.2 3.3.3"
    );
}

/// Whether a number ends a name, and the number.
fn place(number: &str) -> (bool, u32) {
    (number.ends_with('!'), number.trim_end_matches('!').parse().unwrap())
}

/// The question up to renaming of its nodes: its edges and its query, as ranks of their names.
fn ranked(question: &str) -> (BTreeSet<[usize; 2]>, usize) {
    // Numbers that end a name come after those that do not.
    let key = |word: &str| format!("{word}!").split('.').map(place).collect::<Vec<(bool, u32)>>();
    let (edges, query) = question.split_once(" ? ").unwrap();
    let edges: Vec<[Vec<(bool, u32)>; 2]> =
        edges.split(' ').map(|edge| edge.split_once('>').map(|(from, to)| [key(from), key(to)]).unwrap()).collect();
    let names: BTreeSet<&Vec<(bool, u32)>> = edges.iter().flatten().collect();
    let rank = |name: &Vec<(bool, u32)>| names.iter().position(|other| *other == name).unwrap();
    (edges.iter().map(|edge| [rank(&edge[0]), rank(&edge[1])]).collect(), rank(&key(query)))
}

/// Questions have the same problem exactly if they differ only by names of the same order.
#[test]
fn problems_are_graphs_up_to_names_of_the_same_order() {
    for task in [canonical(), released(8), configured(&[("longest_name", Value::Integer(3))]).unwrap()] {
        let (mut of_question, mut of_problem) = (BTreeMap::new(), BTreeMap::new());
        for size in [3, 4, 5, 8] {
            for seed in 0..1000 {
                let instance = draw(&*task, size, seed);
                let (problem, question) = (instance.problem().to_owned(), ranked(&instance.question));
                assert_eq!(of_question.entry(question.clone()).or_insert(problem.clone()), &problem);
                assert_eq!(of_problem.entry(problem).or_insert(question.clone()), &question);
            }
        }
        assert!(of_problem.len() > 400);
    }
}

#[test]
fn canonical_texts_tell_questions_apart_but_not_orders_of_edges() {
    for task in [canonical(), spelled("any")] {
        let mut questions = BTreeMap::new();
        for seed in 0..4000 {
            let instance = draw(&*task, 3, seed);
            let words: BTreeSet<String> = instance.question.split(' ').map(str::to_owned).collect();
            let own = (words, instance.question.rsplit(' ').next().unwrap().to_owned());
            assert_eq!(questions.entry(instance.canonical().to_owned()).or_insert(own.clone()), &own);
        }
        let distinct: BTreeSet<_> = questions.values().collect();
        assert!(distinct.len() == questions.len() && distinct.len() > 1000);
    }
}

/// With few nodes there are few problems, and both training and evaluation need some.
#[test]
fn the_smallest_sizes_have_problems_to_train_on_and_to_hold_out() {
    for (task, size, all) in [(canonical(), 3, 18), (canonical(), 4, 420), (released(8), 3, 18), (released(8), 4, 420)]
    {
        let drawn = (0..40_000).map(|seed| draw(&*task, size, seed));
        let split: BTreeMap<String, bool> =
            drawn.map(|instance| (instance.problem().to_owned(), instance.is_held_out())).collect();
        let held_out = split.values().filter(|held_out| **held_out).count();
        assert_eq!((split.len(), held_out), (all, if size == 3 { 2 } else { 47 }));
    }
}

#[test]
fn about_one_in_eight_instances_is_held_out() {
    let count = 8000;
    let held_out = (0..count).filter(|seed| draw(&*canonical(), 30, *seed).is_held_out()).count() as f64;
    let share = 1.0 / HELD_OUT_SHARE as f64;
    let deviation = (count as f64 * share * (1.0 - share)).sqrt();
    assert!((held_out - count as f64 * share).abs() < 4.0 * deviation, "{held_out}");
}

/// If several orders are correct, a model's tokens are read as the checker reads them.
#[test]
fn written_answers_are_read_as_text() {
    for (task, is_read) in
        [(canonical(), false), (spelled("canonical"), false), (released(30), true), (spelled("any"), true)]
    {
        for seed in 0..40 {
            let instance = draw(&*task, 13, seed);
            let first = instance.loss_mask.iter().position(|loss| *loss).unwrap();
            let answer = &instance.tokens[first..instance.tokens.len() - 1];
            assert_eq!(task.written(answer), is_read.then(|| instance.answer.clone()));
        }
        // The checker refuses markers, unfinished names and an empty text without an error.
        let question = draw(&*task, 13, 1).question;
        for answer in [&[][..], &[0, 1, 2], &[4], &[9999]] {
            let text = task.written(answer);
            assert!(text.is_none_or(|text| !task.check(&question, &text).unwrap().valid));
        }
    }
}
