//! Worker processes of a workspace.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};

use crate::program::{Workspace, command, send, until};

/// A worker. If a test fails, it is killed; what it has started ends by itself.
pub struct Worker {
    child: Child,
    said: PathBuf,
}

impl Worker {
    /// Starts a worker on the suite of a workspace, with a core of its own.
    pub fn start(workspace: &Workspace, arguments: &[&str]) -> Self {
        let mut command = command();
        command.arg("worker").arg("--suite").arg(workspace.suite()).arg("--runs").arg(workspace.runs());
        let said = tempfile::NamedTempFile::new().unwrap().into_temp_path().keep().unwrap();
        command.args(["--cores", "1"]).args(arguments).process_group(0);
        let child = command.stdout(Stdio::null()).stderr(File::create(&said).unwrap()).spawn().unwrap();
        Self { child, said }
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// What it has written on standard error.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap()
    }

    /// Sends a signal to the worker alone.
    pub fn signal(&self, signal: &str) {
        send(signal, &self.child.id().to_string());
    }

    /// Its exit status and what it said, at its end.
    pub fn wait(mut self) -> (ExitStatus, String) {
        until("the end of a worker", || self.ended().is_some());
        (self.child.wait().unwrap(), self.said())
    }

    /// Asserts that it ends with status 0, and returns what it said.
    #[track_caller]
    pub fn well(self) -> String {
        let (status, said) = self.wait();
        assert!(status.success(), "{status}: {said}");
        said
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.signal("KILL");
            let _ = self.child.wait();
        }
        let _ = fs::remove_file(&self.said);
    }
}
