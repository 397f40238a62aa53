//! A run carries its suite: its leaderboard needs no file.

use std::fs;

use crate::program::{POLICIES, Workspace, command, suite};

#[test]
fn a_leaderboard_is_found_by_the_name_of_its_run() {
    let workspace = Workspace::new(&suite(&POLICIES[..2]));
    let set = ["--set", "policy.fixed.depth=3", "--set", "evaluation.instances=10"];
    workspace.run(&set).well();
    let by_file = workspace.outcome("leaderboard", &set).well().stdout;
    // Where there is no suite file.
    fs::rename(workspace.suite(), workspace.suite().with_extension("away")).unwrap();
    let ask = |verb: &str, name: &str| {
        let mut command = command();
        command.arg(verb).arg(name).arg("--runs").arg(workspace.runs()).current_dir("/");
        let output = command.output().unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.code(), stdout, stderr)
    };
    let (status, board, said) = ask("leaderboard", "tiny");
    assert_eq!((status, &board), (Some(0), &by_file), "{said}");
    let (status, page, said) = ask("explain", "tiny");
    assert!(status == Some(0) && page.contains("| models"), "{said}");
    assert!(page.contains("none: everything is done"), "{page}");
    let (status, _, said) = ask("leaderboard", "tinny");
    assert_eq!(status, Some(2));
    let expected = format!("nor a suite that was run in {} (tiny); did you mean `tiny`?", workspace.runs().display());
    assert!(said.contains(&expected), "{said}");
    // Nothing outside the folder of runs has this name.
    for name in ["..", "models", ".", "tiny/..", ""] {
        let (status, _, said) = ask("leaderboard", name);
        assert!(status == Some(2) && said.starts_with("error: "), "{name}: {said}");
    }
}

#[test]
fn a_recorded_suite_that_is_damaged_is_named() {
    let workspace = Workspace::new(&suite(&POLICIES[..1]));
    workspace.run(&[]).well();
    let recorded = workspace.runs().join("tiny/suite.toml");
    assert_eq!(fs::read_to_string(&recorded).unwrap(), fs::read_to_string(workspace.suite()).unwrap());
    fs::write(&recorded, "name = ").unwrap();
    let output =
        command().args(["leaderboard", "tiny", "--runs"]).arg(workspace.runs()).current_dir("/").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.starts_with(&format!("error: {}: ", recorded.display())), "{said}");
    // The suite file is still there, and the next run records it again.
    workspace.outcome("leaderboard", &[]).well();
    workspace.run(&[]).well();
    assert_eq!(fs::read_to_string(&recorded).unwrap(), fs::read_to_string(workspace.suite()).unwrap());
}
