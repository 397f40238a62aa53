//! Questions that do not parse.

use haltbench_sdk::Error;
use haltbench_sdk::random::Stream;

use super::clrs;

/// Position and message of the error.
pub fn break_of(question: &str) -> (usize, String) {
    let task = clrs();
    let checked = task.check(question, "0").map(drop);
    let error = task.answer(question).unwrap_err();
    assert!(checked.is_err() || question.starts_with("graham_scan"), "{question}");
    match error {
        Error::Malformed { text: "question", position, message } => (position, message),
        other => panic!("{other}"),
    }
}

#[test]
fn errors_name_the_character_and_what_was_expected() {
    let cases = [
        ("", 1, "expected the name of an algorithm, found the end"),
        ("buble_sort:\n", 1, "expected the name of an algorithm, found `buble_sort:`; did you mean `bubble_sort`?"),
        ("minimum: key", 9, "expected `:\\n`, found `: key`"),
        ("minimum:\nkeys: [1.0]", 13, "expected `: `, found `s: [1.0]`"),
        ("minimum:\nkey: [1.0 x]", 20, "expected a number, found `x]`"),
        ("minimum:\nkey: [1.0 inf]", 20, "expected a number, found `inf]`"),
        ("minimum:\nkey: []", 16, "expected a number, found `]`"),
        ("minimum:\nkey: [1.0 2.0\nmin:\n", 23, "expected ` `, found the end of the line"),
        ("minimum:\nkey: [1.0]\nmax:\n", 22, "expected `min`, found `max:`"),
        ("minimum:\nkey: [1.0]\n", 21, "expected `min`, found the end"),
        ("minimum:\nkey: [1.0]\nmin:\n[", 26, "expected the end, found `[`"),
        ("dfs:\nA: [[0 1], [0 2]]\npi:\n", 20, "expected 0 or 1, found 2"),
        ("dfs:\nA: [[0 1], [0]]\npi:\n", 17, "expected a row of 2 numbers, found 1"),
        ("dfs:\nA: [[0 1]]\npi:\n", 15, "expected `, `, found `]`"),
        ("bfs:\ns: 2, A: [[0 1], [1 0]]\npi:\n", 9, "expected a node from 0 to 1, found 2"),
        (
            "bridges:\nA: [[0 1], [0 0]]\nis_bridge:\n",
            22,
            "expected the weight of the edge from 0 to 1, which goes both ways",
        ),
        (
            "topological_sort:\nA: [[0 1], [1 0]]\ntopo, topo_head:\n",
            24,
            "expected a graph without cycles, and node 0 cannot be put in order",
        ),
        ("dijkstra:\ns: 0, A: [[-0.5]]\npi:\n", 22, "expected a weight of at least 0, found -0.5"),
        ("binary_search:\nkey: [0.2 0.1], target: 0.3\nreturn:\n", 26, "expected keys in ascending order"),
        ("lcs_length:\nstring: [0 1], key: [0 4]\nb:\n", 36, "expected a letter from 0 to 3, found 4"),
        ("lcs_length:\nstring: [1 0], key: [0 3]\nb:\n", 21, "expected one or more 0, then one or more 1"),
        ("graham_scan:\nx: [0.1 0.2], y: [0.1]\nin_hull:\n", 35, "expected 2 numbers, found 1"),
        ("segments_intersect:\nx: [0.1], y: [0.1]\nintersect:\n", 24, "expected 4 numbers, found 1"),
        ("optimal_bst:\np: [0.1 0.2], q: [0.1 0.2]\nroot:\n", 22, "expected 0.0, which fills the keys up"),
        (
            "insertion_sort:\nkey: [0.2 0.1], initial_trace: [0.2 0.1]\ntrace | pred:\n",
            33,
            "expected a question without a trace, because traces of states are not supported, found `initial_trace: \
             [0.2 0.1]`",
        ),
        ("task_scheduling:\nd: [1.5], w: [0.1]\nselected:\n", 22, "expected a whole number, found `1.5], w: [0.1]`"),
        (
            "graham_scan:\nx: [0.1 0.2 0.3 0.4], y: [0.1 0.2 0.3 0.4]\nin_hull:\n",
            14,
            "expected points that are not in a line with the lowest one: Graham's scan does not end on these",
        ),
    ];
    for (question, position, message) in cases {
        assert_eq!(break_of(question), (position, message.to_owned()), "{question}");
    }
}

/// Whole numbers may be written with decimals, and numbers without.
#[test]
fn numbers_have_any_number_of_decimals() {
    let task = clrs();
    for (question, other) in [
        ("bfs:\ns: 1, A: [[0 1], [1 0]]\npi:\n", "bfs:\ns: 1.0, A: [[0.0 1.00], [1 0.000]]\npi:\n"),
        (
            "task_scheduling:\nd: [1 2], w: [0.5 1.0]\nselected:\n",
            "task_scheduling:\nd: [1.0 2.00], w: [0.500 1]\nselected:\n",
        ),
        ("lcs_length:\nstring: [0 1], key: [2 2]\nb:\n", "lcs_length:\nstring: [0.0 1.0], key: [2.0 2]\nb:\n"),
        ("quickselect:\nkey: [3.0 1.0 2.0]\nmedian:\n", "quickselect:\nkey: [3 1 2.0000]\nmedian:\n"),
    ] {
        assert_eq!(task.answer(other).unwrap(), task.answer(question).unwrap(), "{other}");
        assert!(task.check(other, &task.answer(question).unwrap()).unwrap().valid, "{other}");
    }
}

