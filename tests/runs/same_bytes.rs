//! The same plan gives the same bytes, and finished work is not repeated.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::SystemTime;

use haltbench_engine::store::read_tokens;

use crate::program::{POLICIES, Workspace, assert_same, json, suite};

#[test]
fn invariant_7_a_run_repeats_itself_byte_for_byte() {
    let [first, second] = [(); 2].map(|()| Workspace::new(&suite(POLICIES)));
    for workspace in [&first, &second] {
        workspace.run(&[]).well();
    }
    let files = first.files();
    for title in ["fixed 0", "anira-e 0", "anira-o 0"] {
        for name in [
            "plan.toml",
            "status.json",
            "tokens.parquet",
            "result.json",
            "model/plan.toml",
            "model/status.json",
            "model/metrics.jsonl",
            "model/result.json",
            "model/config.json",
            "model/weights.safetensors",
        ] {
            assert!(!files[&format!("{title}: {name}")].is_empty(), "{title}: {name}");
        }
    }
    assert_eq!(files.len(), 4 * (5 + 6), "nothing else: {:?}", files.keys());
    assert_eq!(first.model("random-matched:anira-e 0"), first.model("anira-e 0"));
    assert_same(&second.files(), &files);
}

/// Wide enough for threads to split every matrix product.
#[test]
fn invariant_7_jobs_and_threads_change_no_byte() {
    let wide = ["training.steps=6", "training.batch=64", "backbone.d_model=64", "backbone.d_ff=256"];
    let wide: Vec<&str> = wide.iter().flat_map(|assignment| ["--set", assignment]).collect();
    let cores = thread::available_parallelism().unwrap().get();
    let files = [1, 2].map(|jobs| {
        let workspace = Workspace::new(&suite(&POLICIES[1..]));
        workspace.run(&[&wide[..], &["--jobs", &jobs.to_string()]].concat()).well();
        for folder in [workspace.cell("anira-e 0"), workspace.model("anira-e 0")] {
            let threads = json(&folder.join("timings.json"))["threads"].as_u64().unwrap();
            assert_eq!(threads, (cores as u64 / jobs).max(1), "{jobs} jobs on {cores} cores");
        }
        workspace.files()
    });
    assert_same(&files[1], &files[0]);
}

#[test]
fn invariant_7_the_evaluations_batch_changes_no_depth_and_no_prediction() {
    let policies = &POLICIES[1..3];
    let tables = ["16", "7"].map(|batch| {
        let workspace = Workspace::new(&suite(policies));
        workspace.run(&["--set", &format!("evaluation.batch={batch}")]).well();
        let table = |title| read_tokens(&workspace.cell(title).join("tokens.parquet")).unwrap();
        ["anira-e 0", "anira-o 0"].map(table).map(|table| {
            let columns = table.columns().clone();
            assert!(
                columns.depth.iter().any(|depth| *depth != columns.depth[0]),
                "all depths are {}",
                columns.depth[0]
            );
            (columns.instance, columns.position, columns.depth, columns.correct)
        })
    });
    assert_eq!(tables[0], tables[1]);
}

fn times(workspace: &Workspace) -> BTreeMap<String, SystemTime> {
    let written = |cell: &PathBuf| fs::metadata(cell.join("result.json")).unwrap().modified().unwrap();
    workspace.cells().iter().map(|(title, cell)| (title.clone(), written(cell))).collect()
}

#[test]
fn invariant_8_finished_cells_are_kept_unless_they_are_to_be_overwritten() {
    let workspace = Workspace::new(&suite(POLICIES));
    let first = workspace.run(&["--only", "anira-e"]).well();
    first.says(&["[1/2] done", "[2/2] done", "2 of 2 cells done, 0 failed", "random-matched:anira-e"]);
    assert!(first.stdout.contains("random-matched:anira-e"), "no leaderboard: {}", first.stdout);
    let (two, files) = (times(&workspace), workspace.files());
    assert_eq!(two.keys().collect::<Vec<_>>(), ["anira-e 0", "random-matched:anira-e 0"]);

    let rest = workspace.run(&["--resume"]).well();
    let kept = |title: &str| format!("done already  mano-stream · anira · {title} · seed 0");
    rest.says(&[&kept("anira-e"), &kept("random-matched:anira-e"), "4 of 4 cells done, 0 failed"]);
    assert!(!rest.stderr.contains(&kept("fixed")) && !rest.stderr.contains(&kept("anira-o")), "{}", rest.stderr);
    let four = times(&workspace);
    assert_eq!(four.len(), 4);
    for (title, time) in &two {
        assert_eq!(four[title], *time, "{title} was computed again");
    }
    assert!(files.iter().all(|(name, bytes)| workspace.files()[name] == *bytes));

    let expected = workspace.files();
    let again = workspace.run(&["--overwrite", "--only", "fixed"]).well();
    assert!(!again.stderr.contains("done already"), "{}", again.stderr);
    let after = times(&workspace);
    let moved: Vec<&String> = after.keys().filter(|title| after[*title] != four[*title]).collect();
    assert_eq!(moved, ["fixed 0"]);
    assert_same(&workspace.files(), &expected);
}

#[test]
fn a_pattern_that_matches_nothing_lists_the_cells() {
    let workspace = Workspace::new(&suite(POLICIES));
    let outcome = workspace.run(&["--only", "anira-x"]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (2, ""));
    assert_eq!(
        outcome.stderr,
        "error: --only anira-x: matches none of the cells\n  mano-stream · anira · fixed · seed 0\n  \
         mano-stream · anira · anira-e · seed 0\n  mano-stream · anira · anira-o · seed 0\n  \
         mano-stream · anira · random-matched:anira-e · seed 0\n"
    );
    assert!(!workspace.runs().exists());
}
