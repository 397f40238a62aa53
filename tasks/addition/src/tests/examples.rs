//! Worked examples, computed by hand.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::task::Supervision;

use super::{addition, column, configured, draw, equally_long};
use crate::settings::First;
use crate::sum::Sum;

/// Digits of a number, least significant first.
fn digits(number: &str) -> Vec<u8> {
    number.bytes().rev().map(|byte| byte - b'0').collect()
}

#[test]
fn answers_known_questions() {
    let known = [
        ("most", true, "1 2 9 9 + 3 7 0 1", "0 5 0 0 0"),
        ("most", true, "9 9 9 9 + 0 0 0 1", "1 0 0 0 0"),
        ("least", true, "9 9 2 1 + 1 0 7 3", "0 0 0 5 0"),
        ("most", false, "1 2 9 9 + 3 7 0 1", "5 0 0 0"),
        ("most", false, "9 9 9 + 1", "1 0 0 0"),
        ("least", false, "1 + 9 9 9", "0 0 0 1"),
        ("least", false, "0 5 + 7", "7 5"),
        ("most", false, "0 + 0", "0"),
        ("most", true, "0 + 0", "0 0"),
    ];
    for (first, is_padded, question, answer) in known {
        let task = addition(first, is_padded);
        assert_eq!(task.answer(question).unwrap(), answer, "{question}");
        assert_eq!(task.check(question, answer).unwrap().reason, "", "{question}");
    }
}

/// Lookbacks of every place from the most significant on, and chains: 5555 + 4444 looks back far although nothing is
/// carried.
#[test]
fn lookbacks_are_the_known_ones() {
    let known: [(&str, &str, [usize; 5], [usize; 5]); 4] = [
        ("1299", "3701", [1, 3, 2, 1, 0], [0, 3, 2, 1, 0]),
        ("9999", "0001", [4, 3, 2, 1, 0], [4, 3, 2, 1, 0]),
        ("1234", "4321", [1, 1, 1, 1, 0], [0; 5]),
        ("5555", "4444", [4, 3, 2, 1, 0], [0; 5]),
    ];
    for (first, second, lookbacks, chains) in known {
        let sum = Sum::of(4, [digits(first), digits(second)], true);
        let at = |of: &dyn Fn(usize) -> usize| -> Vec<usize> { (0..5).rev().map(of).collect() };
        assert_eq!(at(&|place| sum.lookback(place)), lookbacks, "{first} + {second}");
        assert_eq!(at(&|place| sum.chain(place)), chains, "{first} + {second}");
    }
}

#[test]
fn orders_are_reversed() {
    let mut digits = [1, 2, 3];
    First::Least.arrange(&mut digits);
    assert_eq!(digits, [1, 2, 3]);
    First::Most.arrange(&mut digits);
    assert_eq!(digits, [3, 2, 1]);
}

#[test]
fn wrong_answers_are_told_what_was_expected() {
    let most = |answer: &str| addition("most", true).check("1 2 9 9 + 3 7 0 1", answer).unwrap().reason;
    // 4990 - 3701 = 1289.
    assert_eq!(most("0 4 9 9 0"), "the answer minus the second number has 8 at 10^1, where the first number has 9");
    assert_eq!(most("5 0 0 0"), "expected 5 digits, found 4");
    assert_eq!(most("0 5 0 0 0 0"), "expected 5 digits, found 6");
    assert_eq!(most("0 5 0 0 x"), "digit 5: expected one from 0 to 9, found `x`");
    assert_eq!(most("0 5 0 0 10"), "digit 5: expected one from 0 to 9, found `10`");
    assert_eq!(most("1 5 0 0 0"), "the answer minus the second number has 1 at 10^4, where the first number has 0");
    let plain = |answer: &str| addition("most", false).check("5 + 7", answer).unwrap().reason;
    assert_eq!(plain("2"), "the answer is smaller than the second number");
    assert_eq!(plain("1 2"), "");
    assert_eq!(plain("0 1 2"), "expected 1 or 2 digits, found 3");
    assert_eq!(plain(""), "expected 1 or 2 digits, found 0");
    assert_eq!(addition("most", false).check("2 + 3", "0 5").unwrap().reason, "the most significant digit is 0");
    assert_eq!(addition("least", false).check("2 + 3", "5 0").unwrap().reason, "the most significant digit is 0");
}

