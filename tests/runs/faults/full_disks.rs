//! Disks that are full, and files that may not grow: the error names the path, nothing computed before is lost, and with
//! room the same command goes on.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::program::{POLICIES, Workspace, assert_same, suite};

/// Runs a command whose runs folder, the first argument, is a disk of so many KiB, and again once the disk has room. The
/// second argument is the folder for what both said and left. Exits with 77 where the system has no such disks.
const ON_A_SMALL_DISK: &str = "\
runs=$1 kept=$2 size=$3; shift 3
mkdir -p \"$runs\" && mount -t tmpfs -o \"size=${size}k\" tmpfs \"$runs\" || exit 77
\"$@\" > /dev/null 2> \"$kept/first\"; echo $? > \"$kept/status\"
find \"$runs\" -name '*.new' > \"$kept/halves\"
mount -o remount,size=64m \"$runs\" || exit 77
\"$@\" > /dev/null 2> \"$kept/second\" || exit 1
cp -r \"$runs\" \"$kept\"
";

/// The outcome of [`ON_A_SMALL_DISK`] for a run of `workspace`.
fn on_a_small_disk(workspace: &Workspace, kept: &Path, kibibytes: u64) -> std::io::Result<Output> {
    let run = workspace.command("run");
    let mut alone = Command::new("unshare");
    alone.args(["--user", "--mount", "--map-root-user", "sh", "-c", ON_A_SMALL_DISK, "sh"]);
    alone.arg(workspace.runs()).arg(kept).arg(kibibytes.to_string());
    alone.arg(run.get_program()).args(run.get_args()).args(["--jobs", "1"]);
    alone.current_dir(kept).output()
}

/// Every size of the disk makes another write fail, up to the last one.
#[test]
fn fault_03_a_full_disk_is_named_and_nothing_is_lost() {
    let policies = &POLICIES[..2];
    let whole = Workspace::new(&suite(policies));
    whole.run(&["--jobs", "1"]).well();
    let mut failures = 0;
    for kibibytes in (0..).map(|number| 4 + 40 * number) {
        let (workspace, kept) = (Workspace::new(&suite(policies)), Workspace::new(&suite(policies)));
        let folder = kept.suite().parent().unwrap().to_owned();
        let output = match on_a_small_disk(&workspace, &folder, kibibytes) {
            Ok(output) => output,
            Err(error) => return eprintln!("skipped: unshare: {error}"),
        };
        let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        let (first, second, complaints) = (text("first"), text("second"), String::from_utf8_lossy(&output.stderr));
        if output.status.code() == Some(77) || complaints.starts_with("unshare: ") {
            return eprintln!("skipped: this system has no disks of its own for a process: {complaints}");
        }
        assert!(output.status.success(), "{kibibytes} KiB, with room: {complaints}{second}");
        assert!(second.contains("2 of 2 cells done, 0 failed"), "{kibibytes} KiB, with room: {second}");
        assert_same(&kept.files(), &whole.files());
        if text("status").trim() == "0" {
            break;
        }
        failures += 1;
        assert_eq!(text("status").trim(), "1", "{kibibytes} KiB: {first}");
        let place = workspace.runs();
        let is_named =
            |line: &str| line.contains(place.to_str().unwrap()) && line.contains(": No space left on device");
        assert!(first.lines().any(is_named), "{kibibytes} KiB: no path and cause: {first}");
        assert!(!first.contains("panick") && !first.contains("internal error"), "{kibibytes} KiB: {first}");
        assert_eq!(text("halves"), "", "{kibibytes} KiB: halves of files fill the disk");
    }
    assert!(failures > 5, "the disk was full {failures} times");
}

/// A table of many rows is the largest file of a run: it fails when everything else is done.
#[test]
fn fault_28_a_save_that_fails_at_the_very_end_loses_nothing_before() {
    let policies = &POLICIES[..2];
    let sizes = ["task.modulus=97", "backbone.d_model=4", "backbone.d_ff=4", "evaluation.instances=2000"];
    let arguments: Vec<&str> = sizes.iter().flat_map(|size| ["--set", *size]).chain(["--jobs", "1"]).collect();
    let whole = Workspace::new(&suite(policies));
    whole.run(&arguments).well();
    let workspace = Workspace::new(&suite(policies));
    let run = workspace.command("run");
    let mut limited = Command::new("sh");
    // Units of 512 bytes, in some shells of 1024.
    limited.args(["-c", "ulimit -f 80; exec \"$@\"", "sh"]).arg(run.get_program()).args(run.get_args());
    let output = limited.args(&arguments).current_dir(workspace.suite().parent().unwrap()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("0 of 2 cells done, 2 failed; 2 models trained"), "{said}");
    for title in ["fixed 0", "anira-e 0"] {
        let (state, cause) = workspace.state(title);
        let folder = workspace.cell(title).display().to_string();
        let is_named = cause.starts_with(&folder)
            && cause.ends_with("/tokens.parquet: cannot be written: File too large (os error 27)");
        assert!(state == "failed" && is_named, "{title}: {state}: {cause}");
        assert_eq!(workspace.model_state(title).0, "done", "{title}");
    }
    workspace.run(&arguments).well().says(&["2 of 2 cells done, 0 failed; 0 models trained, 2 there already"]);
    assert_same(&workspace.files(), &whole.files());
}
