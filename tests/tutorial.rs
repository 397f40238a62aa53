//! Follows docs/tutorial.md literally, in a folder outside the repository: runs every command of its `console` blocks,
//! makes the edits of its `diff` blocks, and compares what is shown.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Stands for any text in a line, and alone on a line for any lines.
const ANYTHING: &str = "…";

#[test]
fn the_tutorial_works_as_it_is_written() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tutorial.md")).unwrap();
    let folder = TempDir::new().unwrap();
    let (mut commands, mut edits, mut status) = (0, 0, 0);
    for (language, text) in blocks(&page) {
        match language {
            "console" => {
                for (command, shown) in dialogue(&text) {
                    let found = run(folder.path(), command, &mut status);
                    assert!(matches(&shown, &found.lines().collect::<Vec<_>>()), "`{command}` says:\n{found}");
                    commands += 1;
                }
            }
            "diff" => {
                edit(folder.path(), &text);
                edits += 1;
            }
            _ => {}
        }
    }
    assert_eq!((commands, edits), (8, 3), "the page has other commands or edits");
}

/// Language and text of each fenced block.
fn blocks(page: &str) -> Vec<(&str, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((language, text.join("\n")));
        }
    }
    blocks
}

/// Each command with the lines that are shown after it.
fn dialogue(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut dialogue: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("$ ") {
            Some(command) => dialogue.push((command, Vec::new())),
            None => dialogue.last_mut().expect("a command comes first").1.push(line),
        }
    }
    dialogue
}

/// What a command prints, with the program on the path and the status of the command before in `$?`.
fn run(folder: &Path, command: &str, status: &mut i32) -> String {
    let test = std::env::current_exe().unwrap().canonicalize().unwrap();
    let programs: PathBuf = test.parent().and_then(Path::parent).unwrap().to_owned();
    let path = std::env::var("PATH").unwrap();
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1; (exit {status}); {command}")])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("HALTBENCH_BUILD", folder.join(".built"))
        .env_remove("HALTBENCH_PLUGINS")
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap();
    *status = output.status.code().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Replaces the lines of a diff that begin with a space or a minus by those that begin with a space or a plus.
fn edit(folder: &Path, diff: &str) {
    let (head, body) = diff.split_once('\n').unwrap();
    let file = folder.join(head.strip_prefix("--- ").expect("a diff names its file first"));
    let side = |mark: char| -> String {
        let lines = body.lines().filter_map(|line| line.strip_prefix(' ').or_else(|| line.strip_prefix(mark)));
        lines.map(|line| format!("{line}\n")).collect()
    };
    let (before, after) = (side('-'), side('+'));
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches(&before).count(), 1, "{} has not exactly one\n{before}", file.display());
    fs::write(&file, text.replace(&before, &after)).unwrap();
}

/// Whether the lines found are those that are shown.
fn matches(shown: &[&str], found: &[&str]) -> bool {
    match shown.split_first() {
        None => found.is_empty(),
        Some((&ANYTHING, rest)) => (0..=found.len()).any(|skipped| matches(rest, &found[skipped..])),
        Some((line, rest)) => found.first().is_some_and(|first| is_like(line, first)) && matches(rest, &found[1..]),
    }
}

fn is_like(shown: &str, found: &str) -> bool {
    match shown.split_once(ANYTHING) {
        None => shown == found,
        Some((start, rest)) => found.strip_prefix(start).is_some_and(|found| {
            (0..=found.len()).filter(|end| found.is_char_boundary(*end)).any(|end| is_like(rest, &found[end..]))
        }),
    }
}

#[test]
fn shown_lines_are_compared() {
    assert!(matches(&["a", ANYTHING, "b … d"], &["a", "x", "b", "b c d"]));
    assert!(matches(&[ANYTHING], &[]));
    assert!(!matches(&["a"], &["a", "b"]));
    assert!(!matches(&[ANYTHING, "c"], &["a", "b"]));
    assert!(is_like("in … s", "in 1.2 s") && !is_like("in … s", "in 1.2 m"));
}
