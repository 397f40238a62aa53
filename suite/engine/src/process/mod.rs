//! Child processes of this program: each in a process group of its own, which ends with it and with its parent.
//!
//! A child runs plugins, so it may do anything: hang, print without end, close its output, leave children behind. A
//! [`Process`] therefore waits for the exit rather than for the end of the output, bounds every line and the log, and
//! kills the whole group once the child has ended.

mod exit;
mod group;
mod lines;
mod log;

use std::io::{self, Write};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::Serialize;

pub use self::exit::ended;
use self::group::Group;
pub use self::group::{ParentDeath, end_own_group, exit_without_destructors};
use self::lines::read_lines;
pub use self::log::Log;

/// How long a child's output is still read once the child has ended. Only a process that left the child's group can
/// keep the output open any longer.
const DRAIN: Duration = Duration::from_millis(500);

/// What a child does.
pub enum Event {
    /// It printed a line on standard output. Lines of more than 1 MiB are left out.
    Line(Vec<u8>),
    /// It has ended, and so has its process group.
    Ended(Ending),
}

/// How a child ended.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Exit status.
    pub exit: ExitStatus,
    /// The last line on standard error that starts with `error: `, without these words.
    pub error: Option<String>,
}

/// Prints `line` as JSON on standard output, for the parent of this process. It starts a new line, in case a plugin has
/// left one unfinished. A failure to write is ignored: a parent that no longer reads ends this process.
pub fn say(line: &impl Serialize) {
    if let Ok(text) = serde_json::to_string(line) {
        let mut output = io::stdout();
        let _ = writeln!(output, "\n{text}").and_then(|()| output.flush());
    }
}

/// A child that is running.
pub struct Process {
    group: Arc<Group>,
    input: Option<ChildStdin>,
}

impl Process {
    /// Starts `command` in a process group of its own. `hear` is called from other threads: with every line that the
    /// child prints on standard output, and with [`Event::Ended`] at the end. A line that `hear` does not take, because
    /// it returns false, goes to `log`, together with everything on standard error.
    ///
    /// # Errors
    /// If the program cannot be started.
    pub fn start(
        command: &mut Command,
        death: ParentDeath,
        log: Log,
        hear: impl Fn(Event) -> bool + Send + Clone + 'static,
    ) -> io::Result<Self> {
        group::own_group(command, death);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let group = Arc::new(Group::of(child.id()));
        let input = child.stdin.take();
        let log = Arc::new(Mutex::new(log));
        let error = Arc::new(Mutex::new(None));
        // Each reader drops its sender at the end of its stream.
        let (done, readers) = channel::<()>();
        if let Some(output) = child.stdout.take() {
            let (log, hear, done) = (log.clone(), hear.clone(), done.clone());
            thread::spawn(move || {
                let _done = done;
                read_lines(output, &mut |line| {
                    if !hear(Event::Line(line.to_vec())) {
                        log.lock().unwrap_or_else(PoisonError::into_inner).line(line);
                    }
                });
            });
        }
        if let Some(output) = child.stderr.take() {
            let (log, error, done) = (log.clone(), error.clone(), done.clone());
            thread::spawn(move || {
                let _done = done;
                read_lines(output, &mut |line| {
                    log.lock().unwrap_or_else(PoisonError::into_inner).line(line);
                    if let Some(message) = line.strip_prefix(b"error: ") {
                        let message = String::from_utf8_lossy(message).into_owned();
                        *error.lock().unwrap_or_else(PoisonError::into_inner) = Some(message);
                    }
                });
            });
        }
        drop(done);
        let own = group.clone();
        thread::spawn(move || {
            own.wait_for_leader();
            own.kill();
            let _ = readers.recv_timeout(DRAIN);
            // The leader has ended, so this returns at once; a failure would mean that somebody else has reaped it.
            let exit = own.reap(&mut child).unwrap_or_default();
            log.lock().unwrap_or_else(PoisonError::into_inner).close();
            let error = error.lock().unwrap_or_else(PoisonError::into_inner).take();
            hear(Event::Ended(Ending { exit, error }));
        });
        Ok(Self { group, input })
    }

