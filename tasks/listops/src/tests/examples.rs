//! Worked examples, computed by hand.

use haltbench_sdk::conformance::specimen::configured;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::task::Supervision;

use super::{by_height, column, draw, equal_lengths, height, listops, stream};
use crate::alphabet::{Operator, Operators, Symbol, vocabulary};
use crate::{single, stream as streamed};

#[test]
fn answers_known_questions() {
    // The median of 1 2 5 8 is 3.5, rounded down; 3 + 3 + 6 + 7 = 19.
    let nested = "[SM 3 [MED 1 5 8 2 ] [MAX [MIN 9 6 ] 4 ] 7 ]";
    let known = [
        (nested, "9"),
        ("[MED 4 4 9 ]", "4"),
        ("[MED 9 0 ]", "4"),
        ("[MIN [MAX 2 7 ] [SM 9 9 ] ]", "7"),
        ("[SM 9 ]", "9"),
        ("5", "5"),
    ];
    for (question, answer) in known {
        assert_eq!(listops().answer(question).unwrap(), answer, "{question}");
        assert!(listops().check(question, answer).unwrap().valid, "{question}");
    }
    for (question, answer) in [(nested, "3 6 6 9"), ("[MIN [MAX 2 7 ] [SM 9 9 ] ]", "7 8 7"), ("[MED 9 0 ]", "4")] {
        assert_eq!(stream().answer(question).unwrap(), answer, "{question}");
        assert!(stream().check(question, answer).unwrap().valid, "{question}");
    }
}

#[test]
fn wrong_answers_are_told_what_was_expected() {
    let reason = |answer: &str| listops().check("[SM 3 [MED 1 5 8 2 ] 7 ]", answer).unwrap().reason;
    assert_eq!(reason("4"), "expected 3, found 4");
    assert_eq!(reason(""), "expected 3, found the end");
    assert_eq!(reason("3 3"), "expected 1 value and no more, found `3`");
    for word in ["10", "-3", "+3", "03", "3.0", "]", "[SM", "٣"] {
        assert_eq!(reason(word), format!("expected a digit, found `{word}`"));
    }
    let reason = |answer: &str| stream().check("[SM 3 [MED 1 5 8 2 ] 7 ]", answer).unwrap().reason;
    assert_eq!(reason("3 4"), "value 2: expected 3, found 4");
    assert_eq!(reason("3"), "value 2: expected 3, found the end");
    assert_eq!(reason("3 3 3"), "expected 2 values and no more, found `3`");
}

#[test]
fn sequences_are_laid_out_as_documented() {
    let task = listops();
    assert_eq!(task.spec().supervision, Supervision::NextToken);
    let instance = draw(&*task, 3, 1);
    let text = instance.text(&task.spec().vocabulary);
    assert_eq!(text, format!("<bos> {} <ans> {}", instance.question, instance.answer));
    let supervised: Vec<usize> = (0..instance.tokens.len()).filter(|index| instance.loss_mask[*index]).collect();
    assert_eq!(supervised, [instance.tokens.len() - 1]);
    let task = stream();
    assert_eq!(task.spec().supervision, Supervision::AtToken);
    let instance = draw(&*task, 3, 1);
    assert_eq!(instance.text(&task.spec().vocabulary), format!("<bos> {}", instance.question));
    let mut answer = Vec::new();
    for (index, word) in (1..).zip(instance.question.split(' ')) {
        assert_eq!(instance.loss_mask[index], word == "]");
        let target = task.spec().vocabulary[instance.targets()[index] as usize].as_str();
        if word == "]" { answer.push(target) } else { assert_eq!(target, word) }
    }
    assert_eq!(answer.join(" "), instance.answer);
    let first = instance.question.split_inclusive(']').next().unwrap();
    assert_eq!((instance.canonical(), instance.problem()), (instance.question.as_str(), first));
}

#[test]
fn a_token_is_the_place_of_its_word() {
    let vocabulary = vocabulary(&["<bos>"]);
    assert_eq!(vocabulary.join(" "), "<bos> ] [MIN [MAX [MED [SM 0 1 2 3 4 5 6 7 8 9");
    let operators = Operators(Operator::ALL.to_vec());
    let symbols = [Symbol::Close].into_iter().chain(Operator::ALL.into_iter().map(Symbol::Open));
    for symbol in symbols.chain((0..10).map(Symbol::Digit)) {
        let word = &vocabulary[1 + symbol.number() as usize];
        assert_eq!(operators.read(word, 1).unwrap(), symbol);
    }
}

