//! A folder whose name every script must quote, with a suite in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::program::{Outcome, built, command};

/// Spaces, quotes, a variable, braces, letters beyond ASCII, and a pattern of Slurm.
const NAME: &str = "a b's \"$HOME\" {x} %A ü文";

pub struct Place {
    scratch: TempDir,
}

impl Place {
    pub fn new(suite: &str) -> Self {
        let place = Self { scratch: TempDir::new().unwrap() };
        fs::create_dir_all(place.folder()).unwrap();
        fs::create_dir_all(place.programs()).unwrap();
        fs::write(place.suite(), suite).unwrap();
        place
    }

    /// The folder with the awkward name.
    pub fn folder(&self) -> PathBuf {
        self.scratch.path().join(NAME)
    }

    pub fn suite(&self) -> PathBuf {
        self.folder().join("suite.toml")
    }

    pub fn runs(&self) -> PathBuf {
        self.folder().join("runs")
    }

    /// A folder for programs that stand in for those of a cluster.
    pub fn programs(&self) -> PathBuf {
        self.scratch.path().join("programs")
    }

    /// Adds a program, a script for bash.
    pub fn program(&self, name: &str, script: &str) -> PathBuf {
        let path = self.programs().join(name);
        fs::write(&path, format!("#!/bin/bash\n{script}")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Lets `command` find the programs, and the folder as `$PROGRAMS`.
    pub fn with_programs(&self, command: &mut Command) {
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.programs().display())).env("PROGRAMS", self.programs());
    }

    /// The outcome of `haltbench WORDS SUITE --runs RUNS REST` in the folder.
    pub fn outcome(&self, words: &[&str], rest: &[&str]) -> Outcome {
        let mut command = command();
        command.args(words).arg(self.suite()).arg("--runs").arg(self.runs()).args(rest);
        self.with_programs(&mut command);
        let output = command.current_dir(self.folder()).output().unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        Outcome { status: output.status.code().unwrap(), stdout, stderr }
    }

    /// What a program of the folder has written to a file there.
    pub fn written(&self, name: &str) -> String {
        fs::read_to_string(self.programs().join(name)).unwrap_or_default()
    }

    /// `text` without what differs between machines: folders, and numbers that follow from the code or the clock.
    pub fn redacted(&self, text: &str) -> String {
        let text = text.replace(built().to_str().unwrap(), "[built]");
        text.replace(self.scratch.path().to_str().unwrap(), "[scratch]")
    }
}

/// All files that a run must reproduce: those of its cells and models, except for timings, logs and locks.
pub fn reproducible(runs: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut folders = vec![runs.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            match path.is_dir() {
                true if ["slurm", "local", "snakemake"].contains(&name.as_str()) => {}
                true => folders.push(path),
                false if ["timings.json", "log.txt", "lock"].contains(&name.as_str()) => {}
                false => {
                    let inside = path.strip_prefix(runs).unwrap().to_str().unwrap().to_owned();
                    all.push((inside, fs::read(&path).unwrap()));
                }
            }
        }
    }
    all.sort();
    all
}

/// Asserts that two runs folders hold the same reproducible files.
#[track_caller]
pub fn assert_same_runs(found: &Path, expected: &Path) {
    let [found, expected] = [found, expected].map(reproducible);
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected));
    let differing = found.iter().zip(&expected).filter(|(one, other)| one != other).map(|(one, _)| &one.0);
    assert_eq!(differing.collect::<Vec<_>>(), Vec::<&String>::new(), "other bytes than expected");
}
