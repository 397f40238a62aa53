//! A folder outside the repository, and the program in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A temporary folder; plugins are built inside it too.
pub struct Outside(TempDir);

/// What a command did.
pub struct Outcome {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The program that cargo built; this test is in `deps` beside it.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap().canonicalize().unwrap();
    test.parent().and_then(Path::parent).unwrap().join("haltbench")
}

impl Outside {
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    /// Replaces a part of a file that must be there.
    pub fn edit(&self, name: &str, part: &str, replacement: &str) {
        let text = self.read(name);
        assert!(text.contains(part), "{name} lacks `{part}`");
        self.write(name, &text.replace(part, replacement));
    }

    /// Runs the program in this folder.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_program(&program(), arguments)
    }

    pub fn run_program(&self, program: &Path, arguments: &[&str]) -> Outcome {
        let mut command = Command::new(program);
        for variable in ["HALTBENCH_PLUGINS", "COLUMNS", "RUST_BACKTRACE", "LD_LIBRARY_PATH"] {
            command.env_remove(variable);
        }
        command.current_dir(self.0.path()).env("HALTBENCH_BUILD", self.path("built"));
        let Output { status, stdout, stderr } = command.args(arguments).output().unwrap();
        let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert!(!stderr.contains("panicked"), "a panic reached the user: {stderr}");
        Outcome { status: status.code().unwrap(), stdout, stderr }
    }

    /// Runs the program, which must succeed.
    pub fn success(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.run(arguments);
        assert_eq!(outcome.status, 0, "{arguments:?}: {}{}", outcome.stdout, outcome.stderr);
        outcome
    }

    /// Runs the program, which must refuse with `status` and say all of `words` in its error.
    pub fn refused(&self, status: i32, arguments: &[&str], words: &[&str]) {
        let Outcome { status: found, stderr, .. } = self.run(arguments);
        assert_eq!(found, status, "{arguments:?}: {stderr}");
        for word in words {
            assert!(stderr.contains(word), "{arguments:?} does not say `{word}`: {stderr}");
        }
    }
}
