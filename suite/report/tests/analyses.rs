//! Analyses of fake runs, against values computed by hand.

#![allow(clippy::unwrap_used)]

mod fake;

use fake::reading::{SEEDS, all};
use fake::{Fake, choice, finish, suite};
use haltbench_engine::store::RunFolder;
use haltbench_report::Format;
use haltbench_report::analyses::{Analysis, AnalysisOptions, Findings, Kind, Sheet, Value, analyze};
use haltbench_sdk::parameters::Value as Parameter;
use haltbench_sdk::policy::Role;

fn analysis(policies: &[Fake], kind: Kind, options: &AnalysisOptions) -> Analysis {
    let folder = tempfile::tempdir().unwrap();
    let suite = suite(policies, SEEDS);
    let run = RunFolder::new(folder.path(), &suite.name);
    finish(&run, &suite, policies);
    analyze(&suite, &run, kind, options, &|_| ()).unwrap()
}

fn findings(policies: &[Fake], kind: Kind) -> Findings {
    let mut boards = analysis(policies, kind, &AnalysisOptions::default()).boards;
    assert_eq!(boards.len(), 1);
    boards.remove(0)
}

fn sheet<'a>(findings: &'a Findings, name: &str) -> &'a Sheet {
    findings.sheets.iter().find(|sheet| sheet.name == name).unwrap_or_else(|| panic!("no sheet {name}"))
}

/// The rows whose texts are these, in the order of the columns.
fn rows(sheet: &Sheet, texts: &[&str]) -> Vec<usize> {
    let is_it = |row: &usize| texts.iter().zip(&sheet.rows[*row]).all(|(text, value)| *value == Value::text(*text));
    (0..sheet.rows.len()).filter(is_it).collect()
}

#[track_caller]
fn equals(sheet: &Sheet, row: usize, column: &str, expected: f64) {
    let found = sheet.get(row, column).and_then(Value::number);
    let near = found.is_some_and(|found| (found - expected).abs() < 1e-9);
    assert!(near, "{column} of {:?}: {expected} expected", sheet.rows[row]);
}

/// A depth forced on the weights of `follower`.
fn forced(depth: i64, correct: fn(u32, u32) -> bool) -> Fake {
    let steps: fn(u32) -> u32 = [|_| 1, |_| 2, |_| 3, |_| 4][depth as usize - 1];
    let policy = choice("fixed", &[("depth", Parameter::Integer(depth))]);
    let fake = Fake::new("forced", steps, correct);
    Fake { policy, role: Role::FixedDepth, of: Some("follower"), ..fake }
}

/// An answer of height 1 needs one step, of height 2 two, of height 3 four.
fn with_forced() -> Vec<Fake> {
    let depths = [
        forced(1, |height, _| height <= 1),
        forced(2, |height, _| height <= 2),
        forced(3, |height, _| height <= 2),
        forced(4, |height, _| height <= 3),
    ];
    [vec![Fake::follower(), Fake::opposer()], depths.to_vec()].concat()
}

#[test]
fn alignment_of_depths_that_rise_and_fall_with_height() {
    let found = findings(&all(), Kind::Alignment);
    let height = sheet(&found, "height");
    for (policy, sign) in [("follower", 1.0), ("opposer", -1.0)] {
        let row = rows(height, &[policy, "steps", "all"])[0];
        for column in ["spearman", "spearman_above_lowest", "spearman_within_size", "somers_d", "tau_b"] {
            equals(height, row, column, sign);
        }
        // Two sequences of two and two of three answers, with three seeds.
        equals(height, row, "tokens", 30.0);
    }
    assert!(rows(height, &["fixed(depth=1)"]).is_empty(), "a fixed depth follows nothing");
    // Four problems that do not differ leave room for any correlation.
    assert_eq!(found.verdict, ["Within sizes, the depth of none of 2 policies rises with height."]);
}

#[test]
fn generalization_by_size_and_relation_to_trained_sizes() {
    let found = findings(&all(), Kind::Generalization);
    let splits = sheet(&found, "splits");
    // All but the last answer of each sequence: 6 of 10 in range; 3 of 4 in each sequence of size 5.
    let row = |split| rows(splits, &["follower", split])[0];
    equals(splits, row("in_range"), "token_accuracy", 0.6);
    equals(splits, row("beyond"), "token_accuracy", 0.75);
    equals(splits, row("beyond"), "change", 0.15);
    equals(splits, row("beyond"), "answer_depth", (2.0 + 3.0 + 4.0 + 4.0) / 4.0);
    equals(splits, row("beyond"), "saturation", 0.5);
    let sizes = sheet(&found, "sizes");
    let trained: Vec<&Value> = rows(sizes, &["follower"]).iter().map(|row| &sizes.rows[*row][1]).collect();
    assert_eq!(trained, [&Value::text("yes"), &Value::text("yes"), &Value::text("no")]);
    assert_eq!(found.charts[0].trained, [2.0, 3.0]);
    assert!(found.verdict[0].starts_with("At beyond sizes") || found.verdict[1].starts_with("At beyond sizes"));
}

