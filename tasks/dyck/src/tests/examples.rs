//! Worked examples, computed by hand.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::task::{Split, Supervision, TokenSize};

use super::{configured, draw, dyck, equally_long, of_kinds};

#[test]
fn answers_known_questions() {
    let known = [
        (1, "( ( ) )", "1 2 1 0"),
        (1, "( )", "1 0"),
        (1, "( ( ) ( ( ) ) ) ( )", "1 2 1 2 3 2 1 0 1 0"),
        (2, "(1 (2 ) )", ")2 )1"),
        // The word ([]([]))[].
        (2, "(1 (2 ) (1 (2 ) ) ) (2 )", ")2 )2 )1 )1 )2"),
        (12, "(12 (3 ) ) (1 )", ")3 )12 )1"),
    ];
    for (kinds, question, answer) in known {
        let task = of_kinds(kinds, 8);
        assert_eq!(task.answer(question).unwrap(), answer, "{question}");
        assert_eq!(task.check(question, answer).unwrap().reason, "", "{question}");
    }
    assert_eq!(equally_long(1).answer(". ( . ( ) . . )").unwrap(), "1 2 1 0");
    assert_eq!(equally_long(2).answer("(2 . (1 ) . )").unwrap(), ")1 )2");
}

#[test]
fn wrong_answers_are_told_what_was_expected() {
    let depths = |answer: &str| dyck().check("( ( ) )", answer).unwrap().reason;
    assert_eq!(depths("1 2 1 1"), "bracket 4: expected 0, found 1");
    assert_eq!(depths("1 2 2 0"), "bracket 3: expected 1, found 2");
    assert_eq!(depths("1 2 1"), "bracket 4: expected 0, found the end");
    assert_eq!(depths("1 2 1 0 0"), "expected 4 answers and no more, found `0`");
    assert_eq!(depths("1 2 01 0"), "bracket 3: expected 1, found 01");
    let kinds = |answer: &str| of_kinds(2, 8).check("(1 (2 ) )", answer).unwrap().reason;
    assert_eq!(kinds(")1 )2"), "bracket 3: expected )2, found )1");
    assert_eq!(kinds(")2"), "bracket 4: expected )1, found the end");
    assert_eq!(of_kinds(2, 8).check("(1 )", ")1 )1").unwrap().reason, "expected 1 answer and no more, found `)1`");
}

#[test]
fn sequences_are_laid_out_as_documented() {
    let task = dyck();
    assert_eq!(task.spec().supervision, Supervision::AtToken);
    assert_eq!(task.spec().vocabulary.join(" "), "<bos> . ) ( 0 1 2 3 4 5 6 7 8");
    assert_eq!(of_kinds(3, 5).spec().vocabulary.join(" "), "<bos> . ) (1 (2 (3 )1 )2 )3");
    for task in [dyck(), of_kinds(3, 5), equally_long(1), equally_long(3)] {
        let instance = draw(&*task, 20, 1);
        let words = &task.spec().vocabulary;
        assert_eq!(instance.text(words), format!("<bos> {}", instance.question));
        let is_padded = instance.question.contains('.');
        assert_eq!(instance.tokens.len(), if is_padded { 257 } else { 41 });
        let answer: Vec<&str> = instance.answers().map(|token| words[token as usize].as_str()).collect();
        assert_eq!(answer.join(" "), instance.answer);
        let is_deep = words.len() == 13;
        assert_eq!(answer.len(), if is_deep { 40 } else { 20 });
        for (token, word) in (1..).zip(instance.question.split(' ')) {
            let is_answered = word == ")" || is_deep && word == "(";
            assert_eq!(instance.loss_mask[token], is_answered);
            assert!(is_answered || instance.targets()[token] == instance.tokens[token]);
        }
    }
}

/// Twelve brackets name the problem; the answer at the last of them is the first that is graded.
#[test]
fn grading_begins_at_the_end_of_the_start() {
    for task in [dyck(), equally_long(1)] {
        for seed in 0..50 {
            let instance = draw(&*task, 20, seed);
            let brackets: Vec<usize> = (0..instance.tokens.len()).filter(|token| instance.loss_mask[*token]).collect();
            assert_eq!(instance.graded().next(), Some(brackets[11]));
            assert_eq!(instance.graded().count(), 29);
        }
    }
}

#[test]
fn targets_have_the_size_of_what_they_are_told_from() {
    let task = configured(&[("skip", Value::Text("20".into()))]).unwrap();
    for (size, token, own, split) in [
        (32, 13, 7, Split::InRange),
        (20, 40, 20, Split::Embedded),
        (40, 64, 32, Split::Embedded),
        (40, 65, 33, Split::Beyond),
        (40, 0, 0, Split::Embedded),
    ] {
        assert_eq!(task.token_size(size, &draw(&*task, size, 0), token), TokenSize { size: own, split });
    }
    let padded = equally_long(1);
    let instance = draw(&*padded, 40, 0);
    let last = instance.graded().last().unwrap();
    assert_eq!(padded.token_size(40, &instance, last), TokenSize { size: 40, split: Split::Beyond });
}

#[test]
fn grids_follow_the_parameters() {
    let knob = dyck().spec().size.clone().unwrap();
    assert_eq!((knob.minimum, knob.maximum, knob.training), (8, 128, (12..=32).collect::<Vec<_>>()));
    assert_eq!((knob.between, knob.beyond), (vec![], vec![40, 48, 64, 128]));
}

#[test]
fn parameters_that_do_not_fit_are_refused_by_name() {
    let refuse = |name, value| configured(&[(name, value)]).err().unwrap().to_string();
    assert_eq!(
        refuse("minimum_pairs", Value::Integer(7)),
        "parameter `minimum_pairs` of dyck: expected at least 8, the smallest size with these parameters, found 7"
    );
    assert!(refuse("kinds", Value::Integer(0)).contains("from 1 to 128"));
    assert!(refuse("maximum_depth", Value::Integer(1)).contains("from 2 to 128"));
    assert!(refuse("law", Value::Text("random".into())).contains("one of uniform, walk"));
    assert!(refuse("largest_pairs", Value::Integer(5)).contains("at least maximum_pairs, which is 32, found 5"));
    assert!(refuse("skip", Value::Text("12".into())).contains("distinct sizes strictly between 12 and 32"));
}
