//! Worked examples, computed by hand.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::Supervision;

use super::{column, configured, draw, flip_flop, number};
use crate::columns::fill;
use crate::instruction::Operation::{Ignore, Read, Write};
use crate::program::Program;

#[test]
fn answers_known_questions() {
    let known = [
        ("w 0 i 1 i 0 r w 1 i 0 r i 1 i 0 r", "0 1 1"),
        ("w 0 i 1 r w 1 i 0 r", "0 1"),
        ("w 1 r", "1"),
        ("w 1 w 0 r r r i 1", "0 0 0"),
    ];
    for (question, answer) in known {
        assert_eq!(flip_flop().answer(question).unwrap(), answer, "{question}");
        assert!(flip_flop().check(question, answer).unwrap().valid, "{question}");
    }
}

/// The columns of `w0 i1 i0 r0 w1 i0 r1 i1 i0 r1`, whose lags are 3, 2 and 5.
#[test]
fn known_columns() {
    let program = Program {
        operations: vec![Write, Ignore, Ignore, Read, Write, Ignore, Read, Ignore, Ignore, Read],
        bits: vec![0, 1, 0, 0, 1, 0, 1, 1, 0, 1],
    };
    let (mut complexities, mut features) = Default::default();
    fill(&program, [&mut complexities, &mut features]);
    assert_eq!((complexities.tokens(), features.tokens()), (21, 21));
    for (token, lag, distractors) in [(8, 3.0, 2.0), (14, 2.0, 1.0), (20, 5.0, 3.0)] {
        assert_eq!(complexities.row(token), [lag, distractors, 1.0]);
    }
    assert_eq!(features.row(8), [8.0, 1.0, 0.0, 1.0, 0.0, 0.0, 3.0, 1.0]);
    assert_eq!(features.row(14), [14.0, 2.0, 1.0, 2.0, 0.0, 1.0, 2.0, 1.0]);
    assert_eq!(features.row(20), [20.0, 2.0, 2.0, 4.0, 0.0, 1.0, 3.0, 2.0]);
    assert!((0..21).filter(|token| ![8, 14, 20].contains(token)).all(|token| complexities.get(0, token).is_nan()));
}

#[test]
fn wrong_answers_are_told_what_was_expected() {
    let reason = |answer: &str| flip_flop().check("w 0 i 1 r w 1 i 0 r", answer).unwrap().reason;
    assert_eq!(reason("0 0"), "read 2: expected 1, found 0");
    assert_eq!(reason("0"), "read 2: expected 1, found the end");
    assert_eq!(reason("0 1 1"), "expected 2 bits and no more, found `1`");
    for word in ["2", "r", "00", "-0", "<bos>"] {
        assert_eq!(reason(word), format!("read 1: expected a bit, 0 or 1, found `{word}`"));
    }
}

#[test]
fn sequences_are_laid_out_as_documented() {
    let task = flip_flop();
    assert_eq!(task.spec().supervision, Supervision::NextToken);
    assert_eq!(task.spec().vocabulary.join(" "), "<bos> w r i 0 1");
    let instance = draw(&*task, 5, 1);
    assert_eq!(instance.tokens.len(), 65);
    let text = instance.text(&task.spec().vocabulary);
    let words: Vec<&str> = text.split(' ').collect();
    assert_eq!((words[0], words[1], words[63]), ("<bos>", "w", "r"));
    let (mut question, mut answer) = (Vec::new(), Vec::new());
    for token in 1..65 {
        let is_read_bit = token % 2 == 0 && words[token - 1] == "r";
        assert_eq!(instance.loss_mask[token], is_read_bit);
        if is_read_bit { &mut answer } else { &mut question }.push(words[token]);
    }
    assert_eq!((question.join(" "), answer.join(" ")), (instance.question.clone(), instance.answer.clone()));
    // Eight instructions are sixteen tokens, without the bits of reads.
    let start = words[1..17].chunks(2).map(|pair| if pair[0] == "r" { "r".to_owned() } else { pair.join(" ") });
    assert_eq!(instance.problem(), start.collect::<Vec<_>>().join(" "));
    assert_eq!(instance.graded_from, 17);
}

#[test]
fn the_preceding_bit_is_guessed() {
    let task = flip_flop();
    let guesses = task.guesses(&[]);
    let guess = guesses.iter().find(|guess| guess.name() == "preceding-bit").unwrap();
    for seed in 0..50 {
        let instance = draw(&*task, 5, seed);
        let guessed = guess.tokens(&instance, &mut Stream::new(0, "test", &[]));
        let guessed: Vec<f32> = guessed.into_iter().map(|token| token as f32 - 4.0).collect();
        let preceding = column(&*task, &instance, "preceding_bit");
        let expected: Vec<f32> = preceding.into_iter().filter(|bit| !bit.is_nan()).collect();
        assert_eq!(guessed, expected);
    }
}

#[test]
fn grids_follow_the_parameters() {
    let knob = flip_flop().spec().size.clone().unwrap();
    assert_eq!((knob.minimum, knob.maximum, knob.training), (1, 31, (1..=12).collect::<Vec<_>>()));
    assert_eq!((knob.between, knob.beyond), (vec![], vec![13, 14, 16, 20, 28]));
    let given = [number("instructions", 256), ("skip", Value::Text("3".into())), number("largest_lag", 20)];
    let knob = configured(&given).unwrap().spec().size.clone().unwrap();
    assert_eq!((knob.maximum, knob.between, knob.beyond), (20, vec![3], vec![13, 14, 16, 20]));
}

#[test]
fn parameters_that_do_not_fit_are_refused_by_name() {
    let refuse = |given: &[(&str, Value)]| configured(given).err().unwrap().to_string();
    assert_eq!(
        refuse(&[number("largest_lag", 32)]),
        "parameter `largest_lag` of flip-flop: expected at most 31, one less than the 32 instructions, found 32"
    );
    assert_eq!(
        refuse(&[number("instructions", 16), number("maximum_lag", 16)]),
        "parameter `maximum_lag` of flip-flop: expected at most 15, one less than the 16 instructions, found 16"
    );
    assert!(refuse(&[number("minimum_lag", 13)]).contains("at least minimum_lag, which is 13, found 12"));
    assert!(refuse(&[number("largest_lag", 11)]).contains("at least maximum_lag, which is 12, found 11"));
    assert!(refuse(&[number("instructions", 8)]).contains("from 16 to 512"));
    for text in ["1", "12", "3,,4", "x", "3,3"] {
        let message = refuse(&[("skip", Value::Text(text.into()))]);
        assert!(message.contains("distinct sizes strictly between 1 and 12"), "{message}");
    }
}
