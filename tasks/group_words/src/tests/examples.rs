//! Worked examples, computed by hand.

use haltbench_sdk::parameters::Value;
use haltbench_sdk::task::{Split, Supervision, TokenSize};

use super::{column, configured, draw, padded_words_of, words_of};

/// (10234)(02134): i goes to s(g(i)), so 0 -> 0 -> 1, 1 -> 2 -> 2, 2 -> 1 -> 0. The other composition, g(s(i)), would give
/// 20134.
#[test]
fn answers_known_questions() {
    let known = [
        ("s5", "10234 02134 12340", "10234 12034 20341"),
        ("s5", "10234 10234", "10234 01234"),
        ("s5", "12340 12340 12340 12340 12340", "12340 23401 34012 40123 01234"),
        ("a5", "12034 02314 02314", "12034 10324 13204"),
        ("a5", "01234", "01234"),
        ("a4xz5", "1203.4 1032.3", "1203.4 2130.2"),
        ("z60", "59 59 1 59 0", "59 58 59 58 58"),
    ];
    for (group, question, answer) in known {
        let task = words_of(group);
        assert_eq!(task.answer(question).unwrap(), answer, "{question}");
        assert_eq!(task.check(question, answer).unwrap().reason, "", "{question}");
    }
}

#[test]
fn wrong_answers_are_told_what_was_expected() {
    let s5 = |answer: &str| words_of("s5").check("10234 02134 12340", answer).unwrap().reason;
    // The product in the other order.
    assert_eq!(s5("10234 20134 20341"), "product 2: the elements lead from 2 to 0, `20134` to 1");
    assert_eq!(s5("10234 12034"), "product 3: expected a permutation of 01234, such as `12340`, found the end");
    assert_eq!(s5("10234 12034 20341 01234"), "expected 3 products and no more, found `01234`");
    assert_eq!(s5("10234 12034 2034"), "product 3: expected a permutation of 01234, such as `12340`, found `2034`");
    let z60 = |answer: &str| words_of("z60").check("59 59", answer).unwrap().reason;
    assert_eq!(z60("59 57"), "product 2: the sum is 1 modulo 3, `57` is 0");
    assert_eq!(z60("59 60"), "product 2: expected a number from 0 to 59, found `60`");
    // Right modulo 4 and 5, or modulo 3 and 5, alone.
    assert_eq!(z60("59 38"), "product 2: the sum is 1 modulo 3, `38` is 2");
    assert_eq!(z60("59 28"), "product 2: the sum is 2 modulo 4, `28` is 0");
    let a4xz5 = |answer: &str| words_of("a4xz5").check("1203.4 1032.3", answer).unwrap().reason;
    assert_eq!(a4xz5("1203.4 2130.3"), "product 2: the sum is 2 modulo 5, `2130.3` is 3");
}

#[test]
fn sequences_are_laid_out_as_documented() {
    let task = words_of("a5");
    assert_eq!(task.spec().supervision, Supervision::AtToken);
    assert_eq!(task.spec().vocabulary.len(), 61);
    assert_eq!(task.spec().vocabulary[..4], ["<bos>", "01234", "01342", "01423"]);
    let instance = draw(&*task, 5, 1);
    assert_eq!(instance.text(&task.spec().vocabulary), format!("<bos> {}", instance.question));
    let answer: Vec<&str> = instance.answers().map(|token| task.spec().vocabulary[token as usize].as_str()).collect();
    assert_eq!(answer.join(" "), instance.answer);
    assert_eq!((instance.tokens.len(), instance.targets()[0], instance.graded_from), (6, 0, 2));
    assert_eq!(instance.loss_mask, [false, true, true, true, true, true]);
    assert_eq!(words_of("s5").spec().vocabulary.len(), 121);
}

