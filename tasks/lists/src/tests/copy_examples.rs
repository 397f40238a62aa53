//! Worked examples of `copy`, computed by hand.

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{Columns, Instance, Supervision};

use super::{copies, copy, draw, number};
use crate::copy::columns::fill;

#[test]
fn answers_known_questions() {
    for question in ["7 3 7 7 1 3", "5", "5 5 5", "32 1"] {
        assert_eq!(copy().answer(question).unwrap(), question);
        assert!(copy().check(question, question).unwrap().valid, "{question}");
    }
    assert_eq!(copy().answer("  4   4 |  7 3 ").unwrap(), "7 3");
}

/// The columns of `1 2 1 2 3 1`, whose copy starts at token 8.
#[test]
fn known_columns() {
    let (mut complexities, mut features) = (Columns::default(), Columns::default());
    fill(&[1, 2, 1, 2, 3, 1], 8, [&mut complexities, &mut features]);
    assert_eq!((complexities.tokens(), features.tokens()), (15, 15));
    // `1` and `1 2` occur elsewhere too, so the start is needed; `2 1` occurs once, of `1 2 1 2` three elements are needed
    // because `1 2` occurs twice, `3` and `3 1` occur once, but `1` does not.
    let contexts = [1.0, 2.0, 3.0, 2.0, 3.0, 1.0, 2.0];
    // preceding_occurrences, run, conflicts
    let rows = [
        [0.0, 0.0, 0.0],
        [3.0, 1.0, 1.0],
        [2.0, 1.0, 1.0],
        [3.0, 1.0, 1.0],
        [2.0, 1.0, 1.0],
        [1.0, 1.0, 0.0],
        [3.0, 1.0, 2.0],
    ];
    for (place, (context, row)) in contexts.into_iter().zip(rows).enumerate() {
        let token = 8 + place;
        assert_eq!(complexities.row(token), [context, 6.0, 1.0], "{place}");
        let row = [&[6.0, token as f32, (place + 1) as f32][..], &row].concat();
        assert_eq!(format!("{:?}", features.row(token)), format!("{row:?}"), "{place}");
    }
    fill(&[4, 4, 4], 5, [&mut complexities, &mut features]);
    let contexts: Vec<f32> = (5..9).map(|token| complexities.get(0, token)).collect();
    assert_eq!(contexts, [1.0, 2.0, 3.0, 3.0]);
    assert_eq!((5..9).map(|token| features.get(4, token)).collect::<Vec<_>>(), [0.0, 1.0, 2.0, 3.0]);
}

#[test]
fn wrong_answers_are_told_what_was_expected() {
    let reason = |answer: &str| copy().check("7 3 7 1", answer).unwrap().reason;
    assert_eq!(reason("7 3 7"), "expected 4 elements, found 3");
    assert_eq!(reason(""), "expected 4 elements, found 0");
    assert_eq!(reason("7 3 7 1 1"), "expected 4 elements, found 5");
    assert_eq!(reason("7 4 7 1"), "element 2: expected 3, found 4");
    for word in ["33", "0", "07", "-7", "+7", "|", "<eos>"] {
        let expected = format!("element 1: expected an element from 1 to 32, found `{word}`");
        assert_eq!(reason(&format!("{word} 3 7 1")), expected);
    }
}

#[test]
fn sequences_are_laid_out_as_documented() {
    let task = copy();
    assert_eq!(task.spec().supervision, Supervision::NextToken);
    let instance = draw(&*task, 7, 1);
    let text = instance.text(&task.spec().vocabulary);
    assert_eq!(text, format!("<bos> {0} <ans> {0} <eos>", instance.question));
    assert_eq!(instance.answer, instance.question);
    assert!((0..17).all(|token| instance.loss_mask[token] == (token > 8)));
    let widest = copies(&[number("alphabet", 1024), number("largest_length", 512), number("window", 1024)]);
    let instance = draw(&*widest, 512, 0);
    assert!(instance.tokens.len() == 1028 && widest.check(&instance.question, &instance.answer).unwrap().valid);
}

#[test]
fn the_guess_looks_at_one_token() {
    let task = copy();
    let guesses = task.guesses(&[]);
    let guess = guesses.iter().find(|guess| guess.name() == "after-the-same").unwrap();
    let instance = Instance { question: "1 2 1 3".to_owned(), ..Instance::default() };
    for seed in 0..40 {
        let tokens = guess.tokens(&instance, &mut Stream::new(seed, "test", &[]));
        let words: Vec<&str> = tokens.iter().map(|token| task.spec().vocabulary[*token as usize].as_str()).collect();
        let [first, after_1, after_2, again, last] = words[..] else { panic!("five tokens") };
        assert_eq!((first, after_2, last), ("1", "1", "<eos>"));
        assert!(["2", "3"].contains(&after_1) && ["2", "3"].contains(&again));
    }
}
