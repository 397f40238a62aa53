//! Cells are timed one at a time after all are done, and again only if no time is recorded.

use std::fs;

use crate::program::{POLICIES, Workspace, json, suite};

/// Seconds of a cell's policy and of a fixed depth, as pairs.
fn pairs(workspace: &Workspace, title: &str) -> Vec<[f64; 2]> {
    let timings = json(&workspace.cell(title).join("timings.json"));
    let pairs = timings["speed"]["pairs"].as_array().unwrap_or_else(|| panic!("{title}: {timings}"));
    let seconds = |pair: &serde_json::Value, place: usize| pair[place].as_f64().unwrap();
    pairs.iter().map(|pair| [seconds(pair, 0), seconds(pair, 1)]).collect()
}

#[test]
fn every_cell_is_timed_after_all_are_done_and_once() {
    let workspace = Workspace::new(&suite(POLICIES));
    let outcome = workspace.run(&[]).well();
    let place = |text: &str| outcome.stderr.find(text).unwrap_or_else(|| panic!("{text}: {}", outcome.stderr));
    assert!(place("[4/4] done") < place("timed 1 of 4 cells, one at a time"), "{}", outcome.stderr);
    outcome.says(&["timed 4 of 4 cells, one at a time"]);
    let before: Vec<_> = workspace.cells().into_keys().map(|title| (pairs(&workspace, &title), title)).collect();
    assert!(before.iter().all(|(pairs, _)| pairs.len() == 9 && pairs.iter().flatten().all(|seconds| *seconds > 0.0)));

    assert!(!workspace.run(&[]).well().stderr.contains("timed"), "nothing was left to time");
    let files = workspace.files();
    fs::remove_file(workspace.cell("anira-e 0").join("timings.json")).unwrap();
    workspace
        .run(&[])
        .well()
        .says(&["done already  mano-stream · anira · anira-e", "timed 1 of 1 cells, one at a time"]);
    assert_eq!(workspace.files(), files, "timing changes no result");
    for (pairs_before, title) in &before {
        assert_eq!(pairs(&workspace, title) == *pairs_before, title != "anira-e 0", "{title}");
    }
}

#[test]
fn a_cell_of_which_no_time_is_recorded_has_no_speed_and_a_reason() {
    let workspace = Workspace::new(&suite(&POLICIES[..2]));
    workspace.run(&[]).well();
    fs::remove_file(workspace.cell("anira-e 0").join("timings.json")).unwrap();
    let board = workspace.outcome("leaderboard", &["--format", "json"]).well().stdout;
    let board: serde_json::Value = serde_json::from_str(&board).unwrap();
    let rows = board["boards"][0]["rows"].as_array().unwrap();
    let speed = |policy: &str| {
        let row = rows.iter().find(|row| row["policy"] == policy).unwrap();
        row["metrics"].as_array().unwrap().iter().find(|metric| metric["metric"] == "speed").unwrap().clone()
    };
    assert_eq!(
        (speed("anira-e")["value"].as_f64(), &speed("anira-e")["reason"]),
        (None, &"some of its seeds were not timed".into())
    );
    let fixed = speed("fixed");
    assert!(fixed["value"].is_number() || fixed["reason"].as_str().unwrap().contains("contains 1"), "{fixed}");
}
