//! The trace of a finished cell, replayed with the cell's own policy.

use std::fs;
use std::path::Path;

use haltbench_engine::store::read_tokens;
use serde_json::Value;

use crate::program::{Outcome, Workspace, suite};
use crate::replayed::{depths, haltbench, replay};

fn trace(workspace: &Workspace, title: &str, file: &Path, more: &[&str]) -> Outcome {
    let cell = workspace.cell(title);
    let id = cell.file_name().and_then(|name| name.to_str()).unwrap();
    let (runs, file) = (workspace.runs(), file.to_str().unwrap());
    haltbench(&[&["trace", id, "--out", file, "--runs", runs.to_str().unwrap()], more].concat())
}

/// Depths of a cell and of the replay of its trace, and whether an earlier token of the sequence halted before.
fn compare(workspace: &Workspace, title: &str, policy: &str, given: &[&str]) -> Vec<(u32, u32, bool)> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.safetensors");
    trace(workspace, title, &file, &[]).well();
    let given: Vec<&str> = given.iter().flat_map(|set| ["--set", *set]).collect();
    let lines = replay(&file, policy, &given);
    let table = read_tokens(&workspace.cell(title).join("tokens.parquet")).unwrap();
    let columns = table.columns();
    assert_eq!(lines.len(), columns.depth.len(), "{title}");
    let (mut sequence, mut least) = (None, u32::MAX);
    let row = |(place, simulated): (usize, u32)| {
        let depth = columns.depth[place];
        if sequence.replace(columns.instance[place]) != Some(columns.instance[place]) {
            least = u32::MAX;
        }
        let is_overtaken = least < depth.max(simulated);
        least = least.min(depth);
        (depth, simulated, is_overtaken)
    };
    depths(&lines).into_iter().enumerate().map(row).collect()
}

#[track_caller]
fn equal_where_nothing_has_halted_before(title: &str, rows: &[(u32, u32, bool)]) {
    let comparable: Vec<_> = rows.iter().filter(|(_, _, is_overtaken)| !is_overtaken).collect();
    assert!(comparable.len() > 100, "{title}: {} of {} tokens", comparable.len(), rows.len());
    assert!(comparable.iter().all(|(depth, simulated, _)| depth == simulated), "{title}: {comparable:?}");
}

#[test]
fn decisions_that_no_other_token_changes_are_those_of_the_cell() {
    let workspace = Workspace::new(&suite(&[
        "name = \"fixed\"\ndepth = 2",
        "name = \"anira-e\"",
        "name = \"anira-o\"",
        "name = \"random\"",
        "name = \"fixed-answers\"\ndepth = 3",
        "name = \"oracle-complexity\"",
    ]));
    workspace.run(&["--set", "training.steps=60"]).well();
    // Decided before the first step, so other tokens cannot change anything.
    for (title, given) in [
        ("fixed", &["depth=2"][..]),
        ("anira-e", &[]),
        ("random", &[]),
        ("fixed-answers", &["depth=3"]),
        ("oracle-complexity", &[]),
    ] {
        let rows = compare(&workspace, &format!("{title} 0"), title, given);
        assert!(rows.iter().all(|(depth, simulated, _)| depth == simulated), "{title}: {rows:?}");
    }
    equal_where_nothing_has_halted_before("anira-o", &compare(&workspace, "anira-o 0", "anira-o", &[]));
    refusals(&workspace);
    parts(&workspace);
}

/// Under run-on, the keys and values of a halted token equal those of the trace.
#[test]
fn decisions_under_run_on_are_those_of_the_cell() {
    let workspace =
        Workspace::new(&suite(&["name = \"calm\"\nthreshold = 0.1", "name = \"huginn-latent-diff\"\nthreshold = 0.5"]));
    let set = ["--set", "recurrence.halted_keys_values=run-on", "--set", "backbone.coda_layers=0"];
    workspace.run(&set).well();
    for (policy, given) in [("calm", "threshold=0.1"), ("huginn-latent-diff", "threshold=0.5")] {
        let rows = compare(&workspace, &format!("{policy} 0"), policy, &[given]);
        assert!(rows.iter().all(|(depth, simulated, _)| depth == simulated), "{policy}: {rows:?}");
        assert!(rows.iter().any(|(depth, _, _)| *depth != rows[0].0), "{policy}: all depths are equal");
    }
}