#[test]
fn as_many_numbers_as_allowed_take_seconds_and_one_more_is_refused() {
    let started = std::time::Instant::now();
    let task = clrs();
    let list = |count: usize, of: &dyn Fn(usize) -> String| (0..count).map(of).collect::<Vec<_>>().join(" ");
    let matrix = |of: &dyn Fn(usize, usize) -> String| {
        (0..256).map(|row| format!("[{}]", list(256, &|column| of(row, column)))).collect::<Vec<_>>().join(", ")
    };
    let both_ways = matrix(&|row, column| u8::from(row.abs_diff(column) == 1).to_string());
    let weighted = matrix(&|row, column| format!("0.{}", 1 + (row * column + row + column) % 99));
    let keys = |count| list(count, &|place| format!("0.{:03}", 1 + place * 37 % 991));
    for question in [
        format!("insertion_sort:\nkey: [{}]\npred:\n", keys(256)),
        format!("matrix_chain_order:\np: [{}]\ns:\n", keys(256)),
        format!("optimal_bst:\np: [{} 0.0], q: [{}]\nroot:\n", keys(127), keys(128)),
        format!("bridges:\nA: [{both_ways}]\nis_bridge:\n"),
        format!("articulation_points:\nA: [{both_ways}]\nis_cut:\n"),
        format!("floyd_warshall:\nA: [{weighted}]\nPi:\n"),
        format!("mst_kruskal:\nA: [{weighted}]\nin_mst:\n"),
        format!(
            "graham_scan:\nx: [{}], y: [{}]\nin_hull:\n",
            keys(256),
            list(256, &|place| format!("0.{:03}", 1 + place * place % 997))
        ),
    ] {
        if let Ok(answer) = task.answer(&question) {
            let verdict = task.check(&question, &answer).unwrap();
            assert!(verdict.valid, "{}: {}", &question[..20], verdict.reason);
        }
    }
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
    let (_, message) = break_of(&format!("minimum:\nkey: [{}]\nmin:\n", keys(257)));
    assert_eq!(message, "expected at most 256 numbers in a list, found more");
}

#[test]
fn damaged_questions_never_panic() {
    let mut stream = Stream::new(1, "malformed", &[]);
    let characters: Vec<char> = "0129.-[], :\nAsé".chars().collect();
    for record in include_str!("../../fixtures/clrs_text.jsonl").lines().step_by(3) {
        let record: serde_json::Value = serde_json::from_str(record).unwrap();
        let question: Vec<char> = record["question"].as_str().unwrap().chars().collect();
        for _ in 0..20 {
            let mut damaged = question.clone();
            let place = stream.below(damaged.len() as u64) as usize;
            match stream.below(3) {
                0 => damaged[place] = *stream.choose(&characters),
                1 => drop(damaged.remove(place)),
                _ => damaged.truncate(place),
            }
            let damaged: String = damaged.into_iter().collect();
            let task = clrs();
            if let Ok(answer) = task.answer(&damaged) {
                let verdict = task.check(&damaged, &answer).unwrap();
                assert!(verdict.valid, "{damaged}{answer}{}", verdict.reason);
            }
        }
    }
}

#[test]
fn white_space_around_a_question_and_an_answer_is_of_no_account() {
    let task = clrs();
    assert_eq!(task.answer("minimum:\nkey: [0.2 0.1]\nmin:").unwrap(), "1\n\n");
    assert!(task.check("minimum:\nkey: [0.2 0.1]\nmin:\n", " 1\n").unwrap().valid);
}

#[test]
fn degenerate_inputs_have_the_benchmarks_answers() {
    let task = clrs();
    let cases = [
        // Segments that touch: at an end, along a line, not at all.
        ("segments_intersect:\nx: [0.0 2.0 1.0 1.0], y: [0.0 0.0 0.0 1.0]\nintersect:\n", "1\n\n"),
        ("segments_intersect:\nx: [0.0 1.0 0.5 2.0], y: [0.0 0.0 0.0 0.0]\nintersect:\n", "1\n\n"),
        ("segments_intersect:\nx: [0.0 1.0 2.0 3.0], y: [0.0 0.0 0.0 0.0]\nintersect:\n", "0\n\n"),
        // A point in the middle of a side is not a corner for the scan, but it is for the march.
        ("graham_scan:\nx: [0.0 2.0 2.0 0.0 2.0], y: [0.0 0.0 2.0 2.0 1.0]\nin_hull:\n", "[1 1 1 1 0]\n\n"),
        ("jarvis_march:\nx: [0.0 2.0 2.0 0.0 2.0], y: [0.0 0.0 2.0 2.0 1.0]\nin_hull:\n", "[1 1 1 1 1]\n\n"),
        ("minimum:\nkey: [0.2 0.1 0.1]\nmin:\n", "1\n\n"),
        ("find_maximum_subarray_kadane:\nkey: [-0.2 -0.1 -0.1]\nstart, end:\n", "1, 1\n\n"),
        (
            "insertion_sort:\nkey: [1e-05 0.5 -0.0 12345678901234567.0]\npred:\n",
            "[-0.0 1e-05 0.5 1.2345678901234568e+16]\n\n",
        ),
        ("naive_string_matcher:\nstring: [0 0 1], key: [0 1 2]\nmatch:\n", "2\n\n"),
        ("kmp_matcher:\nstring: [0 1 1], key: [0 1 2]\nmatch:\n", "1\n\n"),
    ];
    for (question, answer) in cases {
        assert_eq!(task.answer(question).unwrap(), answer, "{question}");
        let verdict = task.check(question, answer).unwrap();
        assert!(verdict.valid, "{question}{answer}{}", verdict.reason);
    }
}
