//! Properties of all instances of `unique-set`, and every column again, from its text.

use std::collections::{BTreeMap, BTreeSet};

use haltbench_sdk::task::{HELD_OUT_SHARE, Task};

use super::{draw, number, text, unique_set, unique_sets};

fn tasks() -> Vec<Box<dyn Task>> {
    vec![
        unique_set(),
        unique_sets(&[text("distinct_law", "draws")]),
        unique_sets(&[number("alphabet", 2)]),
        unique_sets(&[number("alphabet", 7), number("window", 64)]),
        unique_sets(&[number("alphabet", 1000), number("window", 80), text("distinct_law", "draws")]),
    ]
}

#[test]
fn generator_solver_and_checker_agree() {
    for task in tasks() {
        for seed in 0..100 {
            for size in 1..=32 {
                let instance = draw(&*task, size, seed);
                assert_eq!(task.answer(&instance.question).unwrap(), instance.answer);
                let verdict = task.check(&instance.question, &instance.answer).unwrap();
                assert!(verdict.valid, "{} = {}: {}", instance.question, instance.answer, verdict.reason);
                instance.validate("unique-set", task.spec()).unwrap();
            }
        }
    }
}

#[test]
fn every_other_answer_is_wrong() {
    let task = unique_set();
    for seed in 0..60 {
        let instance = draw(&*task, 9, seed);
        let words: Vec<&str> = instance.answer.split(' ').collect();
        let mut wrong = vec![[&words[..], &[words[0]]].concat()];
        for place in 0..words.len() {
            for word in &task.spec().vocabulary {
                let mut answer = words.clone();
                answer[place] = word;
                wrong.push(answer);
            }
            let mut swapped = words.clone();
            swapped.swap(place, 0);
            let doubled = [&words[..=place], &words[place..]].concat();
            wrong.extend([swapped, doubled, [&words[..place], &words[place + 1..]].concat()]);
        }
        for answer in wrong {
            let verdict = task.check(&instance.question, &answer.join(" ")).unwrap();
            assert_eq!(verdict.valid, answer == words, "{} = {answer:?}", instance.question);
        }
    }
}

/// Other names for the elements change nothing but the names.
#[test]
fn answers_commute_with_renaming() {
    for seed in 0..200 {
        let instance = draw(&*unique_set(), 12, seed);
        let rename = |text: &str| {
            let words = text.split(' ').map(|word| (word.parse::<u32>().unwrap() * 5 % 32 + 1).to_string());
            words.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(unique_set().answer(&rename(&instance.question)).unwrap(), rename(&instance.answer));
        let doubled = format!("{0} {0}", instance.question);
        assert_eq!(unique_set().answer(&doubled).unwrap(), instance.answer);
        assert!(unique_set().check(&doubled, &instance.answer).unwrap().valid);
    }
}

#[test]
fn a_key_names_one_instance() {
    let question = |seed| draw(&*unique_set(), 8, seed).question;
    assert_eq!(question(5), question(5));
    assert_ne!(question(5), question(6));
    // Recorded, because later versions must generate the same instances.
    assert_eq!(question(0), "16 14 6 15 1 26 6 15");
}

#[test]
fn about_one_in_eight_instances_is_held_out() {
    for task in [unique_set(), unique_sets(&[number("window", 64)])] {
        let count = 8000;
        let held_out = (0..count).filter(|seed| draw(&*task, 14, *seed).is_held_out()).count() as f64;
        let share = 1.0 / HELD_OUT_SHARE as f64;
        // Lists with few distinct elements share problems.
        assert!((held_out / count as f64 - share).abs() < 0.025, "{held_out}");
    }
}

/// Four binary places have 16 lists, all of training's smallest size: both parts have some.
#[test]
fn the_smallest_lists_have_problems_on_both_sides() {
    for (alphabet, size) in [(2, 4), (2, 8), (32, 4)] {
        let task = unique_sets(&[number("alphabet", alphabet)]);
        let drawn: Vec<_> = (0..4000).map(|seed| draw(&*task, size, seed)).collect();
        let sides = |side: bool| -> BTreeSet<&str> {
            drawn.iter().filter(|instance| instance.is_held_out() == side).map(|instance| instance.problem()).collect()
        };
        let [held_out, trained] = [sides(true), sides(false)];
        assert!(!held_out.is_empty() && trained.len() > held_out.len(), "{alphabet}, {size}: {held_out:?}");
        assert!(held_out.is_disjoint(&trained));
    }
}

/// Expected columns: name, token, value.
fn expected(question: &str, tokens: usize) -> BTreeMap<(&'static str, usize), f32> {
    let list: Vec<&str> = question.rsplit("| ").next().unwrap().split(' ').collect();
    let is_new = |place: usize| !list[..place].contains(&list[place]);
    let firsts: Vec<usize> = (0..list.len()).filter(|place| is_new(*place)).collect();
    let first_token = tokens - firsts.len() - 1;
    let first_of_list = first_token - 1 - list.len();
    let mut all = BTreeMap::new();
    for answered in 0..=firsts.len() {
        let token = first_token + answered;
        let source = if answered == firsts.len() { list.len() } else { firsts[answered] };
        let start = if answered == 0 { 0 } else { firsts[answered - 1] + 1 };
        let distance = |place: usize| (1..).find(|back| list[place - back] == list[place]).unwrap();
        let looked_at = first_of_list + source.min(list.len() - 1);
        let repeats = (0..source).filter(|place| !is_new(*place)).count();
        let numbers = [
            ("skipped", source - start),
            ("repeat_distance", (start..source).map(distance).max().unwrap_or(0)),
            ("lookback", token - 1 - looked_at),
            ("size", list.len()),
            ("position", token),
            ("place", answered + 1),
            ("source", source + 1),
            ("repeats_before", repeats),
            ("distinct", firsts.len()),
            ("remaining", firsts.len() - answered),
        ];
        all.extend(numbers.map(|(name, number)| ((name, token), number as f32)));
        let before = answered.checked_sub(1).map(|before| list[firsts[before]]);
        let count = list.iter().filter(|element| Some(**element) == before).count();
        all.insert(("preceding_occurrences", token), count as f32);
    }
    all
}

#[test]
fn columns_are_what_their_definitions_give() {
    for task in tasks() {
        let spec = task.spec();
        for (size, seed) in (1..=32).flat_map(|size| (0..30).map(move |seed| (size, seed))) {
            let instance = draw(&*task, size, seed);
            let expected = expected(&instance.question, instance.tokens.len());
            let complexities = spec.complexities.iter().map(|column| column.name).enumerate();
            let features = spec.features.iter().map(|column| column.name).enumerate();
            let columns = complexities
                .map(|(place, name)| (name, instance.complexities.column(place).collect::<Vec<_>>()))
                .chain(features.map(|(place, name)| (name, instance.features.column(place).collect())));
            let mut compared = 0;
            for (name, column) in columns {
                for (token, value) in column.into_iter().enumerate() {
                    let found = (!value.is_nan()).then_some(value);
                    assert_eq!(
                        found,
                        expected.get(&(name, token)).copied(),
                        "{name} at {token}: {}",
                        instance.question
                    );
                    compared += usize::from(found.is_some());
                }
            }
            assert_eq!(compared, expected.len(), "a column is missing");
        }
    }
}

#[test]
fn the_largest_size_of_all_can_be_drawn() {
    let given = [number("largest_length", 512), number("alphabet", 1024), number("window", 1024)];
    let task = unique_sets(&given);
    for seed in 0..20 {
        let instance = draw(&*task, 512, seed);
        assert!(task.check(&instance.question, &instance.answer).unwrap().valid);
    }
}
