//! FIFOs, devices and folders in the place of files, and damage to files that no result depends on.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::program::{POLICIES, Workspace, assert_same, command, json, suite, until};

fn fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success(), "mkfifo");
}

/// Status and message of a command that must end soon.
fn ended(command: &mut Command) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("said");
    let mut child = command.stdout(Stdio::null()).stderr(fs::File::create(&said).unwrap()).spawn().unwrap();
    let started = Instant::now();
    until("its end", || {
        let is_late = started.elapsed() > Duration::from_secs(40);
        if is_late {
            let _ = child.kill();
        }
        assert!(!is_late, "it hangs");
        child.try_wait().unwrap().is_some()
    });
    (child.wait().unwrap().code().unwrap_or(-1), fs::read_to_string(said).unwrap())
}

#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.safetensors");
    fifo(&pipe);
    let pipe = pipe.to_str().unwrap();
    let workspace = Workspace::new(&suite(&[&format!("name = \"anira-e\"\nstart = \"{pipe}\"")]));
    let starting = workspace.suite();
    let starting = starting.to_str().unwrap();
    for (file, found) in [(pipe, "a FIFO"), ("/dev/zero", "a device"), ("/dev/stdin", "a"), ("/", "a folder")] {
        for arguments in [
            vec!["run", file],
            vec!["leaderboard", file],
            vec!["explain", file],
            vec!["replay", file, "--policy", "fixed"],
        ] {
            let (status, said) = ended(command().args(&arguments));
            assert_eq!(status, 2, "{arguments:?}: {said}");
            let expected = format!("expected a regular file, found {found}");
            assert!(said.starts_with("error: ") && said.contains(&expected), "{arguments:?}: {said}");
        }
        let grammar = format!("grammar_file={file}");
        let sample = ["data", "sample", "--task", "lano", "--set", "grammar=file", "--set", &grammar];
        let (status, said) = ended(command().args(sample));
        assert!(status == 2 && said.contains(&format!("{file}: expected a regular file")), "{said}");
    }
    let (status, said) = ended(command().args(["run", starting]));
    assert!(
        status == 2 && said.contains("pipe.safetensors: cannot be read: expected a regular file, found a FIFO"),
        "{said}"
    );
}

/// `timings.json`, in all shapes: no result depends on it, so it blocks nothing and is written again.
#[test]
fn a_damaged_file_of_timings_is_measured_again() {
    let workspace = Workspace::new(&suite(&POLICIES[..1]));
    workspace.run(&[]).well();
    let expected = workspace.files();
    let file = workspace.cell("fixed 0").join("timings.json");
    let sound = fs::read_to_string(&file).unwrap();
    let mut wrong = json(&file);
    let pairs = |value: serde_json::Value| {
        wrong["speed"]["pairs"] = value;
        wrong.to_string()
    };
    let texts: Vec<String> = [
        serde_json::json!([[0.0, 1.0]]),
        serde_json::json!([[-1.0, 1.0]]),
        serde_json::json!([[1e-3]]),
        serde_json::json!("x"),
    ]
    .into_iter()
    .map(pairs)
    .chain([
        sound[..sound.len() / 2].to_owned(),
        String::new(),
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "[".repeat(100_000),
    ])
    .collect();
    for text in texts {
        fs::write(&file, &text).unwrap();
        checked(&workspace, &text[..text.len().min(60)]);
    }
    fs::write(&file, [0xff, 0xfe, 0]).unwrap();
    checked(&workspace, "not UTF-8");
    fs::remove_file(&file).unwrap();
    fifo(&file);
    checked(&workspace, "a FIFO");
    assert_same(&workspace.files(), &expected);

    // A folder cannot be replaced: the cell is done all the same.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let (status, said) = ended(&mut workspace.command("run"));
    assert!(status == 0 && said.contains("not timed") && said.contains("1 of 1 cells done"), "{said}");
    assert_eq!(ended(&mut workspace.command("leaderboard")).0, 0);
}

#[track_caller]
fn checked(workspace: &Workspace, what: &str) {
    let (status, said) = ended(&mut workspace.command("leaderboard"));
    assert_eq!(status, 0, "{what}: {said}");
    let (status, said) = ended(&mut workspace.command("run"));
    assert!(status == 0 && said.contains("timed 1 of 1 cells"), "{what}: {said}");
    let timings = json(&workspace.cell("fixed 0").join("timings.json"));
    assert!(timings["speed"]["pairs"][0][0].as_f64().is_some_and(|seconds| seconds > 0.0), "{what}: {timings}");
}

/// Files that say what is going on, as FIFOs and as nonsense.
#[test]
fn other_damaged_files_without_results_block_nothing() {
    let workspace = Workspace::new(&suite(&POLICIES[..1]));
    workspace.run(&[]).well();
    let expected = workspace.files();
    let (cell, model) = (workspace.cell("fixed 0"), workspace.model("fixed 0"));
    let run = cell.parent().unwrap();
    for file in [
        cell.join("status.json"),
        model.join("status.json"),
        run.join("index.json"),
        run.join("suite.toml"),
        model.join("timings.json"),
    ] {
        for text in ["", "[", "{\"state\": 3}", "\u{0}"] {
            fs::write(&file, text).unwrap();
            for verb in ["leaderboard", "run"] {
                let (status, said) = ended(&mut workspace.command(verb));
                assert_eq!(status, 0, "{} {text:?}: {said}", file.display());
            }
        }
        fs::remove_file(&file).unwrap();
        fifo(&file);
        for verb in ["leaderboard", "run"] {
            let (status, said) = ended(&mut workspace.command(verb));
            assert_eq!(status, 0, "{} as a FIFO: {said}", file.display());
        }
        let _ = fs::remove_file(&file);
    }
    workspace.run(&[]).well();
    // A model is verified once it is needed, and its status may stay lost until then.
    let cells = |files: std::collections::BTreeMap<String, Vec<u8>>| {
        files.into_iter().filter(|(name, _)| !name.contains("model/status.json")).collect()
    };
    assert_same(&cells(workspace.files()), &cells(expected));
}
