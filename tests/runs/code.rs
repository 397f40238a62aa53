//! Results of other code are never taken for results of this code.

use std::fs;

use crate::program::{POLICIES, Workspace, assert_same, built, json, suite};

/// A copy of the library of the paper's policies with one letter of its documentation changed, as by an edit.
fn edited(workspace: &Workspace) -> String {
    let name = "libhaltbench_policy_anira.so";
    let mut bytes = fs::read(built().join("deps").join(name)).unwrap();
    let text = b"## What it computes";
    let place = bytes.windows(text.len()).position(|window| window == text).unwrap();
    bytes[place + 3] = b'w';
    let file = workspace.suite().with_file_name(name);
    fs::write(&file, bytes).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn an_edited_policy_never_keeps_an_old_result() {
    let workspace = Workspace::new(&suite(&[POLICIES[0], POLICIES[1], POLICIES[3]]));
    workspace.run(&[]).well().says(&["3 of 3 cells done, 0 failed; 2 models trained"]);
    let (before, old) = (workspace.files(), workspace.cells());
    let plugin = edited(&workspace);

    let other = "/tiny holds 2 cells of this suite made by other code (policy); they are left as they are, and \
                 `haltbench run` computes them anew";
    let outcome = workspace.outcome("leaderboard", &["--plugin", &plugin]).well();
    outcome.says(&[other]);
    let again = workspace.run(&["--plugin", &plugin]).well();
    again.says(&[
        other,
        "done already  mano-stream · anira · fixed · seed 0",
        "started  model mano-stream · anira · anira-e · seed 0",
        "started  mano-stream · anira · anira-e · seed 0",
        "started  mano-stream · anira · random-matched:anira-e · seed 0",
        "3 of 3 cells done, 0 failed; 1 model trained, 0 there already",
    ]);
    assert!(!again.stderr.contains("started  mano-stream · anira · fixed"), "{}", again.stderr);
    let new = workspace.cells();
    for (title, cell) in &old {
        assert_eq!(new[title] == *cell, title == "fixed 0", "{title}");
        assert!(cell.join("result.json").exists(), "{title}: nothing is deleted");
        // The edit changed only its documentation.
        let metrics = |cell| json(&std::path::Path::join(cell, "result.json"))["metrics"].clone();
        assert_eq!(metrics(cell), metrics(&new[title]), "{title}");
    }

    // The original code finds its results unchanged.
    let back = workspace.run(&[]).well();
    assert!(!back.stderr.contains("made by other code"), "nothing is left to compute: {}", back.stderr);
    back.says(&["3 of 3 cells done, 0 failed; 0 models trained, 0 there already"]);
    assert!(!back.stderr.contains("started"), "{}", back.stderr);
    assert_same(&workspace.files(), &before);
}
