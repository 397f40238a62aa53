//! Missing, damaged and equal cells.

#![allow(clippy::unwrap_used)]

mod fake;

use std::fs;

use fake::{Fake, cells, choice, fail, finish, suite};
use haltbench_engine::plan::Suite;
use haltbench_engine::store::{Check, Checks, RunFolder};
use haltbench_engine::{Error, Result};
use haltbench_report::{Criterion, Format, Leaderboard, MissingCell, Options, leaderboard};
use haltbench_sdk::parameters::Value;
use tempfile::TempDir;

fn make(suite: &Suite, run: &RunFolder) -> Result<Leaderboard> {
    leaderboard(suite, run, Options::default())
}

/// A finished run of these policies; dropping the guard deletes the folder.
fn finished(suite: &Suite, policies: &[Fake]) -> (TempDir, RunFolder) {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::new(folder.path(), &suite.name);
    finish(&run, suite, policies);
    (folder, run)
}

fn cell<'a>(suite: &'a Suite, label: &str, seed: u64) -> &'a str {
    &suite.cells.iter().find(|cell| cell.label == label && cell.plan.model.seed == seed).unwrap().id
}

#[test]
fn rows_whose_claims_were_refuted_are_shown_unranked() {
    let check = Check { tokens: 20, differing: 3, allowed: 0, note: Some("token 1 of a sequence of 4".to_owned()) };
    let checks = Checks { sequences: 2, causality: check.clone(), ..Checks::default() };
    // As many tokens may differ on an accelerator.
    let rounded = Checks { batch: Check { allowed: 3, ..check }, ..Checks::default() };
    let policies = [Fake::fixed_3(), Fake { checks, ..Fake::follower() }, Fake { checks: rounded, ..Fake::opposer() }];
    let suite = suite(&policies, &[0, 1]);
    let (_guard, run) = finished(&suite, &policies);
    let board = make(&suite, &run).unwrap().boards.remove(0);
    let row = |policy: &str| board.rows.iter().find(|row| row.policy == policy).unwrap();
    let said = "it claims to be causal, but its depths depend on later tokens: 3 of 20 tokens differ, such as token 1 of a \
                sequence of 4 (seed 0)";
    assert_eq!((row("follower").place.rank_low, row("follower").place.reason.as_deref()), (None, Some(said)));
    assert_eq!(row("follower").broken_claims.len(), 2, "one for each seed");
    assert!(row("opposer").place.rank_low.is_some() && row("opposer").broken_claims.is_empty());
    assert!(row("follower").metric("token_accuracy", Some("in_range")).unwrap().value.is_some(), "numbers are shown");
}

#[test]
fn rows_with_missing_cells_are_shown_unranked() {
    let policies = [Fake::fixed_3(), Fake::follower(), Fake::opposer()];
    let suite = suite(&policies, &[2, 0, 1]);
    let (_guard, run) = finished(&suite, &policies[..2]);
    let failed = cell(&suite, "follower", 1);
    fail(&run, failed, "the loss is not finite");
    let board = make(&suite, &run).unwrap().boards.remove(0);

    assert_eq!(board.seeds, [0, 1, 2]);
    let ranked: Vec<&str> =
        board.rows.iter().filter(|row| row.place.letters.is_some()).map(|row| row.policy.as_str()).collect();
    assert_eq!(ranked, ["fixed(depth=3)"]);
    let [_, follower, opposer] = board.rows.as_slice() else { panic!("{:?}", board.rows) };
    assert_eq!(follower.place.reason.as_deref(), Some("seed 1 is missing"));
    assert_eq!((follower.seeds_done.as_slice(), follower.seeds_planned.as_slice()), (&[0, 2][..], &[0, 1, 2][..]));
    assert!((follower.metric("token_accuracy", Some("in_range")).unwrap().value.unwrap() - 0.6).abs() < 1e-12);
    assert_eq!(opposer.place.reason.as_deref(), Some("seeds 0, 1, 2 are missing"));
    assert_eq!((opposer.kind.as_deref(), opposer.oracle), (None, None));
    for metric in &opposer.metrics {
        assert_eq!(
            (metric.value, metric.low, metric.reason.as_deref()),
            (None, None, Some("none of its cells is done"))
        );
    }
    assert_eq!(board.missing.len(), 4);
    let expected = MissingCell {
        cell: failed.to_owned(),
        policy: "follower".to_owned(),
        seed: 1,
        state: "failed".to_owned(),
        cause: "the loss is not finite".to_owned(),
    };
    assert_eq!(board.missing[0], expected);
    assert_eq!((board.missing[3].state.as_str(), board.missing[3].seed), ("pending", 2));
}

