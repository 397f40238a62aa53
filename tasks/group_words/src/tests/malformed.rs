//! Questions that do not parse, and questions that are just large.

use haltbench_sdk::task::Task;

use super::{break_of, words_of};

/// Position and message of the solver's error; the checker must stop at the same position.
fn breaks(task: &dyn Task, question: &str) -> (usize, String) {
    let solver = break_of(task.answer(question));
    assert_eq!(solver, break_of(task.check(question, "0")), "{question}");
    solver
}

#[test]
fn errors_name_the_word_and_what_was_expected() {
    let cases = [
        ("a5", "", 1, "expected an even permutation of 01234, such as `12034`, found the end"),
        ("a5", "  ", 1, "expected an even permutation of 01234, such as `12034`, found the end"),
        ("a5", "12034 10234", 2, "expected an even permutation of 01234, such as `12034`, found `10234`"),
        ("a5", "12034 12033 x", 2, "expected an even permutation of 01234, such as `12034`, found `12033`"),
        ("a5", "<bos> 12034", 1, "expected an even permutation of 01234, such as `12034`, found `<bos>`"),
        ("s5", "10234 1023", 2, "expected a permutation of 01234, such as `12340`, found `1023`"),
        ("s5", "10235", 1, "expected a permutation of 01234, such as `12340`, found `10235`"),
        ("z60", "3 60", 2, "expected a number from 0 to 59, found `60`"),
        ("z60", "07", 1, "expected a number from 0 to 59, found `07`"),
        ("z60", "3 -1", 2, "expected a number from 0 to 59, found `-1`"),
        (
            "a4xz5",
            "0123.5",
            1,
            "expected an even permutation of 0123, a point and a number from 0 to 4, such as `1203.4`, found `0123.5`",
        ),
    ];
    for (group, question, position, message) in cases {
        assert_eq!(breaks(&*words_of(group), question), (position, message.to_owned()), "{question}");
    }
}

#[test]
fn long_questions_are_answered() {
    let task = words_of("s5");
    // Of order 6, so 100,002 are the identity.
    let question = ["10342"; 100_002].join(" ");
    let answer = task.answer(&question).unwrap();
    assert!(answer.ends_with(" 01234"));
    assert!(task.check(&question, &answer).unwrap().valid);
    let sums = words_of("z60").answer(&["59"; 100_000].join(" ")).unwrap();
    assert!(sums.ends_with(&format!(" {}", (59_u64 * 100_000) % 60)));
}
