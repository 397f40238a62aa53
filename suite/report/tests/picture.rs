//! The picture: well-formed for any boards, and the same for the same boards.

#![allow(clippy::unwrap_used)]

mod fake;

use fake::{Fake, cells, choice, fail, finish, suite};
use haltbench_engine::plan::Suite;
use haltbench_engine::store::RunFolder;
use haltbench_report::{Format, Leaderboard, Options, leaderboard};
use haltbench_sdk::parameters::Value;

/// A board with everything that a picture distinguishes; `opposer` failed with one seed.
fn example() -> Leaderboard {
    let policies = [Fake::fixed_1(), Fake::fixed_3(), Fake::follower(), Fake::opposer(), Fake::oracle()];
    let suite = suite(&policies, &[0, 1]);
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::new(folder.path(), &suite.name);
    finish(&run, &suite, &policies);
    let failed = &suite.cells.iter().find(|cell| cell.label == "opposer" && cell.plan.model.seed == 1).unwrap().id;
    fail(&run, failed, "killed");
    leaderboard(&suite, &run, Options::default()).unwrap()
}

/// The picture, after a check of its form.
#[track_caller]
fn draw(leaderboard: &Leaderboard) -> String {
    let text = Format::Svg.write(leaderboard);
    well_formed(&text);
    assert!(text.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1080\"") && text.ends_with("</svg>\n"));
    assert!(!text.contains("NaN") && !text.contains("inf\"") && !text.contains("inf,"), "{text}");
    text
}

/// Balanced tags, quoted attributes, and no bare markup.
#[track_caller]
fn well_formed(text: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        check_references(&rest[..start]);
        let length = rest[start..].find('>').unwrap();
        let tag = &rest[start + 1..start + length];
        assert!(!tag.contains('<'), "{tag}");
        check_references(tag);
        rest = &rest[start + length + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{text}");
            continue;
        }
        let tag_body = tag.strip_suffix('/').unwrap_or(tag);
        let (name, attributes) = tag_body.split_once(' ').unwrap_or((tag_body, ""));
        let pieces: Vec<&str> = attributes.split('"').collect();
        assert!(pieces.len() % 2 == 1 && pieces.last() == Some(&""), "{tag}");
        assert!(pieces[..pieces.len() - 1].iter().step_by(2).all(|name| name.ends_with('=')), "{tag}");
        if tag_body.len() == tag.len() {
            open.push(name);
        } else {
            assert!(!name.is_empty());
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest}");
}

#[track_caller]
fn check_references(text: &str) {
    for after in text.split('&').skip(1) {
        let name = after.split(';').next().unwrap();
        assert!(["amp", "lt", "gt", "quot", "#39"].contains(&name), "&{name}");
    }
}

/// How often a part occurs.
fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn every_policy_is_a_line_in_two_panels_and_a_point_in_the_third() {
    let text = draw(&example());
    for label in ["fixed(depth=1)", "fixed(depth=3)", "follower", "opposer*", "oracle"] {
        assert_eq!(count(&text, &format!(">{label}</text>")), 1, "{label}\n{text}");
        assert_eq!(count(&text, &format!("<title>{label}, height ")), 6, "{label}\n{text}");
        assert_eq!(count(&text, &format!("<title>{label}: ")), 1, "{label}\n{text}");
    }
    for part in
        ["mano / anira</text>", "suite fake · D = 4 · 2 seeds (0, 1) · 500 training steps · cpu", "* incomplete: "]
    {
        assert_eq!(count(&text, part), 1, "{part}\n{text}");
    }
    assert!(!text.contains("Left out") && !text.contains("nothing to show"), "{text}");
    // In range, of 410 per token: 110 for one step; with decisions, 11 plus 100 for each of 22 steps of 14 tokens.
    assert!(text.contains("<title>fixed(depth=1): 40.00 ["), "{text}");
    assert!(text.contains("] % right at 26.83 [26.83, 26.83] % of dense<"), "{text}");
    assert!(text.contains("<title>follower: 60.00 "), "{text}");
    assert!(text.contains("% right at 41.01 ["), "{text}");
}

#[test]
fn one_leaderboard_is_one_picture() {
    let leaderboard = example();
    assert_eq!(draw(&leaderboard), draw(&leaderboard));
    // Neither the marks nor the order of policies depend on their rank.
    let mut turned = leaderboard.clone();
    turned.boards[0].rows.reverse();
    assert_eq!(draw(&turned), draw(&leaderboard));
}