#[test]
fn a_frontier_with_missing_cells_gives_no_gain_where_they_are_needed() {
    let policies = [Fake::fixed_1(), Fake::fixed_3(), Fake::follower(), Fake::opposer()];
    let suite = suite(&policies, &[0, 1, 2]);
    let (_guard, run) = finished(&suite, &policies);
    for label in ["fixed(depth=1)", "opposer"] {
        fail(&run, cell(&suite, label, 2), "killed");
    }
    let board = make(&suite, &run).unwrap().boards.remove(0);
    let gain = |policy: &str| {
        let row = board.rows.iter().find(|row| row.policy == policy).unwrap();
        row.metric("adapt_gain", Some("in_range")).unwrap()
    };
    assert_eq!(gain("follower").reason.as_deref(), Some("some cells of the fixed depths are missing"));
    assert_eq!(gain("follower").value, None);
    // Both fixed depths have both of its seeds.
    assert!(gain("opposer").value.is_some());
}

/// A fixed depth without finished cells still belongs to the frontier: it gets the role of policies with the same name.
#[test]
fn a_fixed_depth_without_any_cell_is_not_left_out_of_the_frontier() {
    let policies = [Fake::fixed_1(), Fake::fixed_3(), Fake::follower()];
    let suite = suite(&policies, &[0, 1]);
    let (_guard, run) = finished(&suite, &[Fake::fixed_1(), Fake::follower()]);
    let board = make(&suite, &run).unwrap().boards.remove(0);
    let row = |policy: &str| board.rows.iter().find(|row| row.policy == policy).unwrap();
    let gain = row("follower").metric("adapt_gain", Some("in_range")).unwrap();
    assert_eq!((gain.value, gain.reason.as_deref()), (None, Some("some cells of the fixed depths are missing")));
    assert_eq!(row("fixed(depth=3)").role.as_deref(), Some("fixed-depth"));
}

#[test]
fn a_seed_without_timings_leaves_no_speed() {
    let policies = [Fake::follower()];
    let suite = suite(&policies, &[0, 1]);
    let (_guard, run) = finished(&suite, &policies);
    let timings = run.cell(cell(&suite, "follower", 1)).file("timings.json");
    let speed = |run: &RunFolder| {
        let board = make(&suite, run).unwrap().boards.remove(0);
        let metric = board.rows[0].metric("speed", Some("in_range")).unwrap().clone();
        (metric.value.map(|speed| (speed * 1e9).round() / 1e9), metric.reason)
    };
    assert_eq!(speed(&run), (Some(1.5), None));
    fs::remove_file(&timings).unwrap();
    assert_eq!(speed(&run), (None, Some("some of its seeds were not timed".to_owned())));
}

#[test]
fn damaged_files_are_refused_with_their_names() {
    let policies = [Fake::follower()];
    let suite = suite(&policies, &[0]);
    type Damage = fn(Vec<u8>) -> Vec<u8>;
    let damage: [(&str, Damage); 4] = [
        ("tokens.parquet", |mut bytes| {
            bytes[40] ^= 1;
            bytes
        }),
        ("tokens.parquet", |bytes| bytes[..bytes.len() / 2].to_vec()),
        ("result.json", |bytes| bytes[..bytes.len() / 2].to_vec()),
        ("result.json", |bytes| String::from_utf8(bytes).unwrap().replace("\"schema\":7", "\"schema\":9").into()),
    ];
    for (name, change) in damage {
        let (_guard, run) = finished(&suite, &policies);
        let path = run.cell(cell(&suite, "follower", 0)).file(name);
        fs::write(&path, change(fs::read(&path).unwrap())).unwrap();
        let error = make(&suite, &run).unwrap_err();
        assert!(matches!(&error, Error::Damaged { path: named, .. } if *named == path), "{error}");
        assert_eq!(error.exit_status(), 4);
    }
}

#[test]
fn a_done_cell_whose_files_are_gone_is_damaged() {
    let policies = [Fake::follower()];
    let suite = suite(&policies, &[0]);
    for name in ["tokens.parquet", "result.json"] {
        let (_guard, run) = finished(&suite, &policies);
        fs::remove_file(run.cell(cell(&suite, "follower", 0)).file(name)).unwrap();
        let error = make(&suite, &run).unwrap_err();
        assert!(error.to_string().ends_with(&format!("{name}: damaged: the file is missing")));
        assert_eq!(error.exit_status(), 4);
    }
}

