//! Questions that do not parse, and answers that are wrong.

use haltbench_sdk::random::Stream;

use super::{break_of, configured, lano};

#[test]
fn questions_break_off_at_the_token_where_no_string_continues() {
    let task = lano("toy");
    let cases = [
        ("3", 1, "expected a terminal out of `1` `2`, found `3`"),
        ("1 2 1 <eos>", 4, "expected a terminal out of `1` `2`, found `<eos>`"),
        ("1 2 1 2", 4, "no string of the language continues like this: expected `1`, found `2`"),
        ("1 2 1 1 1", 5, "no string of the language continues like this: expected the end, found `1`"),
        ("1 2 1 2 x", 4, "no string of the language continues like this: expected `1`, found `2`"),
    ];
    for (question, position, message) in cases {
        assert_eq!(break_of(task.answer(question)), (position, message.to_owned()), "{question}");
        assert_eq!(break_of(task.check(question, "1")).0, position, "{question}");
    }
}

#[test]
fn known_questions_are_completed() {
    let task = lano("toy");
    for (question, answer) in [("1 2 1", "1"), ("1 2 1 1", ""), ("2 2 1 2 2", "2 1 2 1"), ("1 2 2 2", "1")] {
        let found = task.answer(question).unwrap();
        assert!(task.check(question, &found).unwrap().valid, "{question} {found}");
        assert!(task.check(question, answer).unwrap().valid || question == "2 2 1 2 2", "{question}");
        if question != "2 2 1 2 2" {
            assert_eq!(found, answer);
        }
    }
}

#[test]
fn wrong_answers_say_why() {
    let task = lano("toy");
    let reason = |answer: &str| task.check("1 2", answer).unwrap().reason;
    assert_eq!(reason("1 1"), "");
    assert_eq!(reason("1"), "the string breaks off: no string of the language ends here");
    assert_eq!(reason("1 2"), "token 2: no string of the language continues like this with `2`");
    assert_eq!(reason("1 1 1"), "token 3: no string of the language continues like this with `1`");
    assert_eq!(reason("1 <eos>"), "token 2: expected a terminal out of `1` `2`, found `<eos>`");
}

#[test]
fn solver_and_checker_refuse_the_same_questions() {
    let mut draws = Stream::new(3, "malformed", &[]);
    let words = ["1", "2", "3", "?"];
    let mut refused = 0;
    for name in ["toy", "cfg3b"] {
        let task = lano(name);
        for _ in 0..2000 {
            let length = draws.below(9);
            let count = if draws.below(10) == 0 { 4 } else { 3 };
            let question = (0..length).map(|_| words[draws.below(count) as usize]).collect::<Vec<_>>().join(" ");
            match (task.answer(&question), task.check(&question, "")) {
                (Ok(answer), Ok(_)) => assert!(task.check(&question, &answer).unwrap().valid, "{question}"),
                (answer, check) => {
                    refused += 1;
                    assert_eq!(break_of(answer).0, break_of(check).0, "{question}");
                }
            }
        }
    }
    assert!(refused > 100 && refused < 3900, "{refused}");
}

#[test]
fn a_size_is_refused() {
    let error = lano("toy").sample(3, &mut Stream::new(0, "test", &[])).unwrap_err();
    assert_eq!(error.to_string(), "size of lano: expected none or 0, it has no size, found 3");
}

#[test]
fn parameters_that_do_not_fit_together_are_refused() {
    use haltbench_sdk::parameters::Value::{Integer, Text};
    let text = |word: &str| Text(word.to_owned());
    let cases: [(&[(&str, _)], &str); 5] = [
        (
            &[("grammar", text("file"))],
            "parameter `grammar_file` of lano: expected the path of a grammar file, found none",
        ),
        (
            &[("grammar_file", text("a.txt"))],
            "parameter `grammar` of lano: expected `file` beside a grammar_file, found `cfg3b`",
        ),
        (
            &[("grammar", text("file")), ("grammar_file", text("/no/such"))],
            "parameter `grammar_file` of lano: expected a file of text, found /no/such: No such file",
        ),
        (
            &[("grammar", text("sampled")), ("minimum_children", Integer(3)), ("maximum_children", Integer(2))],
            "parameter `maximum_children` of lano: expected at least minimum_children, which is 3, found 2",
        ),
        (
            &[("grammar", text("sampled")), ("maximum_alternatives", Integer(1)), ("minimum_alternatives", Integer(1))],
            "sampled grammar: expected a shape that lets every symbol be reached, found none for level 0",
        ),
    ];
    for (given, message) in cases {
        let Err(error) = configured(given).map(drop) else {
            assert!(message.starts_with("sampled"), "{message}");
            continue;
        };
        assert!(error.to_string().starts_with(message), "{error}");
    }
}
