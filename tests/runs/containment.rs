//! What a plugin that hangs, floods, deletes or forges can do: at most spoil its own cell.

use std::fs;
use std::time::{Duration, Instant};

use crate::program::{Outcome, Workspace, assert_same, built, command, json, suite, until};

/// The library of a plugin of the tests.
pub fn library(name: &str) -> String {
    let file = built().join(format!("deps/lib{name}.so"));
    assert!(file.exists(), "{} was not built: is it a dev-dependency of haltbench_tests?", file.display());
    file.to_str().unwrap().to_owned()
}

/// A suite with healthy policies and one that commits `fault`.
fn beside(fault: &str) -> Workspace {
    let stress = format!("name = \"stress\"\nfault = \"{fault}\"");
    Workspace::new(&suite(&[HEALTHY, &stress]))
}

/// Two healthy policies.
const HEALTHY: &str = "name = \"fixed\"\ndepth = [1, 2]";

fn run(workspace: &Workspace, arguments: &[&str]) -> Outcome {
    let plugin = library("haltbench_stress");
    workspace.run(&[&["--plugin", &plugin, "--jobs", "1"], arguments].concat())
}

/// Asserts that the healthy cells are done, with the files of a run without the other cell.
fn healthy(workspace: &Workspace) {
    let alone = Workspace::new(&suite(&[HEALTHY]));
    alone.run(&[]).well();
    let files = workspace.files().into_iter().filter(|(name, _)| name.starts_with("fixed"));
    assert_same(&files.collect(), &alone.files());
}

#[test]
fn invariant_9_a_plugin_that_hangs_is_ended_and_costs_its_cell_alone() {
    for fault in ["hang", "hang-when-dropped", "hang-without-output"] {
        let workspace = beside(fault);
        let started = Instant::now();
        let outcome = run(&workspace, &["--step-timeout", "2"]);
        assert!(started.elapsed() < Duration::from_secs(40), "{fault}: {:?}", started.elapsed());
        assert_eq!(outcome.status, 1, "{fault}: {}", outcome.stderr);
        outcome.says(&[
            "mano-stream · anira · stress · seed 0",
            ": it is ended after 2 s (--step-timeout)",
            ": the worker made no progress for 2 s and was ended (--step-timeout)",
            "2 of 3 cells done, 1 failed",
        ]);
        assert!(workspace.processes().is_empty(), "{fault}: a process is left");
        healthy(&workspace);
    }
}

#[test]
fn invariant_9_a_plugin_that_hangs_while_it_is_built_is_told_before_anything_is_trained() {
    let stress = "name = \"stress\"\nfault = \"hang\"\nat_step = 0";
    let workspace = Workspace::new(&suite(&["name = \"fixed\"", stress]));
    let outcome = run(&workspace, &["--step-timeout", "2"]);
    assert_eq!(outcome.status, 1, "{}", outcome.stderr);
    outcome.says(&[
        "warning: mano-stream · anira · stress · seed 0: a process that built it took longer than 2 s and was ended",
        "1 of 2 cells done, 1 failed",
    ]);
}

/// A stop for want of time is neither a success nor a failure: the next run continues.
#[test]
fn a_cell_that_takes_too_long_is_stopped_and_resumed() {
    let policies = ["name = \"anira-e\"", "name = \"fixed\""];
    let whole = Workspace::new(&suite(&policies));
    let long = ["--set", "training.steps=3000", "--jobs", "1"];
    whole.run(&long).well();
    let workspace = Workspace::new(&suite(&policies));
    let (mut stops, mut last) = (0, 1);
    for _ in 0..40 {
        let outcome = workspace.run(&[&long[..], &["--cell-timeout", "1.5"]].concat());
        last = outcome.status;
        if last == 0 {
            break;
        }
        assert_eq!(last, 1, "{}", outcome.stderr);
        outcome.says(&["the worker took longer than 1.5 s and was stopped (--cell-timeout)", "0 failed"]);
        let stopped = [workspace.model_state("anira-e 0"), workspace.model_state("fixed 0")];
        assert!(stopped.iter().any(|(state, cause)| state == "stopped" && cause.contains("1.5 s")), "{stopped:?}");
        stops += 1;
    }
    assert!(last == 0 && stops > 0, "it was stopped {stops} times");
    assert_same(&workspace.files(), &whole.files());
}

