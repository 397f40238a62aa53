//! Questions that do not parse, and wrong answers.

use haltbench_sdk::random::Stream;

use super::{break_of, configured, instance, lano};

#[test]
fn questions_break_off_at_the_first_word_that_is_no_terminal() {
    let task = lano("toy");
    let cases = [
        ("3", 1, "expected a terminal out of `1` `2`, found `3`"),
        ("1 2 1 <eos>", 4, "expected a terminal out of `1` `2`, found `<eos>`"),
        ("1 2 01", 3, "expected a terminal out of `1` `2`, found `01`"),
        ("1 abcdefghijklmnopqrstuvwxyz", 2, "expected a terminal out of `1` `2`, found `abcdefghijklmnopqrstuvwx…`"),
    ];
    for (question, position, message) in cases {
        assert_eq!(break_of(task.answer(question)), (position, message.to_owned()), "{question}");
        assert_eq!(break_of(task.check(question, "valid 0")), (position, message.to_owned()), "{question}");
    }
}

#[test]
fn strings_are_judged() {
    let task = lano("toy");
    let cases = [
        ("1 2 1 1", "valid -2.079442"),
        ("1 1 1 2 1 1", "valid -2.772589"),
        (" 1  2 1\n1 ", "valid -2.079442"),
        ("", "invalid 1"),
        ("1 2 1", "invalid 4"),
        ("1 2 1 2", "invalid 4"),
        ("1 2 1 1 1", "invalid 5"),
        ("2 2 2 1 1", "invalid 3"),
    ];
    for (question, answer) in cases {
        assert_eq!(task.answer(question).unwrap(), answer, "{question}");
        assert!(task.check(question, answer).unwrap().valid, "{question}");
    }
}

#[test]
fn wrong_answers_say_why() {
    let task = lano("toy");
    let reason = |question: &str, answer: &str| task.check(question, answer).unwrap().reason;
    assert_eq!(reason("1 2 1 1", "valid -2.0794421"), "");
    for wrong in
        ["valid", "-2.079442", "valid -2.07945", "valid -2.08 1", "invalid 5", "valid nan", "valid -inf", "valid +2"]
    {
        let expected = format!("expected `valid -2.079442`, found `{wrong}`");
        assert_eq!(reason("1 2 1 1", wrong), expected);
    }
    assert_eq!(reason("1 2 1 2", ""), "expected `invalid 4`, found nothing");
    assert_eq!(reason("1 2 1 2", "invalid 3"), "expected `invalid 4`, found `invalid 3`");
    assert_eq!(reason("1 2 1 2", "valid -2.079442"), "expected `invalid 4`, found `valid -2.079442`");
}

#[test]
fn solver_and_checker_judge_noise_alike() {
    let mut draws = Stream::new(3, "noise", &[]);
    let mut valid = 0;
    for name in ["toy", "cfg3b", "sampled"] {
        let task = lano(name);
        let words = &task.spec().vocabulary[2..];
        for _ in 0..1500 {
            let length = draws.below(10);
            let question = (0..length).map(|_| draws.choose(words).as_str()).collect::<Vec<_>>().join(" ");
            let answer = task.answer(&question).unwrap();
            assert!(task.check(&question, &answer).unwrap().valid, "{question}: {answer}");
            valid += usize::from(answer.starts_with("valid"));
        }
    }
    assert!(valid > 20, "{valid}");
}

/// For long strings with one changed token, the solver breaks off where the checker does.
#[test]
fn solver_and_checker_judge_damage_alike() {
    for name in ["cfg3b", "cfg3k"] {
        let task = lano(name);
        for seed in 0..30 {
            let question = instance(&*task, seed).question;
            let mut words: Vec<&str> = question.split(' ').collect();
            let place = (seed as usize * 37) % words.len();
            words[place] = if words[place] == "1" { "2" } else { "1" };
            let damaged = words.join(" ");
            let answer = task.answer(&damaged).unwrap();
            assert!(task.check(&damaged, &answer).unwrap().valid, "{answer}");
        }
    }
}

#[test]
fn a_size_is_refused() {
    let error = lano("toy").sample(3, &mut Stream::new(0, "test", &[])).unwrap_err();
    assert_eq!(error.to_string(), "size of lano: expected none or 0, it has no size, found 3");
}

#[test]
fn parameters_that_do_not_fit_together_are_refused() {
    use haltbench_sdk::parameters::Value::{Flag, Integer, Text};
    let text = |word: &str| Text(word.to_owned());
    let cases: [(&[(&str, _)], &str); 8] = [
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
            &[
                ("grammar", text("sampled")),
                ("symbols", Integer(16)),
                ("terminals", Integer(16)),
                ("maximum_children", Integer(2)),
            ],
            "sampled grammar: expected a shape that lets every symbol be reached: fewer `symbols`, or more \
             `maximum_alternatives` or `maximum_children`, found none for level 0 in 1000 draws",
        ),
        (
            &[
                ("grammar", text("sampled")),
                ("terminals", Integer(2)),
                ("depth", Integer(1)),
                ("minimum_alternatives", Integer(5)),
                ("maximum_alternatives", Integer(5)),
                ("maximum_children", Integer(2)),
            ],
            "sampled grammar: expected a shape with enough distinct alternatives: fewer `maximum_alternatives`, more \
             `terminals` or `maximum_children`, or no `distinct_alternatives` or `distinct_children`, found none for \
             level 0 in 1000 draws",
        ),
        (&[("depth", Integer(3))], "parameter `grammar` of lano: expected `sampled` beside a depth, found `cfg3b`"),
        (
            &[("grammar", text("toy")), ("distinct_children", Flag(true))],
            "parameter `grammar` of lano: expected `sampled` beside a distinct_children, found `toy`",
        ),
    ];
    for (given, message) in cases {
        let error = configured(given).map(drop).unwrap_err();
        assert!(error.to_string().starts_with(message), "{error}");
    }
    // Setting a parameter to its default is the same as not setting it, and a drawn grammar accepts all the others.
    assert!(configured(&[("depth", Integer(4))]).is_ok());
    assert!(configured(&[("grammar", text("sampled")), ("depth", Integer(3))]).is_ok());
}
