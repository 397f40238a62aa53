//! Worked examples of `unique-set`, computed by hand.

use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{Columns, Instance, Supervision};

use super::{draw, unique_set};
use crate::unique_set::columns::fill;
use crate::unique_set::list::List;

#[test]
fn answers_known_questions() {
    for (question, answer) in [("7 3 7 7 1 3", "7 3 1"), ("14 12 10 12", "14 12 10"), ("5", "5"), ("5 5 5", "5")] {
        assert_eq!(unique_set().answer(question).unwrap(), answer, "{question}");
        assert!(unique_set().check(question, answer).unwrap().valid, "{question}");
    }
}

/// The columns of `7 3 7 7 1 3`, whose answer `7 3 1` starts at token 8.
#[test]
fn known_columns() {
    let (mut complexities, mut features) = (Columns::default(), Columns::default());
    let list = List { elements: vec![7, 3, 7, 7, 1, 3], firsts: vec![0, 1, 4] };
    fill(&list, 8, [&mut complexities, &mut features]);
    assert_eq!((complexities.tokens(), features.tokens()), (12, 12));
    // skipped, repeat_distance, lookback
    let costs = [[0.0, 0.0, 6.0], [0.0, 0.0, 6.0], [2.0, 2.0, 4.0], [1.0, 4.0, 4.0]];
    // size, position, place, preceding_occurrences, source, repeats_before, distinct, remaining
    let rows = [
        [6.0, 8.0, 1.0, 0.0, 1.0, 0.0, 3.0, 3.0],
        [6.0, 9.0, 2.0, 3.0, 2.0, 0.0, 3.0, 2.0],
        [6.0, 10.0, 3.0, 2.0, 5.0, 2.0, 3.0, 1.0],
        [6.0, 11.0, 4.0, 1.0, 7.0, 3.0, 3.0, 0.0],
    ];
    for (place, (costs, row)) in costs.iter().zip(rows).enumerate() {
        assert_eq!(complexities.row(8 + place), costs);
        assert_eq!(format!("{:?}", features.row(8 + place)), format!("{row:?}"));
    }
}

#[test]
fn wrong_answers_are_told_what_was_expected() {
    let reason = |answer: &str| unique_set().check("7 3 7 7 1 3", answer).unwrap().reason;
    assert_eq!(reason("7 3"), "expected 3 elements, found 2");
    assert_eq!(reason(""), "expected 3 elements, found 0");
    assert_eq!(reason("7 1"), "expected 3 elements, found 2");
    assert_eq!(reason("7 3 3 1"), "element 3: `3` is listed twice");
    assert_eq!(reason("7 3 7"), "element 3: `7` occurs in the list before the element listed before it");
    assert_eq!(reason("7 1 3"), "element 3: `3` occurs in the list before the element listed before it");
    assert_eq!(reason("7 3 1 2"), "element 4: `2` is not in the list");
    for word in ["33", "0", "07", "-7", "+7", "|", "<eos>"] {
        assert_eq!(reason(word), format!("element 1: expected an element from 1 to 32, found `{word}`"));
    }
}

#[test]
fn sequences_are_laid_out_as_documented() {
    let task = unique_set();
    assert_eq!(task.spec().supervision, Supervision::NextToken);
    assert_eq!(
        (task.spec().vocabulary[..5].join(" "), task.spec().vocabulary.len()),
        ("<bos> <ans> <eos> | 1".into(), 36)
    );
    let instance = draw(&*task, 7, 1);
    let text = instance.text(&task.spec().vocabulary);
    assert_eq!(text, format!("<bos> {} <ans> {} <eos>", instance.question, instance.answer));
    assert!((0..instance.tokens.len()).all(|token| instance.loss_mask[token] == (token > 8)));
    assert_eq!(instance.problem(), instance.question);
}

#[test]
fn guesses_are_what_they_say() {
    let task = unique_set();
    let instance = Instance {
        question: "7 3 7 7 1 3".to_owned(),
        answer: "7 3 1".to_owned(),
        tokens: vec![0; 4],
        loss_mask: vec![true; 4],
        ..Instance::default()
    };
    let guesses = task.guesses(&[]);
    let words = |name: &str, seed: u64| {
        let guess = guesses.iter().find(|guess| guess.name() == name).unwrap();
        let tokens = guess.tokens(&instance, &mut Stream::new(seed, "test", &[]));
        tokens.iter().map(|token| task.spec().vocabulary[*token as usize].clone()).collect::<Vec<_>>()
    };
    assert_eq!(words("next-element", 0), ["7", "3", "7", "3"]);
    for seed in 0..40 {
        let [first, second, third, last] = &words("random-unlisted", seed)[..] else { panic!("four tokens") };
        assert!(["7", "3", "1"].contains(&first.as_str()) && ["3", "1"].contains(&second.as_str()));
        assert_eq!((third.as_str(), last.as_str()), ("1", "<eos>"));
    }
}