fn refusals(workspace: &Workspace) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace.safetensors");
    let cell = workspace.cell("fixed 0");
    let id = cell.file_name().and_then(|name| name.to_str()).unwrap();
    let (runs, file) = (workspace.runs(), file.to_str().unwrap());
    let runs = runs.to_str().unwrap();
    let near = format!("{}{}", &id[..15], if id.ends_with('0') { '1' } else { '0' });
    let unknown = haltbench(&["trace", &near, "--out", file, "--runs", runs]);
    assert_eq!(unknown.status, 2);
    unknown.says(&[&format!("unknown cell `{near}`; did you mean `{id}`?")]);
    let other = haltbench(&["trace", id, "--out", file, "--runs", runs, "--suite", "other"]);
    assert_eq!(other.status, 2);
    other.says(&["other: unknown cell"]);
    let nowhere = haltbench(&["trace", id, "--out", "/nowhere/trace.safetensors", "--runs", runs]);
    assert_eq!(nowhere.status, 2);
    nowhere.says(&["/nowhere/trace.safetensors: cannot be written"]);
    let result = cell.join("result.json");
    let status = cell.join("status.json");
    let kept = [&result, &status].map(|path| fs::read(path).unwrap());
    [&result, &status].iter().for_each(|path| fs::remove_file(path).unwrap());
    let unfinished = haltbench(&["trace", id, "--out", file, "--runs", runs]);
    assert_eq!(unfinished.status, 1);
    unfinished.says(&["this cell is not done"]);
    [&result, &status].iter().zip(&kept).for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "something was left");
}

/// Lines of a replay without the objective.
fn decisions(mut lines: Vec<Value>) -> Vec<Value> {
    lines.iter_mut().filter_map(Value::as_object_mut).for_each(|line| drop(line.remove("objective")));
    lines
}

/// The flags select what is written; the same cell gives the same bytes.
fn parts(workspace: &Workspace) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for (name, more) in [
        ("both", &[][..]),
        ("again", &["--states", "--logits"]),
        ("states", &["--states"]),
        ("logits", &["--logits"]),
        ("few", &["--instances", "3"]),
    ] {
        trace(workspace, "anira-o 0", &path(name), more).well();
    }
    assert!(fs::read(path("both")).unwrap() == fs::read(path("again")).unwrap());
    let all = replay(&path("both"), "anira-o", &[]);
    assert!(all.iter().all(|line| line["objective"].is_f64()));
    // The objective of an answer token needs logits.
    let without = replay(&path("states"), "anira-o", &[]);
    assert!(without.iter().all(|line| line["objective"].is_null()));
    assert_eq!(decisions(without), decisions(all.clone()));
    let few = replay(&path("few"), "anira-o", &[]);
    assert_eq!(few[..], all[..few.len()]);
    assert_eq!(few.last().unwrap()["sequence"], Value::from(2));
    let confident = replay(&path("both"), "calm", &["--set", "threshold=0.1"]);
    let without = replay(&path("logits"), "calm", &["--set", "threshold=0.1"]);
    assert_eq!(decisions(without), decisions(confident));
    let shallow = replay(&path("both"), "fixed", &["--set", "depth=2", "--max-depth", "2"]);
    assert!(shallow.iter().all(|line| line["scores"].as_array().unwrap().len() == 2));
    for (name, policy, expected) in [
        ("states", "calm", "logits for policy calm: expected the tensor `logits` in the trace, found no such tensor"),
        (
            "logits",
            "huginn-latent-diff",
            "states for policy huginn-latent-diff: expected the tensor `states` in the trace",
        ),
        ("both", "anira-e", "tensor `policy.down.bias`: policy anira-e expects the shape [3], found [1]"),
    ] {
        let outcome = haltbench(&["replay", path(name).to_str().unwrap(), "--policy", policy]);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (2, ""), "{}", outcome.stderr);
        outcome.says(&[expected]);
    }
}
