//! Every number of a board against its value by hand.

#![allow(clippy::unwrap_used)]

mod fake;

use fake::Fake;
use fake::reading::{IN_RANGE, SEEDS, all, board, equals, metric, row};
use haltbench_report::{Board, Criterion, Row};
use haltbench_sdk::policy::Role;

#[test]
fn accuracies_depths_and_costs() {
    let board = board(&all(), SEEDS, Criterion::Accuracy);
    let follower = row(&board, "follower");
    // In range there are 10 answer tokens, one wrong in each of four sequences; beyond, one of four that are not
    // embedded is wrong.
    equals(metric(follower, "token_accuracy", IN_RANGE), 0.6);
    equals(metric(follower, "exact_match", IN_RANGE), 0.0);
    equals(metric(follower, "token_accuracy", Some("embedded")), 1.0);
    equals(metric(follower, "token_accuracy", Some("beyond")), 0.75);
    assert!(follower.metric("token_accuracy", Some("between")).is_none());
    assert!(follower.metric("exact_match", Some("embedded")).is_none());
    assert_eq!(metric(follower, "token_accuracy", IN_RANGE).count, 30);
    // Heights 1 2, 1 2, 1 2 3, 1 2 3, and four prompt tokens of one step.
    equals(metric(follower, "answer_depth", IN_RANGE), 18.0 / 10.0);
    equals(metric(follower, "depth", IN_RANGE), 22.0 / 14.0);
    // One decision of 1 operation per token, or per token-step.
    equals(metric(follower, "flops", IN_RANGE), 11.0 + 100.0 * 22.0 / 14.0);
    equals(metric(follower, "flops_share", IN_RANGE), (11.0 + 100.0 * 22.0 / 14.0) / 410.0);
    equals(metric(row(&board, "opposer"), "flops", IN_RANGE), 10.0 + 101.0 * 26.0 / 14.0);
    equals(metric(row(&board, "fixed(depth=3)"), "flops", IN_RANGE), 310.0);
    equals(metric(row(&board, "fixed(depth=1)"), "exact_match", IN_RANGE), 0.0);
    let method = metric(follower, "token_accuracy", IN_RANGE).method.as_deref();
    assert_eq!(method, Some("two-way random effects, seeds and problems"));
    // 2, 2.1 and 2.2 at the end of training: 2.1 ± t₂ 0.1 / √3, with t₂ = 4.302653.
    let trained = metric(follower, "trained_answer_depth", IN_RANGE);
    equals(trained, 2.1);
    assert!((trained.low.unwrap() - (2.1 - 0.430_265_3 / 3_f64.sqrt())).abs() < 1e-6, "{trained:?}");
    assert_eq!(trained.method.as_deref(), Some("t over seeds"));
}

/// All four sequences are wrong: up to 60 % of all might be right (Clopper and Pearson).
#[test]
fn nothing_right_is_no_proof_that_nothing_ever_is() {
    let board = board(&all(), SEEDS, Criterion::Accuracy);
    let exact = metric(row(&board, "follower"), "exact_match", IN_RANGE);
    assert_eq!((exact.value, exact.low), (Some(0.0), Some(0.0)));
    assert!((exact.high.unwrap() - (1.0 - 0.025_f64.powf(0.25))).abs() < 1e-12);
}

#[test]
fn speed_is_a_ratio_that_differs_from_one() {
    let speed = |timed, seeds: &[u64]| {
        let board = board(&[Fake { timed, ..Fake::follower() }], seeds, Criterion::Accuracy);
        metric(&board.rows[0], "speed", IN_RANGE).clone()
    };
    // Logarithms ln 1.5 and ln 1.5 ± ln 1.01: their mean ± t₂ ln 1.01 / √3.
    let one = speed(&[[2.0, 3.0], [2.02, 3.0], [2.0, 3.03]], &[0]);
    equals(&one, 1.5);
    let width = 4.302_653 * 1.01_f64.ln() / 3_f64.sqrt();
    assert!((one.high.unwrap() - 1.5 * width.exp()).abs() < 1e-6, "{one:?}");
    assert_eq!(one.method.as_deref(), Some("t over repetitions; training is not in it"));
    equals(&speed(&[[2.0, 3.0], [2.02, 3.0], [2.0, 3.03]], &[0, 1]), 1.5);
    let unclear = speed(&[[2.0, 2.1], [2.0, 2.4], [2.0, 1.9]], &[0]);
    assert_eq!(unclear.value, None);
    assert!(unclear.reason.as_ref().unwrap().starts_with("neither faster nor slower: its interval [0."), "{unclear:?}");
    let once = speed(&[[2.0, 3.0]], &[0]);
    assert_eq!(once.reason.as_deref(), Some("a single measurement does not say how far it can be trusted"));
}

