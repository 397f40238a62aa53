//! Every number of a board against its value by hand.

#![allow(clippy::unwrap_used)]

mod fake;

use fake::{Fake, finish, suite};
use haltbench_analysis::Bootstrap;
use haltbench_engine::store::{MetricRow, RunFolder};
use haltbench_report::{Board, Criterion, Options, Row, leaderboard};

fn board(policies: &[Fake], seeds: &[u64], sort: Criterion) -> Board {
    let folder = tempfile::tempdir().unwrap();
    let suite = suite(policies, seeds);
    let run = RunFolder::new(folder.path(), &suite.name);
    finish(&run, &suite, policies);
    let options = Options { sort, bootstrap: Bootstrap { resamples: 300, seed: 0 } };
    let mut boards = leaderboard(&suite, &run, options).unwrap().boards;
    assert_eq!(boards.len(), 1);
    boards.remove(0)
}

fn row<'a>(board: &'a Board, policy: &str) -> &'a Row {
    board.rows.iter().find(|row| row.policy == policy).unwrap()
}

fn metric<'a>(row: &'a Row, name: &str, split: Option<&str>) -> &'a MetricRow {
    row.metric(name, split).unwrap_or_else(|| panic!("{name} {split:?}"))
}

#[track_caller]
fn equals(metric: &MetricRow, expected: f64) {
    let value = metric.value.unwrap_or_else(|| panic!("{metric:?}"));
    assert!((value - expected).abs() < 1e-9, "{expected} expected, {metric:?}");
}

const IN_RANGE: Option<&str> = Some("in_range");
const SEEDS: &[u64] = &[0, 1, 2];

fn all() -> Vec<Fake> {
    vec![Fake::fixed_1(), Fake::follower(), Fake::oracle(), Fake::fixed_3(), Fake::opposer()]
}

#[test]
fn accuracies_depths_and_costs() {
    let board = board(&all(), SEEDS, Criterion::Accuracy);
    let follower = row(&board, "follower");
    // Of 10 answer tokens in range one of each of four sequences is wrong; beyond, one of five.
    equals(metric(follower, "token_accuracy", IN_RANGE), 0.6);
    equals(metric(follower, "exact_match", IN_RANGE), 0.0);
    equals(metric(follower, "token_accuracy", Some("beyond")), 0.8);
    assert!(follower.metric("token_accuracy", Some("between")).is_none());
    assert_eq!(metric(follower, "token_accuracy", IN_RANGE).count, 30);
    // Heights 1 2, 1 2, 1 2 3, 1 2 3, and four prompt tokens of one step.
    equals(metric(follower, "answer_depth", IN_RANGE), 18.0 / 10.0);
    equals(metric(follower, "depth", IN_RANGE), 22.0 / 14.0);
    // 26 tokens in all; beyond twice 1 + (1 + 2 + 3 + 4 + 4) steps; one decision of 1 for each token.
    equals(metric(follower, "flops", None), 11.0 + 100.0 * (22.0 + 30.0) / 26.0);
    equals(metric(follower, "flops", IN_RANGE), 11.0 + 100.0 * 22.0 / 14.0);
    equals(metric(follower, "flops_share", None), (11.0 + 100.0 * 52.0 / 26.0) / 410.0);
    equals(metric(follower, "speed_up", None), 1.5);
    assert_eq!(metric(follower, "speed_up", None).low, None);
    // Decisions after every step are paid by the step.
    equals(metric(row(&board, "opposer"), "flops", IN_RANGE), 10.0 + 101.0 * 26.0 / 14.0);
    equals(metric(row(&board, "fixed(depth=3)"), "flops", IN_RANGE), 310.0);
    equals(metric(row(&board, "fixed(depth=1)"), "exact_match", IN_RANGE), 0.0);
    let method = metric(follower, "token_accuracy", IN_RANGE).method.as_deref();
    assert_eq!(method, Some("bootstrap over seeds and sequences"));
}

#[test]
fn gain_over_the_line_between_fixed_depths() {
    let board = board(&all(), SEEDS, Criterion::Accuracy);
    // Fixed depths: 0.4 at 110 and 1 at 310 operations for each token.
    let frontier = |cost: f64| 0.4 + 0.6 * (cost - 110.0) / 200.0;
    equals(metric(row(&board, "follower"), "adapt_gain", IN_RANGE), 0.6 - frontier(11.0 + 2200.0 / 14.0));
    equals(metric(row(&board, "opposer"), "adapt_gain", IN_RANGE), 0.6 - frontier(10.0 + 101.0 * 26.0 / 14.0));
    equals(metric(row(&board, "oracle"), "adapt_gain", IN_RANGE), 1.0 - frontier(10.0 + 2200.0 / 14.0));
    let fixed = metric(row(&board, "fixed(depth=1)"), "adapt_gain", IN_RANGE);
    assert_eq!((fixed.value, fixed.reason.as_deref()), (None, Some("the frontier is made of fixed depths")));
}

#[test]
fn a_gain_that_has_no_frontier_is_null() {
    let reason = |policies: &[Fake]| {
        let board = board(policies, SEEDS, Criterion::Accuracy);
        let gain = metric(row(&board, "follower"), "adapt_gain", IN_RANGE);
        assert_eq!((gain.value, gain.low), (None, None));
        gain.reason.clone().unwrap()
    };
    assert_eq!(reason(&[Fake::follower()]), "there is no fixed-depth frontier");
    assert_eq!(reason(&[Fake::follower(), Fake::fixed_3()]), "the cost is below the cheapest fixed depth");
}

