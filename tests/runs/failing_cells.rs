//! A failing cell does not affect others and says why it failed.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::program::{POLICIES, Workspace, assert_same, built, command, suite};

const FAULTS: &str = "name = \"stress\"\nfault = [\"none\", \"panic\", \"error\", \"abort\", \"segfault\", \"exit\", \"nan\", \"wrong-shape\", \"exhaust-memory\"]";

/// What the cause of each fault mentions.
const CAUSES: &[(&str, &[&str])] = &[
    ("panic", &["panicked", "stress panics on purpose at step 1"]),
    ("error", &["stress broke the contract: fails on purpose at step 1"]),
    ("abort", &["signal 6 (SIGABRT"]),
    ("segfault", &["signal 11 (SIGSEGV"]),
    ("exit", &["the worker exited with status 0 before it had a result"]),
    ("nan", &["training step 1: stress broke the contract", "NaN"]),
    ("wrong-shape", &["training step 1: stress broke the contract", "shape"]),
    ("exhaust-memory", &["signal 6 (SIGABRT"]),
];

fn plugin() -> String {
    let file = built().join("deps/libhaltbench_stress.so");
    assert!(file.exists(), "{} was not built: is it a dev-dependency of haltbench_tests?", file.display());
    file.to_str().unwrap().to_owned()
}

fn leaderboard(workspace: &Workspace) -> Value {
    let outcome = workspace.outcome("leaderboard", &["--plugin", &plugin(), "--format", "json"]).well();
    serde_json::from_str(&outcome.stdout).unwrap()
}

fn label(fault: &str) -> String {
    format!("stress(fault={fault})")
}

#[test]
fn invariant_9_a_failing_cell_takes_no_other_with_it() {
    let policies = ["name = \"fixed\"", FAULTS, "name = \"random-matched\"\nof = \"stress(fault=panic)\""];
    let workspace = Workspace::new(&suite(&policies));
    let plugin = plugin();
    let outcome = workspace.run(&["--plugin", &plugin]);
    assert_eq!(outcome.status, 1, "{}", outcome.stderr);
    outcome.says(&["2 of 11 cells done, 9 failed"]);
    assert!(!outcome.stderr.contains("note:"), "{}", outcome.stderr);

    for title in ["fixed 0", &format!("{} 0", label("none"))] {
        assert_eq!(workspace.state(title), ("done".to_owned(), String::new()), "{title}");
    }
    let borrowing = "random-matched:stress(fault=panic)";
    let model = workspace.model(&format!("{} 0", label("panic")));
    let model = model.file_name().unwrap().display().to_string();
    let borrowed = format!("its model mano-stream · anira · {} · seed 0 ({model}) failed: panicked", label("panic"));
    let borrowed = [borrowed.as_str()];
    let causes = CAUSES.iter().map(|(fault, texts)| (label(fault), *texts));
    let board = leaderboard(&workspace);
    let (rows, missing) = (&board["boards"][0]["rows"], &board["boards"][0]["missing"]);
    let of = |list: &Value, policy: &str| {
        let found = list.as_array().unwrap().iter().find(|entry| entry["policy"] == policy);
        found.unwrap_or_else(|| panic!("no {policy} in {list}")).clone()
    };
    for (policy, texts) in causes.chain([(borrowing.to_owned(), &borrowed[..])]) {
        let (state, cause) = workspace.state(&format!("{policy} 0"));
        assert_eq!(state, "failed", "{policy}");
        assert_eq!(workspace.model_state(&format!("{policy} 0")).0, "failed", "{policy}");
        for text in texts {
            assert!(cause.contains(text), "the cause of {policy} lacks `{text}`: {cause}");
        }
        assert!(!cause.contains('\n'), "{cause}");
        outcome.says(&[&format!("mano-stream · anira · {policy} · seed 0: {cause}\n")]);

        let row = of(rows, &policy);
        assert!(row["place"]["rank_low"].is_null() && row["place"]["reason"].is_string(), "{row}");
        assert_eq!(row["seeds_done"], Value::Array(Vec::new()));
        let absent = of(missing, &policy);
        assert_eq!([&absent["state"], &absent["cause"]], [&Value::from("failed"), &Value::from(cause)]);
    }
    assert_eq!(missing.as_array().unwrap().len(), 9);
    for policy in ["fixed".to_owned(), label("none")] {
        assert!(of(rows, &policy)["place"]["rank_low"].is_u64(), "{policy}");
    }

    let alone = Workspace::new(&suite(&policies));
    alone.run(&["--plugin", &plugin, "--only", "fixed · "]).well();
    let files = workspace.files().into_iter().filter(|(name, _)| name.starts_with("fixed 0")).collect();
    assert_same(&files, &alone.files());
}

/// Building a model runs plugin code too: if it ends the process that tries it, only its own cells fail.
#[test]
fn invariant_9_a_plugin_that_ends_the_process_while_it_is_built_fails_its_cells_alone() {
    let stress = "name = \"stress\"\nat_step = 0\nfault = [\"exit\", \"abort\", \"none\"]";
    let workspace = Workspace::new(&suite(&["name = \"fixed\"", stress]));
    let outcome = workspace.run(&["--plugin", &plugin()]);
    assert_eq!(outcome.status, 1, "{}", outcome.stderr);
    outcome.says(&[
        "warning: mano-stream · anira · stress(fault=exit) · seed 0: a process that built it exited with status 0\n",
        "warning: mano-stream · anira · stress(fault=abort) · seed 0: a process that built it was killed by signal 6",
        "2 of 4 cells done, 2 failed",
    ]);
    for (fault, cause) in [("exit", "the worker exited with status 0 before"), ("abort", "killed by signal 6 (SIGABRT")]
    {
        let (state, said) = workspace.state(&format!("{} 0", label(fault)));
        assert!(state == "failed" && said.contains(cause), "{fault}: {state}: {said}");
    }
    assert_eq!(workspace.state("fixed 0").0, "done");
    assert_eq!(workspace.state(&format!("{} 0", label("none"))).0, "done");
}

