//! Faults of the machine and of other programs that bite runners of experiments. `docs/reliability.md` lists all of
//! them with their numbers and tests; these have no other test.

use std::fs;
use std::process::Command;

use crate::program::{POLICIES, Workspace, assert_same, command, suite, until, work_of};

const LONG: &[&str] = &["--set", "training.steps=300"];

/// Hydra 3328, snakemake 1342: what is on disk when a run is resumed need not be what it left there.
#[test]
fn fault_31_a_plan_edited_between_run_and_resume_is_not_used() {
    let whole = Workspace::new(&suite(&POLICIES[1..2]));
    whole.run(LONG).well();
    let workspace = Workspace::new(&suite(&POLICIES[1..2]));
    let mut run = workspace.start(LONG);
    until("a checkpoint", || workspace.is_resumable("anira-e 0"));
    run.signal("INT");
    until("the end of the run", || run.ended().is_some());
    let model = workspace.model("anira-e 0");
    let plans = [model.join("plan.toml"), work_of(&model)[0].join("plan.toml")];
    for plan in plans {
        let text = fs::read_to_string(&plan).unwrap();
        fs::write(&plan, text.replace("steps = 300", "steps = 20")).unwrap();
    }
    workspace.run(LONG).well();
    assert_same(&workspace.files(), &whole.files());
}

/// Snakemake 3808, DVC 8621: a lock or a claim that a dead process left must not stop anybody.
#[test]
fn fault_32_locks_and_claims_of_dead_processes_stop_nobody() {
    let workspace = Workspace::new(&suite(&POLICIES[..1]));
    workspace.run(&[]).well();
    let expected = workspace.files();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let claim = format!("{{\"owner\": \"dead\", \"boot\": \"{}\", \"process\": 1, \"renewals\": 7}}", boot.trim());
    for folder in [workspace.cell("fixed 0"), workspace.model("fixed 0")] {
        for name in ["status.json", "result.json"] {
            fs::remove_file(folder.join(name)).unwrap();
        }
        fs::write(folder.join("claim.json"), &claim).unwrap();
        fs::write(folder.join("lock"), "of a process that is gone").unwrap();
    }
    workspace.run(&[]).well();
    assert_same(&workspace.files(), &expected);
}

/// The clock of a machine may be wrong and its time zone may change: no result depends on it.
#[test]
fn fault_15_the_time_zone_changes_no_byte() {
    let [here, there] = ["UTC", "Pacific/Kiritimati"].map(|zone| {
        let workspace = Workspace::new(&suite(&POLICIES[..1]));
        let output = workspace.command("run").env("TZ", zone).output().unwrap();
        assert!(output.status.success());
        workspace.files()
    });
    assert_same(&here, &there);
}

#[test]
fn fault_24_names_with_spaces_letters_of_all_scripts_and_dashes_are_names() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("a b \u{e9}\u{4e2d} --runs 'q' \"d\" $HOME");
    fs::create_dir(&folder).unwrap();
    let file = folder.join("-- my suite.toml");
    let name = "n".repeat(200);
    fs::write(&file, suite(&POLICIES[..1]).replace("name = \"tiny\"", &format!("name = \"{name}\""))).unwrap();
    let output = command().arg("run").arg("--runs").arg(folder.join("r u n s")).arg(&file).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("1 of 1 cells done, 0 failed"), "{said}");
    assert!(folder.join("r u n s").join(&name).join("index.json").exists());
}

/// Where the system has namespaces: a machine without a network lacks nothing.
#[test]
fn fault_29_a_run_needs_no_network() {
    let workspace = Workspace::new(&suite(&POLICIES[..1]));
    let run = workspace.command("run");
    let mut alone = Command::new("unshare");
    alone.args(["--user", "--net", "--map-root-user"]).arg(run.get_program()).args(run.get_args());
    match alone.current_dir(workspace.suite().parent().unwrap()).output() {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.starts_with("unshare: "), "{said}");
            eprintln!("skipped: {said}");
        }
        Err(error) => eprintln!("skipped: unshare: {error}"),
    }
}