#[test]
fn a_run_with_plugins_that_hang_ends_within_three_seconds_of_a_signal() {
    let stress = |at_step: u32| format!("name = \"stress\"\nfault = \"hang\"\nat_step = {at_step}");
    for (at_step, signal, status) in [(1, "INT", 130), (1, "TERM", 143), (0, "INT", 130)] {
        let workspace = Workspace::new(&suite(&[&stress(at_step)]));
        let plugin = library("haltbench_stress");
        let mut run = workspace.start(&["--plugin", &plugin]);
        let marker = if at_step == 0 { "rehearse" } else { "compute" };
        let line = |process: &u32| fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let is_at_it = || {
            let all = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
            let parent = |process: &u32| {
                let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
                stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse::<u32>().ok())
            };
            all.into_iter().any(|process| parent(&process) == Some(run.id()) && line(&process).contains(marker))
        };
        until("the plugin to hang", is_at_it);
        std::thread::sleep(Duration::from_millis(1500));
        let started = Instant::now();
        run.signal(signal);
        until("the end of the run", || run.ended().is_some());
        assert!(started.elapsed() < Duration::from_secs(4), "SIG{signal}: {:?}", started.elapsed());
        assert_eq!(run.wait().code(), Some(status), "{}", workspace.said());
        until("the end of its workers", || workspace.processes().is_empty());
    }
}

#[test]
fn invariant_9_output_of_a_plugin_stops_and_swells_nothing() {
    for fault in ["raw-bytes", "endless-line", "leave-a-child"] {
        let workspace = beside(fault);
        let outcome = run(&workspace, &[]).well();
        outcome.says(&["3 of 3 cells done, 0 failed"]);
        healthy(&workspace);
        for folder in [workspace.cell("stress 0"), workspace.model("stress 0")] {
            let log = fs::metadata(folder.join("log.txt")).unwrap().len();
            assert!(log < (4 << 20) + 200, "{fault}: a log of {log} bytes");
        }
    }
}

/// What a worker of another cell deletes or changes is noticed before the run ends, and computed again by the next.
#[test]
fn invariant_9_a_plugin_that_deletes_other_cells_is_no_success() {
    let workspace = beside("delete-others");
    let outcome = run(&workspace, &[]);
    assert_eq!(outcome.status, 1, "{}", outcome.stderr);
    outcome.says(&[
        "it was done, and then something else changed its files: ",
        "result.json: damaged: the file is missing",
        "1 of 3 cells done, 2 failed",
    ]);
    let cells = [workspace.state("fixed(depth=1) 0"), workspace.state("fixed(depth=2) 0")];
    assert!(
        cells.iter().all(|(state, cause)| state == "failed" && cause.contains("something else changed")),
        "{cells:?}"
    );
    run(&workspace, &["--only", "fixed"]).well();
    healthy(&workspace);
}

/// Where the system allows it: the run says where it does not.
#[test]
fn an_isolated_plugin_reaches_no_other_file_and_no_network() {
    let workspace = beside("delete-others");
    let outcome = run(&workspace, &["--isolate"]);
    if outcome.stderr.contains("not everything is isolated here") {
        eprintln!("skipped: this system cannot isolate: {}", outcome.stderr);
        return;
    }
    assert_eq!(outcome.status, 1, "{}", outcome.stderr);
    outcome.says(&["Permission denied", "2 of 3 cells done, 1 failed"]);
    healthy(&workspace);

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let secrets = tempfile::tempdir().unwrap();
    let secret = secrets.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let escape = |isolate: &[&str]| {
        let workspace = beside("escape");
        let mut command = workspace.command("run");
        command.args(["--plugin", &library("haltbench_stress")]).args(isolate);
        command.env("HALTBENCH_STRESS_FILE", &secret);
        command.env("HALTBENCH_STRESS_ADDRESS", listener.local_addr().unwrap().to_string());
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, said) = escape(&[]);
    assert!(status == Some(1) && said.contains("escaped: read a file"), "{said}");
    let (status, said) = escape(&["--isolate"]);
    assert!(status == Some(0) && said.contains("3 of 3 cells done"), "{said}");
}

#[test]
fn invariant_9_a_forged_result_is_refused() {
    for (fault, said) in [
        ("forge-measures", "its result is refused: token_accuracy: its rows give "),
        ("forge-rows", "its result is refused: token "),
    ] {
        let workspace = beside(fault);
        let outcome = run(&workspace, &[]);
        assert_eq!(outcome.status, 1, "{fault}: {}", outcome.stderr);
        outcome.says(&[said, "2 of 3 cells done, 1 failed"]);
        assert!(!workspace.cell("stress 0").join("result.json").exists(), "{fault}: it was admitted");
        healthy(&workspace);
    }
}