/// A plugin that can still report an error does so before anything is trained.
#[test]
fn a_plugin_that_refuses_to_be_built_stops_the_run_before_it_begins() {
    for (fault, said) in
        [("error", "stress broke the contract: fails on purpose while it is built"), ("panic", "panicked")]
    {
        let stress = format!("name = \"stress\"\nat_step = 0\nfault = \"{fault}\"");
        let workspace = Workspace::new(&suite(&["name = \"fixed\"", &stress]));
        let outcome = workspace.run(&["--plugin", &plugin()]);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (2, ""), "{}", outcome.stderr);
        outcome.says(&["error: ", said]);
        assert!(!workspace.runs().exists(), "nothing was begun");
    }
}

/// A run with only failures has no leaderboard, but still says what failed.
#[test]
fn invariant_9_a_run_of_failures_ends_with_their_causes() {
    let workspace = Workspace::new(&suite(&["name = \"stress\"\nfault = \"error\"\nat_step = 2"]));
    let outcome = workspace.run(&["--plugin", &plugin()]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (1, ""));
    outcome.says(&["fails on purpose at step 2", "0 of 1 cells done, 1 failed"]);
    let again = workspace.run(&["--plugin", &plugin()]);
    assert_eq!(again.status, 1, "a failed cell is tried again");
    again.says(&["started  ", "fails on purpose at step 2"]);
}

#[test]
fn invariant_9_a_cell_that_cannot_be_locked_fails_alone_with_the_reason() {
    let policies = &POLICIES[..2];
    let workspace = Workspace::new(&suite(policies));
    workspace.run(&["--only", "fixed"]).well();
    let cell = workspace.cell("fixed 0");
    fs::remove_file(cell.join("lock")).unwrap();
    fs::create_dir(cell.join("lock")).unwrap();
    workspace.run(&["--only", "fixed"]).well().says(&["done already"]);
    for name in ["status.json", "result.json"] {
        fs::remove_file(cell.join(name)).unwrap();
    }
    let outcome = workspace.run(&[]);
    assert_eq!(outcome.status, 1, "{}", outcome.stderr);
    let cause = format!("fixed · seed 0: {}: cannot be opened: ", cell.join("lock").display());
    outcome.says(&[&cause, "its files were left unchanged", "1 of 2 cells done, 1 failed"]);

    // A model that cannot be locked fails the cells that need it.
    let (cell, model) = (workspace.cell("anira-e 0"), workspace.model("anira-e 0"));
    fs::remove_dir_all(cell).unwrap();
    fs::remove_file(model.join("result.json")).unwrap();
    fs::remove_file(model.join("status.json")).unwrap();
    fs::remove_file(model.join("lock")).unwrap();
    fs::create_dir(model.join("lock")).unwrap();
    let outcome = workspace.run(&["--only", "anira-e"]);
    assert_eq!(outcome.status, 1, "{}", outcome.stderr);
    let cause = format!("cannot be read: {}: cannot be opened: ", model.join("lock").display());
    outcome.says(&[&cause, "its files were left unchanged", "0 of 1 cells done, 1 failed"]);
    assert!(workspace.state("anira-e 0").1.contains(&cause), "{:?}", workspace.state("anira-e 0"));
}

#[test]
fn invariant_9_a_worker_without_its_plugin_says_so_and_writes_nothing() {
    let workspace = Workspace::new(&suite(&["name = \"stress\""]));
    workspace.run(&["--plugin", &plugin()]).well();
    let expected = workspace.files();
    let (cell, model) = (workspace.cell("stress 0"), workspace.model("stress 0"));
    let worker = |what: &str, folder: &Path, arguments: &[&str]| {
        let work = folder.join("work-alone");
        fs::create_dir(&work).unwrap();
        fs::copy(folder.join("plan.toml"), work.join("plan.toml")).unwrap();
        let mut worker = command();
        worker.arg("compute").arg("--run").arg(cell.parent().unwrap()).arg(what).arg(folder.file_name().unwrap());
        worker.arg("--work").arg(&work);
        // A worker stops when its standard input is closed.
        let worker = worker.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut worker = worker.spawn().unwrap();
        let leash = worker.stdin.take();
        let output = worker.wait_with_output().unwrap();
        drop(leash);
        assert!(!work.join("result.json").exists());
        fs::remove_dir_all(work).unwrap();
        let [said, failed] = [output.stderr, output.stdout].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.code(), said, failed)
    };
    for (what, folder) in [("--cell", &cell), ("--model", &model)] {
        let (status, said, failed) = worker(what, folder, &[]);
        assert_eq!((status, said.as_str()), (Some(2), "error: unknown policy `stress`\n"));
        assert!(failed.ends_with("\n{\"failed\":\"unknown policy `stress`\"}\n"), "{failed}");
        let (status, said, _) = worker(what, folder, &["--plugin", "/nowhere.so"]);
        assert!(status == Some(2) && said.starts_with("error: /nowhere.so: no such file"), "{status:?}: {said}");
    }
    assert_same(&workspace.files(), &expected);
}
