//! The columns from their definitions, by counting in the text of the question.

use haltbench_sdk::task::Task;

use super::{column, draw, forms};

/// Brackets open after the first `count` of these.
fn depth(brackets: &[&str], count: usize) -> i32 {
    brackets[..count].iter().map(|bracket| if *bracket == ")" { -1 } else { 1 }).sum()
}

/// The bracket that opens the pair which `place` closes: the last one since which as many brackets closed as opened.
fn opener(brackets: &[&str], place: usize) -> usize {
    (0..place).rev().find(|opener| depth(&brackets[*opener..], place + 1 - opener) == 0).unwrap()
}

fn agrees(task: &dyn Task, size: u32) {
    let is_deep = task.spec().vocabulary.iter().any(|word| word == "0");
    for seed in 0..60 {
        let instance = draw(task, size, seed);
        let words: Vec<(usize, &str)> =
            (1..).zip(instance.question.split(' ')).filter(|(_, word)| *word != ".").collect();
        let brackets: Vec<&str> = words.iter().map(|(_, word)| *word).collect();
        let names = [
            "distance",
            "parallel",
            "depth",
            "brackets",
            "is_closing",
            "last_kind",
            "depth_before",
            "peak_depth",
            "returns",
            "opener",
        ];
        let columns = names.map(|name| column(task, &instance, name));
        for (place, (token, word)) in words.iter().enumerate() {
            let is_closing = *word == ")";
            let is_answered = is_deep || is_closing;
            let [before, after] = [place, place + 1].map(|count| depth(&brackets, count));
            let opener = is_closing.then(|| opener(&brackets, place));
            let distance = opener.map_or(f32::NAN, |opener| (place - opener) as f32);
            let last = brackets[..=place].iter().rfind(|word| **word != ")").unwrap();
            let last_kind = last[1..].parse::<usize>().map_or(0, |kind| kind - 1);
            let answered = |value: f32| if is_answered { value } else { f32::NAN };
            let expected = [
                distance,
                (distance + 1.0).log2().ceil(),
                answered(before.max(after) as f32),
                answered((place + 1) as f32),
                f32::from(u8::from(is_closing)),
                last_kind as f32,
                before as f32,
                (1..=place + 1).map(|count| depth(&brackets, count)).max().unwrap() as f32,
                (1..=place).filter(|count| depth(&brackets, *count) == 0).count() as f32,
                opener.map_or(f32::NAN, |opener| opener as f32),
            ];
            for ((column, expected), name) in columns.iter().zip(expected).zip(names) {
                let found = column[*token];
                assert!(
                    found == expected || found.is_nan() && expected.is_nan(),
                    "{name} at {place}: {found}, {expected}"
                );
            }
            let target = &task.spec().vocabulary[instance.targets()[*token] as usize];
            match opener {
                _ if is_deep => assert_eq!(*target, after.to_string()),
                Some(opener) => assert_eq!(target[1..], brackets[opener][1..]),
                None => assert_eq!(target, word),
            }
        }
        assert!(depth(&brackets, brackets.len()) == 0 && brackets.len() == 2 * size as usize);
    }
}

#[test]
fn columns_are_those_of_the_definitions() {
    for task in forms() {
        for size in [11, 20, 50] {
            agrees(&*task, size);
        }
    }
}

/// The word ([]([]))[]: places, distances and levels of its closing brackets.
#[test]
fn known_distances_are_found() {
    let brackets: Vec<&str> = "( ( ) ( ( ) ) ) ( )".split(' ').collect();
    for (place, distance, level) in [(2, 1, 2), (5, 1, 3), (6, 3, 2), (7, 7, 1), (9, 1, 1)] {
        assert_eq!((place - opener(&brackets, place), depth(&brackets, place)), (distance, level));
    }
}
