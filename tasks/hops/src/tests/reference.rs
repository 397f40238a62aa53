//! The columns from their definitions, by searching the string for every hop.

use haltbench_sdk::task::Task;

use super::{column, draw, fixed, forms, hops};

/// The places that successive hops lead to, found by definition: one behind the largest earlier place with the same
/// letter.
fn chain(letters: &[char], place: usize) -> Vec<usize> {
    let mut chain = vec![place];
    loop {
        let here = chain[chain.len() - 1];
        match (0..here).filter(|earlier| letters[*earlier] == letters[here]).max() {
            Some(earlier) => chain.push(earlier + 1),
            None => return chain,
        }
    }
}

#[test]
fn the_known_chain_is_found() {
    let letters: Vec<char> = "abcacbabdcabdb".chars().collect();
    assert_eq!(chain(&letters, 13)[..4], [13, 12, 9, 5]);
}

fn agrees(task: &dyn Task, size: u32) {
    for seed in 0..60 {
        let instance = draw(task, size, seed);
        let letters: Vec<char> = instance.question.chars().filter(|character| character.is_ascii_lowercase()).collect();
        let asked = column(task, &instance, "asked_hops")[0] as usize;
        let start = instance.tokens.len() - letters.len();
        let names = [
            "hops",
            "parallel",
            "first_hop",
            "chain_end",
            "span",
            "defined",
            "available_hops",
            "occurrences",
            "letter",
        ];
        let columns = names.map(|name| column(task, &instance, name));
        for place in 0..letters.len() {
            let chain = chain(&letters, place);
            let taken = asked.min(chain.len() - 1);
            let end = chain[taken];
            let token = start + place;
            let expected = [
                taken as f32,
                (taken as f32 + 1.0).log2().ceil(),
                (place - chain.get(1).unwrap_or(&place)) as f32,
                end as f32,
                (place - end) as f32,
                f32::from(u8::from(taken == asked)),
                (chain.len() - 1) as f32,
                letters[..place].iter().filter(|letter| **letter == letters[place]).count() as f32,
                f32::from(letters[place] as u8 - b'a'),
            ];
            for ((column, expected), name) in columns.iter().zip(expected).zip(names) {
                let is_left_out = ["hops", "parallel"].contains(&name) && !instance.loss_mask[token];
                assert!(column[token] == expected || is_left_out && column[token].is_nan(), "{name} at {place}");
            }
            if instance.loss_mask[token] {
                let word = &task.spec().vocabulary[instance.targets()[token] as usize];
                let answer = if taken == asked { letters[end].to_string() } else { "<none>".to_owned() };
                assert_eq!(*word, answer);
            }
        }
    }
}

#[test]
fn columns_are_those_of_the_definitions() {
    for task in forms().into_iter().chain([hops(), fixed(1, "every"), fixed(20, "every")]) {
        for size in [6, 13, 50] {
            agrees(&*task, size);
        }
    }
}
