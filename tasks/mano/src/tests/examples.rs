//! Worked examples, computed by hand.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::task::Supervision;

use super::{column, configured, draw, mano, stream};
use crate::alphabet::{Alphabet, Operator, Symbol};
use crate::{prefix, stream as postfix};

#[test]
fn answers_known_questions() {
    // 3 * 14 = 19, 19 * 4 = 7, 5 * 7 = 12 modulo 23.
    let known = [("* 5 * * 3 14 4", "12"), ("+ 3 * 4 17", "2"), ("- 3 5", "21"), ("- - 1 2 3", "19"), ("22", "22")];
    for (question, answer) in known {
        assert_eq!(mano().answer(question).unwrap(), answer, "{question}");
        assert!(mano().check(question, answer).unwrap().valid, "{question}");
    }
    for (question, answer) in [("3 4 17 * +", "22 2"), ("5 3 14 * 4 * *", "19 7 12"), ("3 5 -", "21")] {
        assert_eq!(stream().answer(question).unwrap(), answer, "{question}");
        assert!(stream().check(question, answer).unwrap().valid, "{question}");
    }
}

#[test]
fn a_modulus_need_not_be_prime() {
    let task = configured(&prefix::DECLARATION, &[("modulus", Value::Integer(6))]).unwrap();
    assert_eq!(task.answer("* 2 3").unwrap(), "0");
    assert!(task.check("- * 4 5 3", "5").unwrap().valid);
    let largest = configured(&prefix::DECLARATION, &[("modulus", Value::Integer(1000))]).unwrap();
    assert_eq!(largest.answer("* 999 999").unwrap(), "1");
    assert!(largest.check("* 999 999", "1").unwrap().valid);
}

#[test]
fn wrong_answers_are_told_what_was_expected() {
    let reason = |answer: &str| mano().check("* 5 * * 3 14 4", answer).unwrap().reason;
    assert_eq!(reason("13"), "expected 12, found 13");
    assert_eq!(reason(""), "expected 12, found the end");
    assert_eq!(reason("12 12"), "expected 1 value and no more, found `12`");
    for word in ["35", "-11", "+12", "012", "1e1", "<ans>", "99999999999999999999999999"] {
        assert!(reason(word).starts_with("expected a number from 0 to 22, found `"), "{word}");
    }
    let reason = |answer: &str| stream().check("3 4 17 * +", answer).unwrap().reason;
    assert_eq!(reason("22 3"), "value 2: expected 2, found 3");
    assert_eq!(reason("22"), "value 2: expected 2, found the end");
    assert_eq!(reason("22 2 2"), "expected 2 values and no more, found `2`");
}

#[test]
fn sequences_are_laid_out_as_documented() {
    let task = mano();
    assert_eq!(task.spec().supervision, Supervision::NextToken);
    assert_eq!(task.spec().vocabulary.len(), 28 + 32);
    let instance = draw(&*task, 5, 1);
    let text = instance.text(&task.spec().vocabulary);
    assert_eq!(text, format!("<bos> <len=5> {} <ans> {}", instance.question, instance.answer));
    let supervised: Vec<usize> = (0..15).filter(|index| instance.loss_mask[*index]).collect();
    assert_eq!((instance.tokens.len(), supervised), (15, vec![14]));
    let plain = configured(&prefix::DECLARATION, &[("length_token", Value::Flag(false))]).unwrap();
    assert_eq!(plain.spec().vocabulary, task.spec().vocabulary[..28]);
    let without = draw(&*plain, 5, 1);
    let text = without.text(&plain.spec().vocabulary);
    assert_eq!(text, format!("<bos> {} <ans> {}", instance.question, instance.answer));
    assert_eq!((&without.question, without.canonical()), (&instance.question, instance.canonical()));
    let task = stream();
    assert_eq!(task.spec().supervision, Supervision::AtToken);
    assert_eq!(task.spec().vocabulary.len(), 27);
    let instance = draw(&*task, 5, 1);
    assert_eq!(instance.text(&task.spec().vocabulary), format!("<bos> {}", instance.question));
    let operator = column(&*task, &instance, "operator");
    let mut answer = Vec::new();
    for (index, loss) in instance.loss_mask.iter().enumerate() {
        assert_eq!(*loss, !operator[index].is_nan());
        if *loss {
            answer.push(task.spec().vocabulary[instance.targets()[index] as usize].as_str());
        } else {
            assert_eq!(instance.targets()[index], instance.tokens[index]);
        }
    }
    assert_eq!(answer.join(" "), instance.answer);
}

#[test]
fn a_token_is_the_place_of_its_word() {
    let alphabet = Alphabet { modulus: 7, operators: Operator::ALL.to_vec() };
    let vocabulary = alphabet.vocabulary(&["<bos>"]);
    assert_eq!(vocabulary.join(" "), "<bos> + - * 0 1 2 3 4 5 6");
    let symbols = Operator::ALL.into_iter().map(Symbol::Operator).chain((0..7).map(Symbol::Operand));
    for symbol in symbols {
        let word = &vocabulary[1 + usize::from(symbol.number())];
        assert_eq!(alphabet.read(word, 1).unwrap(), symbol);
    }
}

#[test]
fn grids_follow_the_parameters() {
    let knob = mano().spec().size.clone().unwrap();
    assert_eq!((knob.minimum, knob.maximum, knob.training), (1, 32, (3..=16).collect::<Vec<_>>()));
    assert_eq!((knob.between, knob.beyond), (vec![], vec![17, 18, 20, 24, 32]));
    let knob = stream().spec().size.clone().unwrap();
    assert_eq!((knob.maximum, knob.training, knob.beyond), (16, (1..=8).collect::<Vec<_>>(), vec![9, 10, 12, 16]));
    let skip = [("skip", Value::Text("10, 5".into())), ("largest_operators", Value::Integer(16))];
    let knob = configured(&prefix::DECLARATION, &skip).unwrap().spec().size.clone().unwrap();
    assert_eq!((knob.between, knob.beyond), (vec![5, 10], vec![]));
    assert_eq!(knob.training, [3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16]);
}

#[test]
fn parameters_that_do_not_fit_are_refused_by_name() {
    let refuse = |name: &'static str, value: Value| {
        configured(&postfix::DECLARATION, &[(name, value)]).err().unwrap().to_string()
    };
    for text in ["", "++", "+/", "+ -", "+-*+"] {
        let expected = format!(
            "parameter `operators` of mano-stream: expected one or more distinct characters out of `+-*`, found `{text}`"
        );
        assert_eq!(refuse("operators", Value::Text(text.into())), expected);
    }
    for text in ["1", "8", "3,,4", "x", "3,3", "9"] {
        let message = refuse("skip", Value::Text(text.into()));
        assert!(message.contains("distinct sizes strictly between 1 and 8"), "{message}");
    }
    assert!(refuse("minimum_operators", Value::Integer(9)).contains("at least minimum_operators, which is 9, found 8"));
    assert!(refuse("largest_operators", Value::Integer(7)).contains("at least maximum_operators, which is 8, found 7"));
    assert!(refuse("modulus", Value::Integer(1)).contains("from 2 to 1000"));
}
