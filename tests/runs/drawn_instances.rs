//! `haltbench bench data`: its report, and that the instances do not depend on the number of threads. Also the number
//! and the ids of an evaluation's instances.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};

use haltbench_engine::data::evaluation_instances;
use haltbench_engine::plan::Evaluation;
use haltbench_engine::plugins;
use haltbench_sdk::parameters::{self, Parameters};
use haltbench_sdk::task::{Instance, Task};
use serde_json::Value;

use crate::program::{Workspace, command, suite};

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

fn task(name: &str, given: &[(&str, i64)]) -> Box<dyn Task> {
    let (catalogue, _) = plugins::catalogue(&[]).unwrap();
    let declaration = catalogue.task(name).unwrap();
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), parameters::Value::Integer(*value)));
    let parameters = Parameters::resolve(declaration.name, declaration.parameters, &given.collect()).unwrap();
    (declaration.build)(&parameters).unwrap()
}

/// The expressions of two operators modulo 3, in both of their shapes.
fn expressions() -> BTreeSet<String> {
    let digits = ["0", "1", "2"];
    let signs = ["+", "-", "*"];
    let mut all = BTreeSet::new();
    for [a, b, c] in (0..27).map(|code| [code / 9, code / 3 % 3, code % 3].map(|place: usize| digits[place])) {
        for [first, second] in (0..9).map(|code| [code / 3, code % 3].map(|place: usize| signs[place])) {
            all.insert(format!("{a} {b} {first} {c} {second}"));
            all.insert(format!("{a} {b} {c} {first} {second}"));
        }
    }
    all
}

#[test]
fn an_evaluation_has_all_instances_where_they_are_few() {
    let task = task("mano-stream", &[("modulus", 3)]);
    let held_out = |question: &String| {
        let canonical = format!("mod 3: {question}");
        let end = canonical.find(['+', '-', '*']).unwrap() + 1;
        Instance { canonical: Some(canonical), problem: Some(end), ..Instance::default() }.is_held_out()
    };
    let all: BTreeSet<String> = expressions().into_iter().filter(held_out).collect();
    assert!((40..90).contains(&all.len()), "{}", all.len());
    for wanted in [all.len(), all.len() + 1, 3000] {
        let evaluation =
            Evaluation { instances: wanted, in_range: Some(vec![2]), beyond: Some(vec![]), ..Evaluation::default() };
        let drawn = evaluation_instances(task.as_ref(), "mano-stream", &evaluation, &|| None).unwrap();
        let found: BTreeSet<String> = drawn.iter().map(|entry| entry.instance.question.clone()).collect();
        assert_eq!((drawn.len(), &found), (all.len(), &all), "{wanted}");
    }
}

#[test]
fn an_instance_has_one_name_in_every_evaluation() {
    let task = task("mano", &[]);
    let named = |instances, in_range: &[u32]| {
        let in_range = Some(in_range.to_vec());
        let evaluation = Evaluation { instances, in_range, beyond: Some(vec![]), ..Evaluation::default() };
        let drawn = evaluation_instances(task.as_ref(), "mano", &evaluation, &|| None).unwrap();
        drawn.into_iter().map(|entry| (entry.id, entry.instance.question)).collect::<BTreeMap<u64, String>>()
    };
    let (few, many) = (named(10, &[5, 4]), named(30, &[3, 4, 5]));
    assert_eq!((few.len(), many.len()), (20, 90));
    assert!(few.iter().all(|(id, question)| many.get(id) == Some(question)));
    assert_eq!(few.keys().next(), Some(&(4 << 32)));
}

/// A search that takes long says so from its first draw on.
#[test]
fn a_worker_reports_its_draws() {
    let workspace = Workspace::new(&suite(&["name = \"fixed\""]));
    workspace.run(&[]).well();
    let cell = workspace.cell("fixed 0");
    let work = cell.join("work-alone");
    std::fs::create_dir(&work).unwrap();
    std::fs::copy(cell.join("plan.toml"), work.join("plan.toml")).unwrap();
    let mut worker = command();
    worker.arg("compute").arg("--run").arg(cell.parent().unwrap()).arg("--cell").arg(cell.file_name().unwrap());
    let mut worker = worker.arg("--work").arg(&work).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let leash = worker.stdin.take();
    let output = worker.wait_with_output().unwrap();
    drop(leash);
    let said = String::from_utf8(output.stdout).unwrap();
    // Four sizes, 64 draws for each of 30 instances and 4096 more.
    let first = "{\"progress\":{\"stage\":\"drawing\",\"done\":1,\"total\":24064,\"line\":null}}";
    assert_eq!((output.status.code(), said.trim().lines().next()), (Some(0), Some(first)), "{said}");
}
