//! Scripts that are printed or written do what they say under a shell.

use std::fs;
use std::process::{Command, Stdio};

use crate::place::{Place, assert_same_runs};
use crate::program::{POLICIES, suite};

fn bash(place: &Place, script: &str) -> Command {
    let mut command = Command::new("bash");
    command.arg("-c").arg(script).stdin(Stdio::null());
    place.with_programs(&mut command);
    command
}

#[test]
fn the_printed_script_of_local_workers_runs_them() {
    let text = suite(&POLICIES[..2]);
    let [whole, place] = [(); 2].map(|()| Place::new(&text));
    whole.outcome(&["run"], &[]).well();
    let script = place.outcome(&["submit", "local"], &["--dry-run", "--cores", "1"]).well().stdout;
    assert!(bash(&place, &script).status().unwrap().success());
    assert_same_runs(&place.runs(), &whole.runs());
}

/// The command of a Snakefile's rule is read as Snakemake reads it: a string of Python in which braces are doubled or
/// name values.
#[test]
fn the_command_of_a_snakefile_computes_a_share() {
    let text = suite(&POLICIES[..2]);
    let [whole, place] = [(); 2].map(|()| Place::new(&text));
    whole.outcome(&["run"], &[]).well();
    place.outcome(&["submit", "snakemake"], &["--tasks", "2"]).well();
    let file = place.runs().join("tiny/snakemake/Snakefile");
    let file = fs::read_to_string(file).unwrap();
    assert!(file.lines().count() <= 15, "{file}");
    let shell = file.lines().find_map(|line| line.trim().strip_prefix("shell: ")).unwrap();
    let command: String = serde_json::from_str(shell).unwrap();
    for share in ["1", "2"] {
        let command = command.replace("{wildcards.share}", share).replace("{threads}", "1");
        let command = command.replace("{{", "{").replace("}}", "}");
        assert!(bash(&place, &command).status().unwrap().success(), "{command}");
    }
    assert_same_runs(&place.runs(), &whole.runs());
}