#[test]
fn columns_are_those_of_the_definitions() {
    let task = words_of("a5");
    let instance = draw(&*task, 9, 4);
    let of = |name: &str| column(&*task, &instance, name)[1..].to_vec();
    assert_eq!(of("sequential"), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
    // ceil(log2(t + 1)).
    assert_eq!(of("parallel"), [1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 3.0, 4.0, 4.0]);
    assert!(column(&*task, &instance, "sequential")[0].is_nan());
    let numbers = |tokens: &[u32]| tokens.iter().map(|token| *token as f32 - 1.0).collect::<Vec<f32>>();
    assert_eq!((of("element"), of("product")), (numbers(&instance.tokens[1..]), numbers(&instance.targets()[1..])));
    assert_eq!(of("product_before")[1..], of("product")[..8]);
    assert_eq!(
        (of("product_before")[0], of("position"), of("length")),
        (0.0, (1..=9).map(|x| x as f32).collect(), vec![9.0; 9])
    );
}

/// In a padded word the identity counts nowhere, and the product stays as it is.
#[test]
fn padding_is_not_counted() {
    let task = padded_words_of("s5");
    for seed in 0..200 {
        let instance = draw(&*task, 7, seed);
        let of = |name: &str| column(&*task, &instance, name)[1..].to_vec();
        let (elements, sequential, products) = (of("element"), of("sequential"), of("product"));
        let (mut count, mut product, mut returns) = (0.0, 0.0, 0.0);
        for place in 0..64 {
            count += f32::from(u8::from(elements[place] != 0.0));
            assert_eq!(sequential[place], count);
            assert_eq!(of("returns")[place], returns);
            assert_eq!(elements[place] == 0.0, products[place] == product, "only the identity changes nothing");
            returns += f32::from(u8::from(products[place] == 0.0 && elements[place] != 0.0));
            product = products[place];
        }
        assert_eq!((count, elements.len(), of("size")), (7.0, 64, vec![7.0; 64]));
        assert_eq!(sequential[instance.graded_from - 1], 2.0);
        assert!(sequential[instance.graded_from - 2] < 2.0);
    }
}

#[test]
fn targets_have_the_size_of_their_product() {
    let task = configured(&[("skip", Value::Text("5".into()))]).unwrap();
    for (size, token, own, split) in [
        (16, 3, 3, Split::InRange),
        (5, 5, 5, Split::Embedded),
        (20, 16, 16, Split::Embedded),
        (20, 17, 17, Split::Beyond),
        (20, 0, 0, Split::Embedded),
    ] {
        assert_eq!(task.token_size(size, &draw(&*task, size, 0), token), TokenSize { size: own, split });
    }
    let padded = padded_words_of("a5");
    let instance = draw(&*padded, 20, 0);
    let last = padded.token_size(20, &instance, 64);
    assert_eq!(last, TokenSize { size: 20, split: Split::Beyond });
}

#[test]
fn grids_follow_the_parameters() {
    let knob = words_of("a5").spec().size.clone().unwrap();
    assert_eq!((knob.minimum, knob.maximum, knob.training), (2, 64, (2..=16).collect::<Vec<_>>()));
    assert_eq!((knob.between, knob.beyond), (vec![], vec![20, 24, 32, 64]));
    let given = [("maximum_elements", 6), ("largest_elements", 12)].map(|(name, value)| (name, Value::Integer(value)));
    let knob =
        configured(&[&given[..], &[("skip", Value::Text("4".into()))]].concat()).unwrap().spec().size.clone().unwrap();
    assert_eq!((knob.training, knob.between, knob.beyond), (vec![2, 3, 5, 6], vec![4], vec![7, 9, 12]));
}

#[test]
fn parameters_that_do_not_fit_are_refused_by_name() {
    let refuse = |name, value| configured(&[(name, value)]).err().unwrap().to_string();
    let number = Value::Integer;
    assert_eq!(
        refuse("minimum_elements", number(1)),
        "parameter `minimum_elements` of group-words: expected at least 2, the smallest size with these parameters, found 1"
    );
    assert!(refuse("maximum_elements", number(1)).contains("at least minimum_elements, which is 2, found 1"));
    assert!(refuse("largest_elements", number(15)).contains("at least maximum_elements, which is 16, found 15"));
    assert!(refuse("group", Value::Text("a6".into())).contains("expected one of z60, a4xz5, a5, s5, found a6"));
    for text in ["2", "16", "4,,5", "x", "3,3"] {
        let message = refuse("skip", Value::Text(text.into()));
        assert!(message.contains("distinct sizes strictly between 2 and 16"), "{message}");
    }
}