#[test]
fn needed_depth_is_the_least_from_which_answers_stay_right() {
    let found = findings(&with_forced(), Kind::NeededDepth);
    let needed = sheet(&found, "needed");
    // Of ten answers four have height 1, four height 2 and two height 3.
    for (policy, values) in
        [("follower", [2.0, 1.8, 0.0, 0.2, 0.8, 1.0, 2.0, 0.0]), ("opposer", [2.0, 2.2, 0.8, 0.6, 0.4, -1.0, 2.0, 0.0])]
    {
        let row = rows(needed, &[policy])[0];
        let columns = ["needed", "given", "over", "under", "exact", "spearman", "first_right", "never"];
        columns.into_iter().zip(values).for_each(|(column, value)| equals(needed, row, column, value));
    }
    let levels = sheet(&found, "needed by height");
    let of = |column: &str| -> Vec<f64> {
        let rows = rows(levels, &["follower"]);
        rows.into_iter().map(|row| levels.get(row, column).unwrap().number().unwrap()).collect()
    };
    assert_eq!(
        (of("level"), of("needed"), of("given")),
        (vec![1.0, 2.0, 3.0], vec![1.0, 2.0, 4.0], vec![1.0, 2.0, 3.0])
    );
    assert_eq!(found.verdict, ["More steps than needed on balance: 1 of 2 policies; fewer: 1."]);
}

#[test]
fn needed_depth_asks_for_the_forced_depths_that_lack() {
    let found = findings(&[Fake::follower(), Fake::fixed_1()], Kind::NeededDepth);
    assert!(sheet(&found, "needed").rows.is_empty());
    assert_eq!(
        found.verdict,
        ["Cells with forced depths are missing for follower. Add an entry [[policy]] for each: label = \
          \"forced-on-follower\", name = \"fixed\", of = \"follower\", depth = [1, 2, 3, 4]."]
    );
}

#[test]
fn the_frontier_has_read_outs_and_leaves_out_forced_depths() {
    let read_out = Fake { of: Some("follower"), ..Fake::new("read-out", |_| 2, |height, _| height <= 2) };
    let found = findings(&[all(), vec![read_out, forced(2, |_, _| true)]].concat(), Kind::Frontier);
    let settings = sheet(&found, "settings");
    // Fixed depths: 0.4 at 110 and 1 at 310 operations per token, of 410.
    let frontier = |cost: f64| 0.4 + 0.6 * (cost - 110.0) / 200.0;
    let follower = rows(settings, &["follower", "policy"])[0];
    let cost = 11.0 + 2200.0 / 14.0;
    equals(settings, follower, "flops_share", cost / 410.0);
    equals(settings, follower, "adapt_gain", 0.6 - frontier(cost));
    let pairs = sheet(&found, "read_outs");
    let row = rows(pairs, &["follower", "read-out"])[0];
    // Two steps for answers, one for prompts.
    let cheap = 10.0 + 100.0 * 24.0 / 14.0;
    let gain = 0.8 - frontier(cheap);
    equals(pairs, row, "read_out_gain", gain);
    equals(pairs, row, "difference", gain - (0.6 - frontier(cost)));
}

#[test]
fn a_static_feature_that_tells_everything_has_all_shares() {
    let found = findings(&all(), Kind::Timing);
    let groups = sheet(&found, "groups");
    // `rare` is not defined at height 3 and constant elsewhere; heights 1 and 2 are odd and even.
    let row = rows(groups, &["follower", "all", "steps"])[0];
    for (column, value) in [("r_squared", 1.0), ("unique_static", 1.0), ("unique_state", 0.0), ("share_static", 1.0)] {
        equals(groups, row, column, value);
    }
    let coefficients = sheet(&found, "coefficients");
    equals(coefficients, rows(coefficients, &["follower", "all", "odd", "static"])[0], "coefficient", -1.0);
    let log = sheet(&found, "log");
    assert!(!rows(log, &["follower", "all", "1 screened", "rare: constant"]).is_empty(), "{:?}", log.rows);
}

#[test]
fn every_format_has_every_number() {
    for kind in Kind::ALL {
        let found = analysis(&with_forced(), kind, &AnalysisOptions::default());
        let json: serde_json::Value = serde_json::from_str(&Format::Json.write_analysis(&found)).unwrap();
        assert_eq!(json["analysis"], kind.name());
        let values: usize = found.boards[0].sheets.iter().map(|sheet| sheet.rows.len() * sheet.columns.len()).sum();
        assert_eq!(Format::Csv.write_analysis(&found).lines().count(), values + 1, "{}", kind.name());
        for format in [Format::Table, Format::Markdown, Format::Svg] {
            assert!(format.write_analysis(&found).contains(kind.name()), "{}", format.name());
        }
        let widest = Format::Table.write_analysis(&found).lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(120), "{}: {widest:?}", kind.name());
    }
}

#[test]
fn unknown_names_are_told_with_the_nearest() {
    let error = Kind::from_name("alignmnet").unwrap_err().to_string();
    assert!(error.contains("did you mean `alignment`"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let suite = suite(&[Fake::follower()], SEEDS);
    let run = RunFolder::new(folder.path(), &suite.name);
    finish(&run, &suite, &[Fake::follower()]);
    let options = AnalysisOptions { complexities: vec!["hieght".to_owned()], ..AnalysisOptions::default() };
    let error = analyze(&suite, &run, Kind::Alignment, &options, &|_| ()).unwrap_err().to_string();
    assert!(error.contains("did you mean `height`"), "{error}");
}
