//! Progress that nobody can read changes nothing; what cannot be written is named; closed terminals stop a run so that it
//! can be resumed.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use crate::program::{POLICIES, Workspace, assert_same, built, suite, until};

/// `haltbench VERB SUITE` started by a shell that runs `script` before; the program is its last word.
fn through_a_shell(workspace: &Workspace, script: &str, arguments: &[&str]) -> Command {
    let program = workspace.command("run");
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("{script}; exec \"$@\" {}", if script.contains("2>&-") { "2>&-" } else { "" }))
        .arg("sh");
    command.arg(program.get_program()).args(program.get_args()).args(arguments);
    command.current_dir(program.get_current_dir().unwrap()).stdin(Stdio::null());
    command
}

#[test]
fn progress_that_cannot_be_written_ends_no_run() {
    let whole = Workspace::new(&suite(&POLICIES[..2]));
    let expected = whole.run(&[]).well().stdout;
    let board = |text: &str| text.lines().take_while(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>();

    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let closed = || Stdio::from(std::io::pipe().unwrap().1);
    for (what, stderr) in [("a full device", full()), ("a pipe that nobody reads", closed())] {
        let workspace = Workspace::new(&suite(&POLICIES[..2]));
        let output = workspace.command("run").stderr(stderr).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{what}");
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert_eq!(board(&stdout), board(&expected), "{what}: the leaderboard");
        assert_same(&workspace.files(), &whole.files());
    }
    let workspace = Workspace::new(&suite(&POLICIES[..2]));
    let output = through_a_shell(&workspace, ": 2>&-", &[]).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(0), false), "a closed standard error");
    assert_same(&workspace.files(), &whole.files());
}

/// Who stops reading the leaderboard does not change how the cells ended.
#[test]
fn a_leaderboard_that_cannot_be_written_leaves_the_results() {
    let plugin = built().join("deps/libhaltbench_stress.so");
    let plugin = plugin.to_str().unwrap();
    let failing = Workspace::new(&suite(&["name = \"fixed\"", "name = \"stress\"\nfault = \"error\"\nat_step = 2"]));
    let closed = || Stdio::from(std::io::pipe().unwrap().1);
    let output = failing.command("run").args(["--plugin", plugin]).stdout(closed()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "a cell failed, and nobody reads the leaderboard");
    let well = Workspace::new(&suite(&POLICIES[..1]));
    let output = well.command("run").stdout(closed()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = well.command("leaderboard").stdout(full).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), said.starts_with("error: standard output: cannot be written: No space")),
        (Some(1), true),
        "{said}"
    );
}

/// `ulimit -f` kills by SIGXFSZ unless that is ignored; the same error as of a full disk.
#[test]
fn a_file_that_becomes_too_large_is_named() {
    let workspace = Workspace::new(&suite(&POLICIES[..1]));
    let output = through_a_shell(&workspace, "ulimit -f 8", &[]).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let work = workspace.work("fixed 0");
    let expected = format!("{}: cannot be written: File too large", work.join("training.safetensors").display());
    assert!(said.contains(&expected), "{said}");
    let left: Vec<_> = fs::read_dir(&work).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        left.iter().all(|name| !name.to_string_lossy().ends_with(".new")),
        "half a file fills a full disk: {left:?}"
    );
    // With room, the same command goes on.
    workspace.run(&[]).well().says(&["1 of 1 cells done, 0 failed"]);
}

const LONG: &[&str] = &["--set", "training.steps=300"];

#[test]
fn a_closed_terminal_stops_a_run_so_that_it_can_be_resumed() {
    let whole = Workspace::new(&suite(&POLICIES[1..2]));
    whole.run(LONG).well();
    for is_group in [true, false] {
        let workspace = Workspace::new(&suite(&POLICIES[1..2]));
        let mut run = workspace.start(LONG);
        until("a checkpoint", || workspace.is_resumable("anira-e 0"));
        // A terminal tells all of its processes.
        if is_group {
            run.signal_group("HUP")
        } else {
            run.signal("HUP")
        };
        until("the end of the run", || run.ended().is_some());
        assert_eq!(run.wait().code(), Some(129), "{}", workspace.said());
        assert!(
            workspace.said().contains("stopped by signal 1; run the same command to continue"),
            "{}",
            workspace.said()
        );
        assert_eq!(workspace.state("anira-e 0").0, "pending");
        until("no process", || workspace.processes().is_empty());
        workspace.run(LONG).well();
        assert_same(&workspace.files(), &whole.files());
    }
}

/// `nohup` starts a program so that it ignores the signal.
#[test]
fn a_run_that_was_told_to_outlive_its_terminal_does() {
    let workspace = Workspace::new(&suite(&POLICIES[1..2]));
    let mut run =
        through_a_shell(&workspace, "trap '' HUP", LONG).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("a checkpoint", || workspace.is_resumable("anira-e 0"));
    crate::program::send("HUP", &run.id().to_string());
    assert_eq!(run.wait().unwrap().code(), Some(0));
    assert_eq!(workspace.state("anira-e 0").0, "done");
}

/// Predicted numbers are independent of the machine; the limit is that of addresses, as on a smaller machine.
#[test]
fn memory_is_predicted_before_anything_is_trained() {
    for (set, expected) in [
        (
            "recurrence.max_depth=100000",
            "policy anira-e: with max_depth = 100000 and training.batch = 16, anira on mano-stream needs at least 157",
        ),
        (
            "recurrence.max_depth=100000",
            "GB of memory, of which 120.0 GB are for sums over depths; the limit is 16.4 GB\n",
        ),
        ("backbone.d_model=65536", "its shape [196608, 65536] needs 51.5 GB of memory, the limit is 16.4 GB\n"),
        ("training.batch=1000000", "are for the steps of a training batch; the limit is 16.4 GB\n"),
    ] {
        let workspace = Workspace::new(&suite(&POLICIES[1..2]));
        let sized = ["--set", set, "--set", "backbone.core_layers=8"];
        let output = through_a_shell(&workspace, "ulimit -v 16000000", &sized).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(expected), "{set}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(!workspace.runs().exists(), "something was begun");
    }
}

#[test]
fn a_warm_up_that_does_not_end_is_mentioned() {
    let workspace = Workspace::new(&suite(&POLICIES[..1]));
    let warned = workspace.run(&["--set", "training.warmup_steps=80"]).well();
    warned.says(&[
        "warning: training.warmup_steps is 80, but a stage of training has 20 steps: its learning rate ends at 0.250 of \
         training.learning_rate\n",
    ]);
    let well = workspace.run(&["--set", "training.warmup_steps=20"]).well();
    assert!(!well.stderr.contains("warning"), "{}", well.stderr);
}

/// Few different instances exist of small sizes; the leaderboard tells how many were found.
#[test]
fn fewer_instances_than_asked_for_are_mentioned() {
    let workspace = Workspace::new(&suite(&POLICIES[..1]));
    let board = workspace.run(&["--set", "task.modulus=2", "--set", "evaluation.instances=300"]).well().stdout;
    let expected = "evaluation.instances asks for 300 distinct instances of each size, of which fewer were found: ";
    let line = board.lines().find(|line| line.contains(expected)).unwrap_or_else(|| panic!("{board}"));
    assert!(line.contains(" of size 1"), "{line}");
    let board = workspace.run(&["--set", "evaluation.instances=3"]).well().stdout;
    assert!(!board.contains("distinct instances of each size"), "{board}");
}