#[test]
fn sequences_are_laid_out_as_documented() {
    let task = addition("most", true);
    assert_eq!(task.spec().supervision, Supervision::NextToken);
    assert_eq!(task.spec().vocabulary.join(" "), "<bos> <eos> + = 0 1 2 3 4 5 6 7 8 9");
    let instance = draw(&*task, 4, 1);
    let text = |task: &dyn haltbench_sdk::task::Task, instance: &haltbench_sdk::task::Instance| {
        instance.text(&task.spec().vocabulary)
    };
    assert_eq!(text(&*task, &instance), format!("<bos> {} = {}", instance.question, instance.answer));
    assert_eq!(instance.tokens.len(), 3 + 4 + 4 + 5);
    assert_eq!(instance.graded().collect::<Vec<_>>(), [11, 12, 13, 14, 15]);
    let plain = addition("least", false);
    let instance = draw(&*plain, 4, 1);
    assert_eq!(text(&*plain, &instance), format!("<bos> {} = {} <eos>", instance.question, instance.answer));
    assert_eq!(instance.graded().count(), instance.answer.split(' ').count() + 1);
    for size in [1, 8, 32] {
        assert_eq!(draw(&*equally_long("most"), size, 0).tokens.len(), 3 + 32 + 32 + 33);
    }
}

/// One seed gives the same numbers in both orders, in the same part; only complexities and the order differ.
#[test]
fn orders_share_numbers_and_parts() {
    let reversed = |text: &str| {
        let numbers = text.split(" + ").map(|number| number.split(' ').rev().collect::<Vec<_>>().join(" "));
        numbers.collect::<Vec<_>>().join(" + ")
    };
    for is_padded in [true, false] {
        let [most, least] = ["most", "least"].map(|first| addition(first, is_padded));
        for seed in 0..300 {
            let [left, right] = [&most, &least].map(|task| draw(&**task, 6, seed));
            assert_eq!((left.canonical(), left.tokens.len()), (right.canonical(), right.tokens.len()));
            assert_eq!(
                (reversed(&left.question), reversed(&left.answer)),
                (right.question.clone(), right.answer.clone())
            );
            let complexity = column(&*least, &right, "lookback");
            assert!(right.graded().all(|token| complexity[token] == 1.0));
        }
    }
}

#[test]
fn a_sum_and_its_reverse_are_one_problem() {
    let task = addition("most", false);
    let (mut seen, mut both) = (std::collections::BTreeMap::new(), 0);
    for seed in 0..3000 {
        let instance = draw(&*task, 1, seed);
        let mut numbers: Vec<&str> = instance.question.split(" + ").collect();
        numbers.sort_unstable();
        assert_eq!(instance.problem(), numbers.join("+"));
        both += usize::from(*seen.entry(numbers.join("+")).or_insert(instance.question.clone()) != instance.question);
    }
    assert_eq!(seen.len(), 55, "ten pairs of equal digits and 45 others");
    assert!(both > 1000);
}

#[test]
fn grids_follow_the_parameters() {
    let knob = addition("most", true).spec().size.clone().unwrap();
    assert_eq!((knob.minimum, knob.maximum, knob.training), (1, 32, (1..=8).collect::<Vec<_>>()));
    assert_eq!((knob.between, knob.beyond), (vec![], vec![10, 12, 16, 32]));
}

#[test]
fn parameters_that_do_not_fit_are_refused_by_name() {
    let refuse = |given: &[(&str, Value)]| configured(given).err().unwrap().to_string();
    assert_eq!(
        refuse(&[("equal_length", Value::Flag(true)), ("zero_padding", Value::Flag(false))]),
        "parameter `equal_length` of addition: expected false without zero_padding, because zeros make lengths equal, \
         found true"
    );
    assert!(refuse(&[("nine_probability", Value::Real(1.5))]).contains("a number from 0 to 1, found 1.5"));
    assert!(refuse(&[("first_digit", Value::Text("last".into()))]).contains("one of most, least"));
    assert!(refuse(&[("maximum_digits", Value::Integer(0))]).contains("from 1 to 4096"));
    assert!(refuse(&[("minimum_digits", Value::Integer(9))]).contains("at least minimum_digits, which is 9, found 8"));
    assert!(refuse(&[("largest_digits", Value::Integer(7))]).contains("at least maximum_digits, which is 8, found 7"));
    assert!(refuse(&[("skip", Value::Text("8".into()))]).contains("distinct sizes strictly between 1 and 8"));
}