#[test]
fn the_result_of_another_cell_is_refused() {
    let policies = [Fake::follower()];
    let suite = suite(&policies, &[0, 1]);
    let (_guard, run) = finished(&suite, &policies);
    let [first, second] = [0, 1].map(|seed| run.cell(cell(&suite, "follower", seed)));
    for name in ["plan.toml", "result.json"] {
        fs::copy(first.file(name), second.file(name)).unwrap();
    }
    let error = make(&suite, &run).unwrap_err();
    assert!(error.to_string().contains("it is the result of cell"), "{error}");
    assert_eq!(error.exit_status(), 4);
}

#[test]
fn boards_and_labels_are_told_apart_by_what_differs() {
    let gamma = |value| Fake { policy: choice("follower", &[("gamma", Value::Real(value))]), ..Fake::follower() };
    let policies = [gamma(0.1), gamma(0.2)];
    let task = |modulus| choice("mano", &[("modulus", Value::Integer(modulus))]);
    let mut suite = suite(&[], &[]);
    suite.cells = [5, 7].iter().flat_map(|modulus| cells(&policies, &[0], &task(*modulus))).collect();
    let (_guard, run) = finished(&suite, &policies);
    let boards = make(&suite, &run).unwrap().boards;
    let names: Vec<&str> = boards.iter().map(|board| board.name.as_str()).collect();
    assert_eq!(names, ["mano(modulus=5) / anira", "mano(modulus=7) / anira"]);
    let labels: Vec<&str> = boards[0].rows.iter().map(|row| row.policy.as_str()).collect();
    assert_eq!(labels, ["follower [gamma=0.1]", "follower [gamma=0.2]"]);
    assert_eq!(boards[0].task.changed, ["modulus"]);
}

#[test]
fn options_of_halted_keys_and_values_that_training_did_not_meet_are_said() {
    let policies = [Fake::follower(), Fake::opposer()];
    let warnings = |trained: Option<&str>, evaluated: &str| {
        let mut suite = suite(&policies, &[0, 1]);
        for cell in suite.cells.iter_mut().filter(|cell| cell.label == "follower") {
            cell.plan.model.halted_keys_values = trained.map(str::to_owned);
            cell.fits = vec![trained.unwrap_or("run-on").to_owned()];
            cell.plan.halted_keys_values = evaluated.to_owned();
        }
        let (_guard, run) = finished(&suite, &policies);
        let warnings = make(&suite, &run).unwrap().boards[0].warnings.clone();
        warnings.into_iter().filter(|warning| warning.contains("halted keys")).collect::<Vec<String>>()
    };
    assert_eq!(warnings(Some("skip"), "skip"), [""; 0]);
    assert_eq!(warnings(None, "run-on"), [""; 0], "a model trained without halting has seen every token run on");
    let unmet = "evaluated with halted keys and values freeze-state, which training did not meet";
    assert_eq!(warnings(None, "freeze-state"), [format!("follower: trained without halting, {unmet}")]);
    assert_eq!(warnings(Some("latest-kv"), "freeze-state"), [format!("follower: trained with latest-kv, {unmet}")]);
}

#[test]
fn a_run_that_was_never_started_is_a_board_of_missing_cells() {
    let suite = suite(&[Fake::follower(), Fake::oracle()], &[0, 1]);
    let folder = tempfile::tempdir().unwrap();
    let leaderboard = make(&suite, &RunFolder::new(folder.path(), &suite.name)).unwrap();
    let board = &leaderboard.boards[0];
    assert_eq!((board.rows.len(), board.missing.len(), board.complexity.as_ref()), (2, 4, None));
    assert!(!board.is_complete());
    for format in Format::ALL {
        let text = format.write(&leaderboard);
        assert!(text.contains("follower") && !text.contains("NaN"), "{text}");
    }
}

#[test]
fn unknown_names_are_usage_errors_with_the_nearest_name() {
    let error = Criterion::from_name("acuracy").unwrap_err();
    assert_eq!(
        error.to_string(),
        "--sort: expected one of accuracy, exact_match, embedded, between, beyond, answer_depth, depth, flops, adapt_gain, \
         adapt_gain_answers, alignment, found `acuracy`; did you mean `accuracy`?"
    );
    assert_eq!(error.exit_status(), 2);
    assert!(!Criterion::from_name("zzz").unwrap_err().to_string().contains("did you mean"));
    for criterion in Criterion::ALL {
        assert_eq!(Criterion::from_name(criterion.name()).unwrap(), criterion);
    }
    let error = Format::from_name("jsn").unwrap_err();
    assert_eq!(
        error.to_string(),
        "--format: expected one of table, markdown, csv, json, svg, found `jsn`; did you mean `json`?"
    );
}