#[test]
fn equal_lengths_are_equal_at_every_height() {
    for task in equal_lengths() {
        let knob = task.spec().size.clone().unwrap();
        assert_eq!((knob.minimum, knob.training, knob.beyond), (3, vec![3, 4, 5], vec![6, 7, 8]));
        for size in 3..=8 {
            for seed in 0..50 {
                let instance = draw(&*task, size, seed);
                assert_eq!(instance.question.split(' ').count(), 40);
                assert_eq!(column(&*task, &instance, "nesting")[1], size as f32);
            }
        }
    }
}

#[test]
fn grids_follow_the_parameters() {
    for (task, name, headline) in [(listops(), "D", "dependency_depth"), (by_height(), "H", "height")] {
        let knob = task.spec().size.clone().unwrap();
        assert_eq!((knob.name, task.spec().headline), (name, headline));
        assert_eq!((knob.minimum, knob.maximum, knob.training), (1, 8, vec![1, 2, 3, 4, 5]));
        assert_eq!((knob.between, knob.beyond), (vec![], vec![6, 7, 8]));
    }
    let given = [("skip", Value::Text("4, 2".into())), ("largest_depth", Value::Integer(16))];
    let knob = configured(&streamed::DECLARATION, &given).unwrap().spec().size.clone().unwrap();
    assert_eq!((knob.training, knob.between, knob.beyond), (vec![1, 3, 5], vec![2, 4], vec![6, 7, 8, 10, 15]));
}

#[test]
fn parameters_that_do_not_fit_are_refused_by_name() {
    let refuse = |given: &[(&'static str, Value)]| configured(&single::DECLARATION, given).err().unwrap().to_string();
    let number = |name, value| (name, Value::Integer(value));
    for text in ["", "MINMAX", "MIN MIN", "FIRST", "MIN, MAX"] {
        let expected = format!(
            "parameter `operators` of listops: expected one or more distinct operators out of MIN MAX MED SM, separated \
             by spaces, found `{text}`"
        );
        assert_eq!(refuse(&[("operators", Value::Text(text.into()))]), expected);
    }
    assert_eq!(
        refuse(&[number("maximum_length", 24)]),
        "parameter `maximum_length` of listops: expected at least 25, the tokens of the shortest expression of height 8, \
         found 24"
    );
    assert_eq!(
        refuse(&[number("minimum_length", 40), number("minimum_depth", 2), height()]),
        "parameter `minimum_length` of listops: expected at most 37, the tokens of the longest expression of height 2 with \
         up to 5 arguments, found 40"
    );
    let unlikely = [number("maximum_length", 2000), number("minimum_length", 1900), number("minimum_depth", 5)];
    let probability = [("operator_probability", Value::Real(0.95))];
    assert!(
        refuse(&[&unlikely[..], &probability, &[height()]].concat()).contains(
            "`operator_probability` of listops: expected one at which expressions of height 5 and 1900 to 2000"
        )
    );
    assert_eq!(
        refuse(&[("size_law", Value::Text("sampler".into()))]),
        "parameter `size_law` of listops: expected uniform, unless sizes are heights, found sampler"
    );
    // Only expressions of the largest height need fit the length.
    let equal = [number("minimum_length", 40), number("maximum_length", 40)];
    assert_eq!(configured(&single::DECLARATION, &equal).unwrap().spec().size.clone().unwrap().minimum, 1);
    assert!(refuse(&[number("minimum_depth", 6)]).contains("at least minimum_depth, which is 6, found 5"));
    assert!(refuse(&[number("largest_depth", 4)]).contains("at least maximum_depth, which is 5, found 4"));
    assert!(refuse(&[number("minimum_length", 51)]).contains("at least minimum_length, which is 51, found 50"));
    for text in ["1", "5", "3,,4", "x", "3,3"] {
        let message = refuse(&[("skip", Value::Text(text.into()))]);
        assert!(message.contains("distinct sizes strictly between 1 and 5"), "{message}");
    }
}