#[test]
fn alignment_is_null_where_depth_or_its_rest_is_constant() {
    let board = board(&all(), SEEDS, Criterion::Accuracy);
    let (follower, opposer) = (row(&board, "follower"), row(&board, "opposer"));
    for name in ["spearman", "spearman_within_size"] {
        equals(metric(follower, name, IN_RANGE), 1.0);
        equals(metric(opposer, name, IN_RANGE), -1.0);
    }
    let constant = Some("one of the variables has no variation");
    // The position is the height, so that nothing is left to explain.
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
}

/// Best rank, worst rank and tie group.
type Standing = Option<(usize, usize, usize)>;

fn ranks(board: &Board) -> Vec<(&str, Standing)> {
    let place = |row: &Row| -> Standing { Some((row.place.rank_low?, row.place.rank_high?, row.place.group?)) };
    board.rows.iter().map(|row| (row.policy.as_str(), place(row))).collect()
}

#[test]
fn equal_policies_share_a_tie_group_and_oracles_have_no_rank() {
    let board = board(&all(), SEEDS, Criterion::Accuracy);
    // However many seeds there are, they share four sequences. One resample in 16 has only those of size 2, on which
    // fixed(depth=1) is as good as the two in its group.
    let expected = [
        ("fixed(depth=3)", Some((1, 1, 1))),
        ("follower", Some((2, 4, 2))),
        ("opposer", Some((2, 4, 2))),
        ("fixed(depth=1)", Some((2, 4, 2))),
        ("oracle", None),
    ];
    assert_eq!(ranks(&board), expected);
    assert_eq!(row(&board, "oracle").place.reason.as_deref(), Some("oracles read what a policy cannot know"));
}

#[test]
fn every_criterion_ranks_or_says_why_not() {
    let order = |criterion| {
        let board = board(&all(), SEEDS, criterion);
        let (ranked, unranked): (Vec<&Row>, Vec<&Row>) = board.rows.iter().partition(|row| row.place.group.is_some());
        assert!(unranked.iter().all(|row| row.place.reason.is_some()));
        assert!(ranked.iter().all(|row| row.place.reason.is_none()));
        ranked.iter().map(|row| row.policy.clone()).collect::<Vec<_>>()
    };
    let rising = ["fixed(depth=1)", "follower", "opposer", "fixed(depth=3)"];
    for criterion in [Criterion::AnswerDepth, Criterion::Depth] {
        assert_eq!(order(criterion), rising);
    }
    // Beyond, depth is spent by the follower only.
    assert_eq!(order(Criterion::Flops), ["fixed(depth=1)", "opposer", "follower", "fixed(depth=3)"]);
    assert_eq!(order(Criterion::ExactMatch), ["fixed(depth=3)", "fixed(depth=1)", "follower", "opposer"]);
    assert_eq!(order(Criterion::Beyond)[3], "fixed(depth=1)");
    assert_eq!(order(Criterion::AdaptGain), ["follower", "opposer"]);
    assert_eq!(order(Criterion::Alignment), ["follower", "opposer"]);
    assert_eq!(order(Criterion::Between), Vec::<String>::new());
}

#[test]
fn the_replicates_of_alignment_are_those_of_its_interval() {
    let mut noisy = Fake::follower();
    noisy.depth = |height| if height == 2 { 4 } else { height };
    let board = board(&[noisy, Fake::opposer()], SEEDS, Criterion::Alignment);
    let order: Vec<&str> = board.rows.iter().map(|row| row.policy.as_str()).collect();
    assert_eq!(order, ["follower", "opposer"]);
    // Within size 2 the depths are 1 and 4, within size 3 they are 1, 4 and 3: correlations 1 and 1/2.
    equals(metric(&board.rows[0], "spearman_within_size", IN_RANGE), (4.0 * 1.0 + 6.0 * 0.5) / 10.0);
    assert_eq!(board.rows[0].place.rank_high, Some(1));
}

#[test]
fn one_seed_gives_intervals_over_sequences_and_a_warning() {
    let board = board(&[Fake::follower()], &[7], Criterion::Accuracy);
    let accuracy = metric(&board.rows[0], "token_accuracy", IN_RANGE);
    assert_eq!(accuracy.method.as_deref(), Some("bootstrap over sequences"));
    assert!(board.intervals.contains("one seed"), "{}", board.intervals);
    assert!(board.warnings[0].starts_with("1 seed: "), "{:?}", board.warnings);
    assert_eq!(ranks(&board), [("follower", Some((1, 1, 1)))]);
}

#[test]
fn censored_depth_is_warned_of() {
    let mut policy = Fake::follower();
    policy.depth = |height| if height == 1 { 3 } else { 4 };
    let board = board(&[policy], SEEDS, Criterion::Accuracy);
    equals(metric(&board.rows[0], "saturation", IN_RANGE), 0.6);
    assert!(board.warnings[0].starts_with("follower: 60 % of its answer tokens ran to D"), "{:?}", board.warnings);
}
