//! The backward pass and the drop of its graph recurse once for every chained operation.

use crate::program::{Workspace, suite};

/// A model of the smallest width at the largest depth that a plan may have, trained for one step on one instance.
const DEEPEST: &[&str] = &[
    "recurrence.max_depth=100000",
    "backbone.d_model=2",
    "backbone.d_ff=2",
    "backbone.heads=1",
    "training.steps=1",
    "training.batch=1",
    "evaluation.instances=1",
    "evaluation.batch=1",
    "evaluation.in_range=[1]",
    "evaluation.beyond=[]",
];

fn set<'a>(values: &[&'a str]) -> Vec<&'a str> {
    values.iter().flat_map(|value| ["--set", *value]).collect()
}

/// Workers compute on a thread whose stack is large enough, and a plan times fewer steps.
#[test]
fn fault_10_a_recurrence_of_the_largest_depth_is_planned_trained_and_evaluated() {
    let workspace = Workspace::new(&suite(&["name = \"fixed\"\ndepth = 100000"]));
    let planned = workspace.outcome("plan", &set(DEEPEST)).well();
    assert!(planned.stdout.contains("1 model, 1 cell"), "{}", planned.stdout);
    workspace.run(&set(DEEPEST)).well().says(&["1 of 1 cells done, 0 failed"]);
    let log = std::fs::read_to_string(workspace.model("fixed 0").join("metrics.jsonl")).unwrap();
    assert!(log.contains("\"loss\":"), "{log}");
}

/// Eight layers a step are eight hundred thousand layers: more than any stack. The cause is told, and the other cell is
/// done.
#[test]
#[ignore = "needs 6 GB of memory"]
fn fault_10_a_chain_that_no_stack_holds_costs_its_cell_alone() {
    let policies = ["name = \"fixed\"\ndepth = 1\nmax_depth = 3", "name = \"fixed\"\nlabel = \"deep\"\ndepth = 100000"];
    let workspace = Workspace::new(&suite(&policies));
    let arguments = set(&[DEEPEST, &["backbone.name=universal-transformer", "backbone.core_layers=8"]].concat());
    workspace.outcome("plan", &arguments).well();
    let outcome = workspace.run(&[&arguments[..], &["--jobs", "1"]].concat());
    assert_eq!(outcome.status, 1, "{}", outcome.stderr);
    outcome.says(&[
        "the worker was killed by signal 6 (SIGABRT, it aborted or its stack overflowed)",
        "1 of 2 cells done, 1 failed",
    ]);
    assert_eq!((workspace.state("fixed 0").0, workspace.model_state("deep 0").0), ("done".into(), "failed".into()));
    let log = std::fs::read_to_string(workspace.model("deep 0").join("log.txt")).unwrap();
    assert!(log.contains("has overflowed its stack"), "{log}");
}
