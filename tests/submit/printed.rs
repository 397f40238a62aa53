//! What `--dry-run` prints, as recorded.

use std::path::Path;

use crate::place::Place;
use crate::program::{POLICIES, suite};

#[track_caller]
pub fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../snapshots/submit"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn what_would_be_run_is_as_recorded() {
    let place = Place::new(&suite(POLICIES).replace("seeds = [0]", "seeds = [0, 1]"));
    let set = ["--set", "training.steps=30", "--dry-run"];
    let slurm = ["--time", "1:00:00", "--partition", "main", "--jobs", "1", "--", "--account=physics"];
    for (engine, more) in [
        ("local", &["--cores", "1"][..]),
        ("slurm", &[&["--tasks", "3"][..], &slurm].concat()),
        ("snakemake", &["--tasks", "3", "--cores", "2", "--step-timeout", "60"]),
    ] {
        let outcome = place.outcome(&["submit", engine], &[&set[..], more].concat()).well();
        snapshot(engine, &place.redacted(&outcome.stdout));
    }
    assert!(!place.runs().exists(), "a dry run writes nothing");
}

#[test]
fn there_are_no_more_tasks_than_work_and_one_for_a_small_suite() {
    let place = Place::new(&suite(POLICIES));
    let asked = place.outcome(&["submit", "slurm"], &["--dry-run", "--tasks", "100"]).well();
    asked.says(&["note: --tasks 100: the suite has work for 3 tasks, so there are no more"]);
    assert!(asked.stdout.contains(" --array=1-3 "), "{}", asked.stdout);
    let estimated = place.outcome(&["submit", "slurm"], &["--dry-run"]).well();
    estimated.says(&["of work on this machine, in 1 task"]);
    assert!(estimated.stdout.contains(" --array=1-1 "), "{}", estimated.stdout);
}