#[test]
fn alignment_is_null_where_depth_or_its_rest_is_constant() {
    let board = board(&all(), SEEDS, Criterion::Accuracy);
    let (follower, opposer) = (row(&board, "follower"), row(&board, "opposer"));
    for name in ["spearman", "spearman_within_size", "spearman_above_lowest", "spearman_partial_static"] {
        equals(metric(follower, name, IN_RANGE), 1.0);
        equals(metric(opposer, name, IN_RANGE), -1.0);
    }
    // Where a token is read, the next one is predicted, one higher; the last token of a sequence predicts nothing.
    equals(metric(follower, "spearman_at_token", IN_RANGE), 1.0);
    assert_eq!(metric(follower, "spearman_at_token", IN_RANGE).count, 18);
    assert_eq!(
        (&board.static_features[..], &board.static_features_left_out[..]),
        (&["odd".to_owned()][..], &["rare".to_owned()][..])
    );
    let undefined = metric(follower, "spearman_expected", IN_RANGE);
    assert_eq!((undefined.value, undefined.reason.as_deref()), (None, Some("the quantity is not defined here")));
    let constant = Some("one of the two is constant, or nothing is left of it");
    // The position equals the height, so nothing is left to explain.
    assert_eq!(metric(follower, "spearman_partial", IN_RANGE).reason.as_deref(), constant);
    let fixed = metric(row(&board, "fixed(depth=3)"), "spearman", IN_RANGE);
    assert_eq!((fixed.value, fixed.reason.as_deref()), (None, constant));
    assert_eq!(fixed.complexity.as_deref(), Some("height"));
}

#[test]
fn levels_have_accuracy_and_depth() {
    let board = board(&all(), SEEDS, Criterion::Accuracy);
    let level = |name: &str, level: f64| {
        let mut metrics = row(&board, "follower").metrics.iter();
        metrics.find(|metric| metric.metric == name && metric.level == Some(level)).unwrap()
    };
    // Height 2 is the last token of the sequences of size 2; height 3 is always the last.
    for (height, accuracy, count) in [(1.0, 1.0, 12), (2.0, 0.5, 12), (3.0, 0.0, 6)] {
        equals(level("token_accuracy_by_level", height), accuracy);
        equals(level("answer_depth_by_level", height), height);
        assert_eq!(level("token_accuracy_by_level", height).count, count);
    }
    for height in [2.0, 3.0] {
        equals(level("answer_depth_increment", height), 1.0);
    }
    // At size 2, half of the answers and the two embedded ones are correct; at size 3 two of three, at size 5 three of
    // four.
    for (size, accuracy, depth, count) in
        [(2.0, 4.0 / 6.0, 8.0 / 6.0, 18), (3.0, 4.0 / 6.0, 2.0, 18), (5.0, 0.75, 13.0 / 4.0, 24)]
    {
        equals(level("token_accuracy_by_size", size), accuracy);
        equals(level("answer_depth_by_size", size), depth);
        assert_eq!(level("token_accuracy_by_size", size).count, count);
    }
    assert_eq!(board.trained_sizes, [2, 3]);
}

/// Best rank, worst rank and letters.
type Standing = Option<(usize, usize, String)>;

fn ranks(board: &Board) -> Vec<(&str, Standing)> {
    let place =
        |row: &Row| -> Standing { Some((row.place.rank_low?, row.place.rank_high?, row.place.letters.clone()?)) };
    board.rows.iter().map(|row| (row.policy.as_str(), place(row))).collect()
}

#[test]
fn policies_that_cannot_be_told_apart_share_a_letter_and_oracles_have_no_rank() {
    let board = board(&all(), SEEDS, Criterion::Accuracy);
    let of = |low, high, letters: &str| Some((low, high, letters.to_owned()));
    // For any number of seeds, they share four sequences.
    let expected = [
        ("fixed(depth=3)", of(1, 1, "a")),
        ("follower", of(2, 4, "b")),
        ("opposer", of(2, 4, "b")),
        ("fixed(depth=1)", of(2, 4, "b")),
        ("oracle", None),
    ];
    assert_eq!(ranks(&board), expected);
    assert_eq!(row(&board, "oracle").place.reason.as_deref(), Some("oracles read what a policy cannot know"));
    assert_eq!(board.differences.len(), 6);
    let pair = |first: &str, second: &str| {
        board.differences.iter().find(|pair| pair.first == first && pair.second == second).unwrap()
    };
    let best = pair("fixed(depth=3)", "fixed(depth=1)");
    assert!((best.difference.unwrap() - 0.6).abs() < 1e-12 && best.low.unwrap() > 0.0 && best.different);
    let equal = pair("follower", "opposer");
    assert!(equal.difference == Some(0.0) && !equal.different);
}

