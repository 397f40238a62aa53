//! Properties of all instances of `copy`, and every column again, from its text.

use std::collections::{BTreeMap, BTreeSet};

use haltbench_sdk::task::{HELD_OUT_SHARE, Task};

use super::{copies, copy, draw, number, text};

fn tasks() -> Vec<Box<dyn Task>> {
    vec![
        copy(),
        copies(&[text("variety_law", "all")]),
        copies(&[number("alphabet", 2)]),
        copies(&[number("alphabet", 3), number("window", 64)]),
        copies(&[number("alphabet", 1000), number("window", 80)]),
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
                instance.validate("copy", task.spec()).unwrap();
            }
        }
    }
}

#[test]
fn every_other_answer_is_wrong() {
    let task = copy();
    for seed in 0..60 {
        let instance = draw(&*task, 9, seed);
        let words: Vec<&str> = instance.answer.split(' ').collect();
        let mut others = vec![[&words[..], &[words[0]]].concat()];
        for place in 0..words.len() {
            for word in &task.spec().vocabulary {
                let mut answer = words.clone();
                answer[place] = word;
                others.push(answer);
            }
            let mut swapped = words.clone();
            swapped.swap(place, 0);
            others.extend([swapped, [&words[..place], &words[place + 1..]].concat()]);
        }
        for answer in others {
            let verdict = task.check(&instance.question, &answer.join(" ")).unwrap();
            assert_eq!(verdict.valid, answer == words, "{} = {answer:?}", instance.question);
        }
    }
}

#[test]
fn a_key_names_one_instance() {
    let question = |seed| draw(&*copy(), 8, seed).question;
    assert_eq!(question(5), question(5));
    assert_ne!(question(5), question(6));
    // Recorded, because later versions must generate the same instances.
    assert_eq!(question(0), "12 31 28 31 17 23 23 7");
}

#[test]
fn about_one_in_eight_instances_is_held_out() {
    for task in [copy(), copies(&[number("window", 64)])] {
        let count = 8000;
        let held_out = (0..count).filter(|seed| draw(&*task, 14, *seed).is_held_out()).count() as f64;
        let share = 1.0 / HELD_OUT_SHARE as f64;
        let deviation = (count as f64 * share * (1.0 - share)).sqrt();
        assert!((held_out - count as f64 * share).abs() < 4.0 * deviation, "{held_out}");
    }
}

/// Filler does not move a list to the other side.
#[test]
fn the_smallest_lists_have_problems_on_both_sides() {
    let task = copies(&[number("alphabet", 2), number("window", 64)]);
    for size in [4, 6] {
        let drawn: Vec<_> = (0..2000).map(|seed| draw(&*task, size, seed)).collect();
        let sides = |side: bool| -> BTreeSet<&str> {
            drawn.iter().filter(|instance| instance.is_held_out() == side).map(|instance| instance.problem()).collect()
        };
        let [held_out, trained] = [sides(true), sides(false)];
        assert!(!held_out.is_empty() && trained.len() > held_out.len(), "{size}: {held_out:?}");
        assert!(held_out.is_disjoint(&trained));
        assert_eq!(held_out.len() + trained.len(), 1 << size);
    }
}

/// Expected columns: name, token, value.
fn expected(question: &str, tokens: usize) -> BTreeMap<(&'static str, usize), f32> {
    let list: Vec<&str> = question.rsplit("| ").next().unwrap().split(' ').collect();
    let first_token = tokens - list.len() - 1;
    let mut all = BTreeMap::new();
    for place in 0..=list.len() {
        let token = first_token + place;
        let occurrences = |words: &[&str]| list.windows(words.len()).filter(|window| *window == words).count();
        // The last so many copied elements, or all of them and the start.
        let context = (1..=place).find(|count| occurrences(&list[place - count..place]) == 1).unwrap_or(place + 1);
        let context = if place == 0 { 1 } else { context };
        let run = (0..place).rev().take_while(|other| list[*other] == list[place - 1]).count();
        let conflicts = (0..list.len())
            .filter(|other| place > 0 && list[*other] == list[place - 1] && list.get(other + 1) != list.get(place))
            .count();
        let numbers = [
            ("context", context),
            // From `<ans>` or the element before to the place of this one.
            ("lookback", (token - 1) - (first_token - 1 - list.len() + place)),
            ("depth", 1),
            ("size", list.len()),
            ("position", token),
            ("place", place + 1),
            ("run", run),
            ("conflicts", conflicts),
        ];
        all.extend(numbers.map(|(name, number)| ((name, token), number as f32)));
        let preceding = if place > 0 { occurrences(&list[place - 1..place]) } else { 0 };
        all.insert(("preceding_occurrences", token), preceding as f32);
    }
    all
}

#[test]
fn columns_are_what_their_definitions_give() {
    for task in tasks() {
        let spec = task.spec();
        for (size, seed) in (1..=32).flat_map(|size| (0..20).map(move |seed| (size, seed))) {
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