    /// Takes the child's standard input.
    pub fn take_input(&mut self) -> Option<ChildStdin> {
        self.input.take()
    }

    /// Closes the child's standard input, which asks a worker to stop.
    pub fn ask_to_stop(&mut self) {
        self.input = None;
    }

    /// Sends SIGTERM to the child alone, which ends its own children.
    pub fn terminate(&self) {
        self.group.terminate_leader();
    }

    /// Ends the child and its group at once.
    pub fn kill(&self) {
        self.group.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.group.kill();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::sync::mpsc::{Receiver, Sender};
    use std::time::Instant;

    use super::*;

    /// What a shell script prints, up to a number of bytes, and how it ends.
    fn started(script: &str, log: Log) -> (Process, Receiver<Event>) {
        let (sender, events): (Sender<Event>, _) = channel();
        let mut command = Command::new("sh");
        command.arg("-c").arg(script);
        let hear = move |event| sender.send(event).is_ok();
        (Process::start(&mut command, ParentDeath::Kill, log, hear).unwrap(), events)
    }

    fn heard(script: &str) -> (Vec<Vec<u8>>, Ending) {
        let (_process, events) = started(script, Log::none());
        let mut lines = Vec::new();
        loop {
            match events.recv_timeout(Duration::from_secs(20)).unwrap() {
                Event::Line(line) => lines.push(line),
                Event::Ended(ending) => return (lines, ending),
            }
        }
    }

    #[test]
    fn hears_lines_of_any_bytes_and_the_last_error() {
        let (lines, ending) =
            heard("printf 'one\\n\\377\\n\\nlast'; echo 'error: a' >&2; echo 'error: b' >&2; echo c >&2; exit 3");
        assert_eq!(lines, [&b"one"[..], &[255], b"", b"last"]);
        assert_eq!((ending.exit.code(), ending.error.as_deref()), (Some(3), Some("b")));
    }

    #[test]
    fn leaves_out_a_line_without_end() {
        let (lines, ending) = heard("head -c 3000000 /dev/zero; echo; echo after");
        assert_eq!(lines, [b"after"]);
        assert!(ending.exit.success());
    }

    /// A process that the child leaves behind keeps its output open, and is ended with it.
    #[test]
    fn ends_with_the_child_and_not_with_its_output() {
        let started = Instant::now();
        let (lines, _) = heard("sleep 60 & echo $!; exit 0");
        assert!(started.elapsed() < Duration::from_secs(10));
        let left: i32 = String::from_utf8_lossy(&lines[0]).parse().unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{left}/stat")).unwrap_or_default();
        let gone = |state: String| state.is_empty() || state.contains(") Z ");
        assert!((0..100).any(|_| gone(state()) || (thread::sleep(Duration::from_millis(20)), false).1), "{}", state());
    }

    #[test]
    fn a_child_that_closes_its_output_is_waited_for_and_can_be_killed() {
        let (process, events) = self::started("exec >&- 2>&-; sleep 60", Log::none());
        assert!(events.recv_timeout(Duration::from_millis(300)).is_err(), "it is still running");
        process.kill();
        let Event::Ended(ending) = events.recv_timeout(Duration::from_secs(20)).unwrap() else { panic!("a line") };
        assert_eq!(ending.exit.signal(), Some(9));
    }

    /// A plugin may put a pipe where the next process will open its log.
    #[test]
    fn a_pipe_in_the_place_of_the_log_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.txt");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert!(Log::at(&path).err().unwrap().to_string().contains("log.txt: cannot be opened"));
    }

    #[test]
    fn the_log_is_bounded_and_says_what_it_leaves_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.txt");
        let (_process, events) = self::started("yes 0123456789 | head -c 8000000 >&2", Log::at(&path).unwrap());
        let Event::Ended(_) = events.recv_timeout(Duration::from_secs(20)).unwrap() else { panic!("a line") };
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.len() as u64 <= log::LARGEST + 100, "{}", text.len());
        assert!(text.ends_with(" more bytes of output are left out)\n"), "{}", &text[text.len() - 80..]);
    }
}