#[test]
fn every_criterion_ranks_or_says_why_not() {
    let order = |criterion| {
        let board = board(&all(), SEEDS, criterion);
        let (ranked, unranked): (Vec<&Row>, Vec<&Row>) = board.rows.iter().partition(|row| row.place.letters.is_some());
        assert!(unranked.iter().all(|row| row.place.reason.is_some()));
        assert!(ranked.iter().all(|row| row.place.reason.is_none()));
        ranked.iter().map(|row| row.policy.clone()).collect::<Vec<_>>()
    };
    let rising = ["fixed(depth=1)", "follower", "opposer", "fixed(depth=3)"];
    for criterion in [Criterion::AnswerDepth, Criterion::Depth, Criterion::Flops] {
        assert_eq!(order(criterion), rising);
    }
    assert_eq!(order(Criterion::ExactMatch), ["fixed(depth=3)", "fixed(depth=1)", "follower", "opposer"]);
    // Embedded answers have height 1, which all policies get right.
    assert_eq!(order(Criterion::Embedded), ["fixed(depth=1)", "follower", "fixed(depth=3)", "opposer"]);
    assert_eq!(order(Criterion::Beyond)[3], "fixed(depth=1)");
    assert_eq!(order(Criterion::AdaptGain), ["follower", "opposer"]);
    assert_eq!(order(Criterion::AdaptGainAnswers), ["fixed(depth=3)", "follower", "opposer"]);
    assert_eq!(order(Criterion::Alignment), ["follower", "opposer"]);
    assert_eq!(order(Criterion::Between), Vec::<String>::new());
}

#[test]
fn alignment_is_ranked_by_what_it_is_reported_as() {
    let mut noisy = Fake::follower();
    noisy.depth = |height| if height == 2 { 4 } else { height };
    let board = board(&[noisy, Fake::opposer()], SEEDS, Criterion::Alignment);
    let order: Vec<&str> = board.rows.iter().map(|row| row.policy.as_str()).collect();
    assert_eq!(order, ["follower", "opposer"]);
    // Within size 2 the depths are 1 and 4, within size 3 they are 1, 4 and 3: the correlations are 1 and 1/2.
    let reported = metric(&board.rows[0], "spearman_within_size", IN_RANGE);
    equals(reported, (4.0 * 1.0 + 6.0 * 0.5) / 10.0);
    let difference = board.differences[0].difference.unwrap();
    assert!((difference - (reported.value.unwrap() + 1.0)).abs() < 1e-9);
}

#[test]
fn one_seed_gives_intervals_over_sequences_and_a_warning() {
    let board = board(&[Fake::follower()], &[7], Criterion::Accuracy);
    let accuracy = metric(&board.rows[0], "token_accuracy", IN_RANGE);
    assert_eq!(accuracy.method.as_deref(), Some("t over problems; training is not in it"));
    assert!(board.intervals.contains("one seed"), "{}", board.intervals);
    assert!(board.warnings[0].starts_with("1 seed: "), "{:?}", board.warnings);
    assert_eq!(ranks(&board), [("follower", Some((1, 1, "a".to_owned())))]);
}

#[test]
fn censored_depth_of_contenders_is_warned_of() {
    let mut policy = Fake::follower();
    policy.depth = |height| if height == 1 { 3 } else { 4 };
    let control = Fake { role: Role::Control, label: "control", ..policy.clone() };
    let board = board(&[policy, control], SEEDS, Criterion::Accuracy);
    equals(metric(row(&board, "follower"), "saturation", IN_RANGE), 0.6);
    let censored: Vec<&String> = board.warnings.iter().filter(|warning| warning.contains("ran to D")).collect();
    assert_eq!(censored.len(), 1);
    assert!(censored[0].starts_with("follower: 60 % of its answer tokens ran to D"), "{censored:?}");
}

#[test]
fn wide_intervals_and_missing_depths_are_warned_of() {
    let of_all = board(&all(), SEEDS, Criterion::Accuracy);
    // 0.6 and three times 0.08 around it; no error in four sequences is compatible with 60 % errors.
    let wide = of_all.warnings.iter().find(|warning| warning.starts_with("the interval of accuracy is wider")).unwrap();
    assert!(wide.contains("follower (29 points)") && wide.ends_with(": more seeds would narrow it"), "{wide}");
    let gaps = "fixed depths 2 and 4 are missing: adapt-gain may be flattered";
    assert!(of_all.warnings.iter().any(|warning| warning == gaps), "{:?}", of_all.warnings);
    let alone = board(&[Fake::follower()], SEEDS, Criterion::Accuracy);
    assert!(!alone.warnings.iter().any(|warning| warning.contains("flattered")));
}