/// Opening a library runs its constructors. One that ends or stops the process is left out, and never a success.
#[test]
fn invariant_2_a_library_that_ends_the_process_that_opens_it_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let found = folder.path().join("libhaltbench_policy_constructor.so");
    fs::copy(library("haltbench_misbehaving_constructor"), &found).unwrap();
    let list = |constructor: &str, plugin: bool| {
        let mut command = command();
        command.args(["list", "policies"]).env("HALTBENCH_CONSTRUCTOR", constructor);
        match plugin {
            true => command.arg("--plugin").arg(&found),
            false => command.env("HALTBENCH_PLUGINS", folder.path()),
        };
        let output = command.output().unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.code(), stdout, stderr)
    };
    let well = list("none", false);
    assert!(well.0 == Some(0) && well.1.contains("misbehaving-constructor"), "{well:?}");
    for (constructor, how) in [
        ("exit", "exited with status 0"),
        ("abort", "was killed by signal 6 (SIGABRT, it aborted or its stack overflowed)"),
        ("hang", "took longer than 10 s and was ended"),
    ] {
        let started = Instant::now();
        let (status, stdout, stderr) = list(constructor, false);
        let note = format!("note: plugin left out: {}: not opened: a process that opened it {how}\n", found.display());
        assert!(status == Some(0) && stderr.contains(&note), "{constructor}: {status:?}: {stderr}");
        assert!(stdout.contains("fixed") && !stdout.contains("misbehaving-constructor"), "{constructor}: {stdout}");
        assert!(started.elapsed() < Duration::from_secs(20));
        if constructor != "hang" {
            let (status, _, stderr) = list(constructor, true);
            assert!(status == Some(3) && stderr.contains(how), "{constructor}: {status:?}: {stderr}");
        }
    }
    let (status, stdout, stderr) = list("exit-after-trial", false);
    assert_eq!((status, stdout.as_str()), (Some(3), ""));
    assert!(stderr.contains("it ended the process while it was opened"), "{stderr}");
}

/// Whatever bits of a library are damaged: it is refused or left out, and the program lives.
#[test]
fn invariant_2_a_damaged_library_ends_no_program() {
    let whole = fs::read(library("haltbench_stress")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut stream = haltbench_sdk::random::Stream::new(2, "damage", &[]);
    let count = std::env::var("HALTBENCH_MUTANTS").ok().and_then(|text| text.parse().ok()).unwrap_or(30);
    let mut refused = 0;
    for number in 0..count {
        let mut bytes = whole.clone();
        for _ in 0..1 + stream.below(8) {
            // Most of a library is code that never runs here: headers and tables are hit more often.
            let end = if stream.below(2) == 0 { 4096 } else { bytes.len() as u64 };
            let place = stream.below(end) as usize;
            bytes[place] = stream.below(256) as u8;
        }
        let file = folder.path().join(format!("libmutant{number}.so"));
        fs::write(&file, &bytes).unwrap();
        let output = command().args(["list", "policies"]).arg("--plugin").arg(&file).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => {}
            Some(3) => refused += 1,
            other => panic!("mutant {number}: {other:?}: {}: {said}", output.status),
        }
        fs::remove_file(&file).unwrap();
    }
    assert!(refused > 0);
}

/// Two runs on one folder share the work, and neither says anything wrong about what the other computes.
#[test]
fn invariant_8_two_runs_on_one_folder_share_its_cells() {
    let policies = ["name = \"fixed\"\ndepth = [1, 2, 3]", "name = \"anira-e\""];
    let long = ["--set", "training.steps=300", "--jobs", "1"];
    let whole = Workspace::new(&suite(&policies));
    whole.run(&long).well();
    let workspace = Workspace::new(&suite(&policies));
    let mut first = workspace.start(&long);
    let second = workspace.run(&long).well();
    until("the end of the first run", || first.ended().is_some());
    assert!(first.wait().success());
    for said in [workspace.said(), second.stderr] {
        assert!(said.contains("4 of 4 cells done, 0 failed"), "{said}");
        let trained = said.lines().filter(|line| line.starts_with("trained in ")).count();
        assert!((1..4).contains(&trained), "one run trained {trained} of 4 models: {said}");
    }
    assert_same(&workspace.files(), &whole.files());
    assert_eq!(json(&workspace.cell("anira-e 0").join("status.json"))["state"], "done");
}
