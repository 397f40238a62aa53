//! Gains over fixed depths and beyond surface cues, against values computed by hand.

#![allow(clippy::unwrap_used)]

mod fake;

use fake::reading::{IN_RANGE, SEEDS, all, board, equals, metric, row};
use fake::{Fake, choice};
use haltbench_report::{Board, Criterion};
use haltbench_sdk::parameters::Value;
use haltbench_sdk::policy::Role;

/// A surface cue of another policy's depths, correct at height 1.
fn cue(label: &'static str, of: &'static str, depth: fn(u32) -> u32) -> Fake {
    Fake { role: Role::Cue, of: Some(of), ..Fake::new(label, depth, |height, _| height == 1) }
}

/// Three steps for answers and one for prompts, correct up to height 3.
fn fixed_answers_3() -> Fake {
    let policy = Fake::new("fixed-answers", |_| 3, |height, _| height <= 3);
    Fake { role: Role::FixedAnswerDepth, ..policy }
}

#[test]
fn gain_over_mixtures_of_fixed_depths() {
    let board = board(&all(), SEEDS, Criterion::Accuracy);
    // Fixed depths: 0.4 at 110 and 1 at 310 operations per token.
    let frontier = |cost: f64| 0.4 + 0.6 * (cost - 110.0) / 200.0;
    equals(metric(row(&board, "follower"), "adapt_gain", IN_RANGE), 0.6 - frontier(11.0 + 2200.0 / 14.0));
    equals(metric(row(&board, "opposer"), "adapt_gain", IN_RANGE), 0.6 - frontier(10.0 + 101.0 * 26.0 / 14.0));
    equals(metric(row(&board, "oracle"), "adapt_gain", IN_RANGE), 1.0 - frontier(10.0 + 2200.0 / 14.0));
    assert!(row(&board, "follower").metric("adapt_gain_lower", IN_RANGE).is_none());
    let fixed = metric(row(&board, "fixed(depth=1)"), "adapt_gain", IN_RANGE);
    assert_eq!((fixed.value, fixed.reason.as_deref()), (None, Some("the frontier is made of fixed depths")));
    // With one-step prompts only depth 1 exists, and nothing beyond it is better.
    equals(metric(row(&board, "follower"), "adapt_gain_answers", IN_RANGE), 0.2);
}

#[test]
fn fixed_answers_are_a_frontier_of_their_own() {
    let board = board(&[all(), vec![fixed_answers_3()]].concat(), SEEDS, Criterion::AdaptGainAnswers);
    // 0.4 at 110, and 1 at 10 + 100 (4 + 30) / 14.
    let dear = 10.0 + 3400.0 / 14.0;
    let frontier = |cost: f64| 0.4 + 0.6 * (cost - 110.0) / (dear - 110.0);
    equals(metric(row(&board, "follower"), "adapt_gain_answers", IN_RANGE), 0.6 - frontier(11.0 + 2200.0 / 14.0));
    let answers = row(&board, "fixed-answers");
    assert_eq!(
        metric(answers, "adapt_gain_answers", IN_RANGE).reason.as_deref(),
        Some("the frontier is made of fixed depths")
    );
    equals(metric(answers, "adapt_gain", IN_RANGE), 1.0 - (0.4 + 0.6 * (dear - 110.0) / 200.0));
    assert!(row(&board, "follower").place.letters.is_some());
}

/// Cheaper than every fixed depth: 0.6 at 168.14 against 1 at 310, and a guess of 0.4 at no cost.
#[test]
fn below_the_cheapest_fixed_depth_a_gain_has_bounds() {
    let board = board(&[Fake::follower(), Fake::fixed_3()], SEEDS, Criterion::AdaptGain);
    let follower = row(&board, "follower");
    let exact = metric(follower, "adapt_gain", IN_RANGE);
    assert_eq!((exact.value, exact.reason.as_deref()), (None, Some("the cost is below the cheapest fixed depth")));
    equals(metric(follower, "adapt_gain_lower", IN_RANGE), 0.6 - 1.0);
    let cost = 11.0 + 2200.0 / 14.0;
    equals(metric(follower, "adapt_gain_upper", IN_RANGE), 0.6 - (0.4 + 0.6 * cost / 310.0));
    assert!(metric(follower, "adapt_gain_lower", IN_RANGE).low.is_some());
    // The lower bound ranks it.
    assert_eq!((follower.place.rank_low, follower.place.reason.clone()), (Some(1), None));
}

