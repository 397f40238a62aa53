//! Comparisons of two policies of a fake run, against values computed by hand.

#![allow(clippy::unwrap_used)]

mod fake;

use fake::reading::{SEEDS, all};
use fake::{Fake, finish, suite};
use haltbench_engine::store::RunFolder;
use haltbench_report::analyses::{Findings, Sheet, Value};
use haltbench_report::{Target, compare};

fn compared(policies: &[Fake], first: &str, second: &str) -> Result<Findings, String> {
    let folder = tempfile::tempdir().unwrap();
    let suite = suite(policies, SEEDS);
    let run = RunFolder::new(folder.path(), &suite.name);
    finish(&run, &suite, policies);
    let found = compare(&suite, &run, [first, second], Target::default());
    found.map(|mut found| found.boards.remove(0)).map_err(|error| error.to_string())
}

fn sheet<'a>(findings: &'a Findings, name: &str) -> &'a Sheet {
    findings.sheets.iter().find(|sheet| sheet.name == name).unwrap()
}

#[track_caller]
fn equals(sheet: &Sheet, measure: &str, column: &str, expected: f64) {
    let row = sheet.rows.iter().position(|row| row[0] == Value::text(measure)).unwrap();
    let found = sheet.get(row, column).and_then(Value::number);
    assert!(found.is_some_and(|found| (found - expected).abs() < 1e-9), "{measure} {column}: {:?}", sheet.rows[row]);
}

#[test]
fn differences_are_first_minus_second_in_every_measure() {
    let found = compared(&all(), "follower", "opposer").unwrap();
    let accuracy = sheet(&found, "accuracy");
    equals(accuracy, "accuracy", "difference", 0.0);
    equals(accuracy, "beyond", "first", 0.75);
    let depth = sheet(&found, "depth");
    // Ten answers in range, of heights 1 (four), 2 (four) and 3 (two).
    for (column, value) in [("first", 1.8), ("second", 2.2), ("difference", -0.4)] {
        equals(depth, "answer_depth", column, value);
    }
    equals(sheet(&found, "alignment"), "alignment", "difference", 2.0);
    // A decision costs 1 for each token of follower, and 1 for each of the 26 token-steps of opposer.
    let cost = sheet(&found, "cost");
    equals(cost, "flops", "difference", (11.0 + 2200.0 / 14.0) - (10.0 + 101.0 * 26.0 / 14.0));
    assert_eq!(found.verdict, ["In accuracy, follower and opposer cannot be told apart."]);
}

#[test]
fn the_better_one_is_named_and_seeds_are_side_by_side() {
    let found = compared(&all(), "fixed(depth=1)", "fixed(depth=3)").unwrap();
    assert_eq!(found.verdict, ["In accuracy, fixed(depth=3) is ahead of fixed(depth=1) by 60.0 points."]);
    let seeds = sheet(&found, "seeds");
    assert_eq!(seeds.rows.len(), SEEDS.len());
    for row in 0..seeds.rows.len() {
        let number = |column| seeds.get(row, column).unwrap().number().unwrap();
        assert!((number("first") - 0.4).abs() < 1e-9 && (number("second") - 1.0).abs() < 1e-9);
    }
    // Holm's p values are at least the raw ones.
    for sheet in &found.sheets {
        for row in 0..sheet.rows.len() {
            let p = |column| sheet.get(row, column).and_then(Value::number);
            assert!(p("p_value").zip(p("p_adjusted")).is_none_or(|(raw, adjusted)| adjusted >= raw));
        }
    }
}

#[test]
fn an_unknown_label_is_told_with_the_nearest() {
    let error = compared(&all(), "folower", "opposer").unwrap_err();
    assert!(error.contains("unknown policy of this suite `folower`; did you mean `follower`?"), "{error}");
}
