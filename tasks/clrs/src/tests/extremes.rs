//! Questions with extreme numbers.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use haltbench_sdk::Error;
use haltbench_sdk::random::Stream;

use super::clrs;
use super::malformed::break_of;
use crate::check::check;
use crate::input::{Graph, Input};
use crate::published::{Algorithm, Form, Row, TABLE};
use crate::question;
use crate::solve::solve;

const EXTREMES: [f64; 12] = [1e308, -1e308, 1e200, 1e153, 1e9, 1.0, 0.5, 0.0, -0.0, 1e-17, 1e-308, 5e-324];

/// Far more time than a question of a few numbers needs, so that only an infinite loop exceeds it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Number of questions per algorithm.
const QUESTIONS: usize = 1000;

fn numbers(count: usize, least: f64, most: f64, stream: &mut Stream) -> Vec<f64> {
    let allowed: Vec<f64> = EXTREMES.into_iter().filter(|number| (least..=most).contains(number)).collect();
    (0..count).map(|_| *stream.choose(&allowed)).collect()
}

/// An input of extreme numbers in the form of an algorithm.
fn extreme(row: &Row, stream: &mut Stream) -> Input {
    let size = if row.name == "segments_intersect" { 4 } else { 1 + stream.below(6) as usize };
    let any = |stream: &mut Stream| numbers(size, f64::MIN, f64::MAX, stream);
    match row.form {
        Form::Keys => Input::Keys(any(stream)),
        Form::Dimensions => Input::Keys(numbers(size, 0.0, f64::MAX, stream)),
        Form::Search => {
            let mut keys = any(stream);
            keys.sort_unstable_by(f64::total_cmp);
            Input::Search { keys, target: *stream.choose(&EXTREMES) }
        }
        Form::Probabilities => {
            let mut keys = numbers(size, 0.0, 1.0, stream);
            keys.push(0.0);
            Input::Pair(keys, numbers(size + 1, 0.0, 1.0, stream))
        }
        Form::Activities | Form::Points => Input::Pair(any(stream), any(stream)),
        Form::Tasks => {
            let deadlines = (0..size).map(|_| f64::from(*stream.choose(&[i32::MIN, -1, 0, 1, 3, i32::MAX])));
            Input::Pair(deadlines.collect(), any(stream))
        }
        Form::Strings => {
            let mut letters = |count| (0..count).map(|_| stream.below(2) as u8).collect();
            Input::Strings { first: letters(size), second: letters(size) }
        }
        Form::Graph(edges) | Form::SourcedGraph(edges) => {
            let most = if edges.weighted { f64::MAX } else { 1.0 };
            let mut weights = numbers(size * size, 0.0, most, stream);
            for cell in 0..size * size {
                let mirrored = cell % size * size + cell / size;
                if edges.acyclic && cell / size >= cell % size {
                    weights[cell] = 0.0;
                } else if edges.undirected && mirrored < cell {
                    weights[cell] = weights[mirrored];
                } else if !edges.weighted {
                    weights[cell] = weights[cell].round();
                }
            }
            Input::Graph(Graph { nodes: size, weights, source: stream.below(size as u64) as usize })
        }
    }
}

/// Asks an algorithm questions; returns how many have an answer.
fn ask(row: &Row, asked: &mpsc::Sender<String>) -> usize {
    let task = clrs();
    let mut stream = Stream::new(row.algorithm as u64, "extremes", &[]);
    let mut answered = 0;
    for _ in 0..QUESTIONS {
        let mut question = String::new();
        question::write(&mut question, row, &extreme(row, &mut stream));
        asked.send(question.clone()).unwrap();
        match task.answer(&question) {
            Ok(answer) => {
                answered += 1;
                let verdict = task.check(&question, &answer).unwrap();
                assert!(verdict.valid, "{question}{answer}{}", verdict.reason);
            }
            Err(Error::Malformed { .. }) => {}
            Err(other) => panic!("{question}{other}"),
        }
        // The checker must also end if the solver has no answer.
        let _ = task.check(&question, "0");
    }
    answered
}

#[test]
fn every_question_of_extreme_numbers_ends() {
    for row in &TABLE {
        let (sender, asked) = mpsc::channel();
        // A separate thread, so that an infinite loop fails instead of hanging.
        let asking = std::thread::spawn(move || ask(row, &sender));
        let mut last = String::new();
        loop {
            match asked.recv_timeout(PATIENCE) {
                Ok(question) => last = question,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("no end: {last}"),
            }
        }
        let answered = asking.join().unwrap();
        assert!(answered > QUESTIONS / 20, "{}: {answered}", row.name);
    }
}

/// Reading a question refuses such numbers before the loops over costs; the loops end all the same.
#[test]
fn rounds_over_numbers_that_equal_nothing_end() {
    let (sender, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let dimensions = [1e308, 1e308, 0.0, f64::NAN, 1e308];
        let input = Input::Keys(dimensions.to_vec());
        let solved = solve(Algorithm::MatrixChainOrder, &input).unwrap().entries;
        let row = Algorithm::MatrixChainOrder.row();
        let mut answer = String::new();
        crate::answer::write(&mut answer, row, &input, &solved);
        let _ = check(row, &input, &answer);
        sender.send(solved.len()).unwrap();
    });
    assert_eq!(ended.recv_timeout(PATIENCE), Ok(25));
}

#[test]
fn what_cannot_be_computed_with_is_refused_where_it_stands() {
    let cases = [
        (
            "matrix_chain_order:\np: [1e308 1e308 0.0]\ns:\n",
            31,
            "expected dimensions whose products are finite, found 1e308",
        ),
        (
            "matrix_chain_order:\np: [2.0 1e200 3.0 1e200 0.0]\ns:\n",
            39,
            "expected dimensions whose products are finite, found 1e200",
        ),
        (
            "floyd_warshall:\nA: [[0.0 1e308], [1e308 0.0]]\nPi:\n",
            35,
            "expected weights whose sum is finite, found 1e308",
        ),
        (
            "jarvis_march:\nx: [0.0 1e200], y: [0.0 1.0]\nin_hull:\n",
            23,
            "expected coordinates whose areas are finite, found 1e200",
        ),
        (
            "segments_intersect:\nx: [0.0 1.0 0.5 0.5], y: [0.0 -1e308 0.5 1.0]\nintersect:\n",
            51,
            "expected coordinates whose areas are finite, found -1e308",
        ),
        (
            "find_maximum_subarray_kadane:\nkey: [-1e308 -1e308]\nstart, end:\n",
            44,
            "expected keys whose sums are finite, found -1e308",
        ),
    ];
    for (question, position, message) in cases {
        assert_eq!(break_of(question), (position, message.to_owned()), "{question}");
    }
    // Points that are far apart are not too large.
    let task = clrs();
    assert_eq!(
        task.answer("matrix_chain_order:\np: [1e100 1e-100 1.0 1e100]\ns:\n").unwrap().lines().next(),
        Some("[[0 0 0 0], [0 0 1 1], [0 0 0 2], [0 0 0 0]]")
    );
    assert_eq!(
        task.answer("dijkstra:\ns: 0, A: [[0.0 2e9 0.0], [2e9 0.0 3e9], [0.0 3e9 0.0]]\npi:\n").unwrap(),
        "[0 0 1]\n\n"
    );
}