#[test]
fn a_gain_without_fixed_depths_is_null() {
    let board = board(&[Fake::follower()], SEEDS, Criterion::Accuracy);
    let gain = metric(row(&board, "follower"), "adapt_gain", IN_RANGE);
    assert_eq!((gain.value, gain.reason.as_deref()), (None, Some("there is no fixed-depth frontier")));
}

#[test]
fn the_best_cue_is_what_a_policy_must_beat() {
    // Both cues are correct at height 1 alone: the cheaper one gains more.
    let cheap = cue("cue(size)", "follower", |height| height.min(2));
    let dear = cue("cue(token)", "follower", |_| 3);
    let foreign = cue("cue(other)", "nobody", |_| 1);
    let board = board(&[all(), vec![dear, cheap, foreign]].concat(), SEEDS, Criterion::Accuracy);
    let follower = row(&board, "follower");
    let frontier = |cost: f64| 0.4 + 0.6 * (cost - 110.0) / 200.0;
    let own = 0.6 - frontier(11.0 + 2200.0 / 14.0);
    // Steps 1 2, 1 2, 1 2 2, 1 2 2, and four prompt tokens of one step.
    let of_cue = 0.4 - frontier(10.0 + 2000.0 / 14.0);
    equals(metric(follower, "beyond_cues", IN_RANGE), own - of_cue);
    assert_eq!(follower.best_cue.as_deref(), Some("cue(size)"));
    let reason = |policy: &str| metric(row(&board, policy), "beyond_cues", IN_RANGE).reason.clone().unwrap();
    assert_eq!(reason("opposer"), "the board has no surface cue of it");
    assert_eq!(reason("oracle"), "it is not a policy under test");
}

#[test]
fn controls_are_compared_with_the_policy_whose_depths_they_read() {
    let shuffled = Fake { role: Role::Control, ..cue("shuffled", "follower", |_| 2) };
    let board = board(&[all(), vec![shuffled]].concat(), SEEDS, Criterion::Accuracy);
    let control = row(&board, "shuffled");
    // Correct at height 1 alone, as two in five answers in range are; the follower also gets half of height 2 right.
    equals(metric(control, "against_source", IN_RANGE), 0.4 - 0.6);
    assert_eq!(control.place.reason.as_deref(), Some("a control; ranks are of policies and fixed depths"));
    let follower = metric(row(&board, "follower"), "against_source", IN_RANGE);
    assert_eq!((follower.value, follower.reason.as_deref()), (None, Some("it reads no other policy's depths")));
}

/// A depth that is forced on another policy's weights neither closes a gap of the frontier nor raises it.
#[test]
fn forced_depths_are_no_fixed_depths() {
    let forced = |depth: i64| {
        let policy = choice("fixed", &[("depth", Value::Integer(depth))]);
        let fake = Fake::new("forced", |_| 2, |_, _| true);
        Fake { policy, role: Role::FixedDepth, of: Some("follower"), ..fake }
    };
    let [without, with] = [all(), [all(), vec![forced(2), forced(4)]].concat()]
        .map(|policies| board(&policies, SEEDS, Criterion::Accuracy));
    let gaps = |board: &Board| board.warnings.iter().find(|line| line.contains("may be flattered")).cloned();
    assert!(gaps(&without).is_some());
    assert_eq!(gaps(&with), gaps(&without));
    let gain = |board: &Board| metric(row(board, "follower"), "adapt_gain", IN_RANGE).value;
    assert_eq!(gain(&with), gain(&without));
}
