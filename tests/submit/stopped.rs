//! What the script of an array does when its worker or Slurm stops it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::place::Place;
use crate::program::{POLICIES, send, suite, until};

/// Stands in for the program: says that it has started, and ends as told by the first word of `$PROGRAMS/how`, after
/// SIGTERM if that is 143.
const WORKER: &str = r#"
how=$(cat "$PROGRAMS/how")
trap 'echo told >> "$PROGRAMS/told"; sleep 0.3; exit 143' TERM
echo started >> "$PROGRAMS/started"
[ "$how" = 143 ] || exit "$how"
while :; do sleep 0.05; done
"#;

struct Task {
    place: Place,
    script: PathBuf,
}

impl Task {
    /// A written script whose worker ends with `how`.
    fn new(how: &str, state: &str) -> Self {
        let place = Place::new(&suite(&POLICIES[..1]));
        place.program("scontrol", crate::slurm::SCONTROL);
        place.program("squeue", &format!("echo \"$*\" >> \"$PROGRAMS/squeue.txt\"; echo {state}"));
        place.program("sbatch", "echo 7");
        place.outcome(&["submit", "slurm"], &["--tasks", "1"]).well();
        let script = place.runs().join("tiny/slurm/array.sh");
        let worker = place.program("worker", WORKER);
        let text = std::fs::read_to_string(&script).unwrap();
        let program = crate::program::built().join("haltbench");
        assert!(text.contains(program.to_str().unwrap()), "{text}");
        std::fs::write(&script, text.replace(program.to_str().unwrap(), worker.to_str().unwrap())).unwrap();
        std::fs::write(place.programs().join("how"), how).unwrap();
        Self { place, script }
    }

    fn start(&self, restarts: Option<&str>) -> Child {
        let mut command = Command::new("bash");
        command.arg(&self.script).arg("0").env("SLURM_ARRAY_JOB_ID", "7").env("SLURM_ARRAY_TASK_ID", "1");
        self.place.with_programs(&mut command);
        command.env_remove("SLURM_RESTART_COUNT");
        if let Some(restarts) = restarts {
            command.env("SLURM_RESTART_COUNT", restarts);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
    }

    /// The status of the script if SIGTERM comes while the worker works.
    fn terminated(&self, restarts: Option<&str>) -> Option<i32> {
        let mut child = self.start(restarts);
        until("the worker", || !self.place.written("started").is_empty());
        send("TERM", &child.id().to_string());
        let status = child.wait().unwrap();
        assert_eq!(self.place.written("told"), "told\n", "the worker gets the signal once");
        status.code()
    }
}

#[test]
fn a_task_that_is_told_to_stop_is_queued_again_and_no_other() {
    for restarts in [None, Some("2")] {
        let task = Task::new("143", "RUNNING");
        assert_eq!(task.terminated(restarts), Some(143));
        assert_eq!(task.place.written("scontrol.txt"), "requeue 7_1\n", "{restarts:?}");
        assert!(task.place.written("squeue.txt").ends_with("--jobs=7_1\n"));
    }
}

#[test]
fn a_task_is_not_queued_again_too_often_or_if_it_was_cancelled() {
    for (restarts, state) in [(Some("3"), "RUNNING"), (None, "COMPLETING"), (None, "PENDING"), (None, "")] {
        let task = Task::new("143", state);
        assert_eq!(task.terminated(restarts), Some(143));
        assert_eq!(task.place.written("scontrol.txt"), "", "{restarts:?} {state}");
    }
}

#[test]
fn a_status_that_would_be_the_same_again_is_handed_on() {
    for how in ["0", "1", "2", "3", "4"] {
        let task = Task::new(how, "RUNNING");
        let status = task.start(None).wait().unwrap();
        assert_eq!(status.code(), how.parse().ok());
        assert_eq!(task.place.written("scontrol.txt"), "", "{how}");
    }
}
