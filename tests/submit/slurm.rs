//! `haltbench submit slurm` with programs that stand in for Slurm's.

use std::fs;

use crate::place::{Place, assert_same_runs};
use crate::program::{POLICIES, suite};

/// Computes every task of an array at once, one after the other, and answers with a job id.
pub const SBATCH: &str = r#"
for word; do case $word in
  --array=1-*) length=${word#--array=1-} ;;
esac; done
count=$(cat "$PROGRAMS/jobs" 2>/dev/null || echo 0)
job=$((count + 1)); echo "$job" > "$PROGRAMS/jobs"
printf '%s\n' "$*" >> "$PROGRAMS/submitted"
for task in $(seq "$length"); do
  SLURM_ARRAY_JOB_ID=$job SLURM_ARRAY_TASK_ID=$task bash "${@: -2:1}" "${@: -1}" >> "$PROGRAMS/output" 2>&1
  echo "$job $task ends with $?" >> "$PROGRAMS/ended"
done
echo "$job"
"#;

/// A cluster whose arrays have at most two tasks.
pub const SCONTROL: &str = r#"
case "$*" in
  "show config") echo "MaxArraySize            = 3" ;;
  *) echo "$*" >> "$PROGRAMS/scontrol.txt" ;;
esac
"#;

#[test]
fn arrays_end_with_the_bytes_of_one_run() {
    let text = suite(POLICIES);
    let [whole, place] = [(); 2].map(|()| Place::new(&text));
    whole.outcome(&["run"], &[]).well();
    place.program("sbatch", SBATCH);
    place.program("scontrol", SCONTROL);
    let outcome = place.outcome(&["submit", "slurm"], &["--tasks", "3", "--", "--account=a b"]).well();
    assert_eq!(outcome.stdout, "1\n2\n", "{}", outcome.stderr);
    let submitted = place.written("submitted");
    assert!(submitted.lines().all(|line| line.contains(" --account=a b ") && line.contains(" --requeue ")));
    assert!(submitted.contains(" --array=1-2 ") && submitted.contains(" --array=1-1 "), "{submitted}");
    assert_eq!(place.written("ended"), "1 1 ends with 0\n1 2 ends with 0\n2 1 ends with 0\n");
    assert_same_runs(&place.runs(), &whole.runs());
    // A second time, everything is there.
    place.outcome(&["submit", "slurm"], &["--tasks", "3"]).well();
    assert_same_runs(&place.runs(), &whole.runs());
}

#[test]
fn what_slurm_refuses_is_told_with_what_is_left_to_submit() {
    let place = Place::new(&suite(POLICIES));
    place.program("scontrol", SCONTROL);
    place.program("sbatch", "case \"$*\" in *--array=1-2*) echo 7 ;; *) echo 'no: too many jobs' >&2; exit 1 ;; esac");
    let outcome = place.outcome(&["submit", "slurm"], &["--tasks", "3"]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (1, "7\n"), "{}", outcome.stderr);
    outcome.says(&["error: sbatch: no: too many jobs; the arrays before it are queued", "--array=1-1"]);
    assert!(place.runs().join("tiny/slurm/array.sh").is_file());
}

#[test]
fn without_slurm_nothing_is_written() {
    let place = Place::new(&suite(&POLICIES[..1]));
    if std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|folder| folder.join("scontrol").exists()) {
        return;
    }
    let outcome = place.outcome(&["submit", "slurm"], &["--tasks", "1"]);
    assert_eq!(outcome.status, 2);
    outcome.says(&["slurm: no program `scontrol`: is this a machine of a Slurm cluster?", "--dry-run"]);
    assert!(!place.runs().exists());
    let names = fs::read_dir(place.folder()).unwrap().count();
    assert_eq!(names, 1);
}