#[test]
fn names_are_text() {
    let mut leaderboard = example();
    leaderboard.suite = "a&b".to_owned();
    let board = &mut leaderboard.boards[0];
    board.name = "<task> / \"backbone\"".to_owned();
    board.complexity = Some("a<b".to_owned());
    board.warnings.push("it's <odd>\n&amp".to_owned());
    board.rows[0].policy = "p(rule='<&>')\u{1b}".to_owned();
    leaderboard.boards[0].rows[1].policy = "seer".to_owned();
    leaderboard.boards[0].rows[1].oracle = Some(true);
    let text = draw(&leaderboard);
    assert!(text.contains(">seer (oracle)</text>"), "{text}");
    assert!(text.contains(">&lt;task&gt; / &quot;backbone&quot;</text>"), "{text}");
    assert!(text.contains("p(rule=&#39;&lt;&amp;&gt;&#39;)\u{fffd}"), "{text}");
    assert!(!text.contains("<task>") && !text.contains('\u{1b}'));
}

#[test]
fn a_level_with_one_token_has_points_without_intervals() {
    let mut leaderboard = example();
    for row in &mut leaderboard.boards[0].rows {
        row.metrics.retain(|metric| metric.level.is_none_or(|level| level == 3.0));
        for metric in row.metrics.iter_mut().filter(|metric| metric.level.is_some()) {
            (metric.low, metric.high, metric.count) = (None, None, 1);
            metric.reason = Some("one observation".to_owned());
        }
    }
    let text = draw(&leaderboard);
    assert_eq!(count(&text, "<title>follower, height 3: "), 2, "{text}");
    assert!(
        text.contains(
            "Without an interval (one observation): accuracy at height 3; depth at height 3 of all policies."
        )
    );
}

#[test]
fn what_cannot_be_computed_is_left_out_and_listed() {
    let mut leaderboard = example();
    let row = leaderboard.boards[0].rows.iter_mut().find(|row| row.policy == "follower").unwrap();
    row.metrics.retain(|metric| metric.level != Some(2.0));
    for metric in row.metrics.iter_mut().filter(|metric| metric.metric == "flops_share") {
        (metric.value, metric.low, metric.high) = (None, None, None);
        metric.reason = Some("nothing was counted".to_owned());
    }
    let text = draw(&leaderboard);
    assert_eq!(count(&text, "<title>follower, height "), 4, "{text}");
    assert_eq!(count(&text, "<title>follower: "), 0, "{text}");
    assert!(
        text.contains("Left out (there are no observations): accuracy at height 2; depth at height 2 of follower.")
    );
    assert!(text.contains("Left out (nothing was counted): accuracy against cost of follower."), "{text}");
}

#[test]
fn without_levels_or_cells_or_boards_there_is_a_picture() {
    let mut leaderboard = example();
    leaderboard.boards[0].rows.iter_mut().for_each(|row| row.metrics.retain(|metric| metric.level.is_none()));
    let text = draw(&leaderboard);
    assert_eq!(count(&text, ">nothing to show<"), 2, "{text}");
    assert!(text.contains("accuracy by height; depth by height of all policies."), "{text}");

    let suite = suite(&[Fake::fixed_1(), Fake::follower()], &[0]);
    let folder = tempfile::tempdir().unwrap();
    let text = draw(
        &haltbench_report::leaderboard(&suite, &RunFolder::new(folder.path(), "fake"), Options::default()).unwrap(),
    );
    assert_eq!(count(&text, ">nothing to show<"), 3, "{text}");
    assert!(text.contains("Left out (none of its cells is done): "), "{text}");
    assert!(!text.contains("mixtures of fixed depths<"), "{text}");

    leaderboard.boards.clear();
    assert!(draw(&leaderboard).contains("fake: no boards"));
}

#[test]
fn boards_are_stacked_and_many_policies_stay_inside() {
    let mut policies = vec![Fake::fixed_1(), Fake::fixed_3()];
    let long = "a-policy-whose-name-is-longer-than-anybody-needs(gamma=0.125,rule=median)";
    let labels = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", long];
    policies.extend(labels.map(|label| Fake { label, ..Fake::follower() }));
    let task = |modulus| choice("mano", &[("modulus", Value::Integer(modulus))]);
    let both = [5, 7].into_iter().flat_map(|modulus| cells(&policies, &[0], &task(modulus)));
    let suite = Suite {
        name: "two".to_owned(),
        source: String::new(),
        warnings: Vec::new(),
        models: Vec::new(),
        cells: both.collect(),
    };
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::new(folder.path(), &suite.name);
    finish(&run, &suite, &policies);
    let text = draw(&leaderboard(&suite, &run, Options::default()).unwrap());
    assert_eq!(count(&text, "Accuracy: answer tokens right, %</text>"), 2);
    assert!(text.contains("Bars are intervals: 95 %, t over the problems of the one seed"), "{text}");
    let height: f64 = text.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
    for points in text.split("points=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        for point in points.split(' ') {
            let (x, y) = point.split_once(',').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((10.0..=1070.0).contains(&x) && (10.0..=height - 10.0).contains(&y), "{point}");
        }
    }
    let lowest = text.split("<text x=").skip(1).map(|rest| rest.split('"').nth(3).unwrap().parse::<f64>().unwrap());
    assert!(lowest.fold(0.0, f64::max) <= height - 10.0);
}
