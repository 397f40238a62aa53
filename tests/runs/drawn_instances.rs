//! `haltbench bench data`: what it reports, and that the instances are the same whatever the number of threads.

use std::process::Command;

use serde_json::Value;

use crate::program::command;

fn report(arguments: &[&str]) -> Value {
    let mut command: Command = command();
    let output = command.args(["bench", "data", "--repetitions", "1", "--json"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn invariant_7_instances_are_the_same_whatever_the_number_of_threads() {
    for task in [&["--task", "brevo", "--size", "6"][..], &["--task", "lano", "--set", "grammar=toy"]] {
        let of = |more: &[&str]| report(&[task, more].concat());
        let one = of(&["--threads", "1"]);
        for threads in ["2", "3", "16"] {
            let other = of(&["--threads", threads]);
            assert_eq!(other["hash"], one["hash"], "{task:?} {threads}");
            assert_eq!(other["threads"].to_string(), threads);
        }
        assert_ne!(of(&["--seed", "1"])["hash"], one["hash"]);
        for number in ["median_ms", "instances_per_second", "tokens_per_second", "mean_length"] {
            assert!(one[number].as_f64().unwrap() > 0.0, "{number}: {one}");
        }
        assert_eq!((one["instances"].as_u64(), one["flops"].is_null()), (Some(1000), true));
    }
}

#[test]
fn a_size_that_the_task_cannot_express_is_refused() {
    for (arguments, expected) in [
        (&["--task", "brevo"][..], "size of brevo: expected --size with N from 3 to 60, found none"),
        (&["--task", "brevo", "--size", "61"], "size of brevo: expected N from 3 to 60, found 61"),
        (&["--task", "lano", "--size", "3"], "size of lano: expected 0 or none"),
        (&["--task", "brevi", "--size", "3"], "did you mean `brevo`?"),
    ] {
        let output = command().args(["bench", "data"]).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.contains(expected)), (Some(2), true), "{said}");
    }
}
