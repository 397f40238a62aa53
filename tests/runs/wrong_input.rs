//! Errors name the wrong input and the expected one, before anything is made or lost.

use std::fs;

use crate::program::{POLICIES, Workspace, assert_same, suite};

/// A name, the arguments, and the change to the suite.
struct Case {
    change: (&'static str, &'static str),
    arguments: &'static [&'static str],
    message: &'static str,
}

const fn typed(arguments: &'static [&'static str], message: &'static str) -> Case {
    Case { change: ("", ""), arguments, message }
}

const fn written(from: &'static str, to: &'static str, message: &'static str) -> Case {
    Case { change: (from, to), arguments: &[], message }
}

const CASES: &[Case] = &[
    written("seeds = [0]", "seeds = []", "seeds: expected at least one, found none"),
    written(
        "name = \"tiny\"",
        "name = \"a/b\"",
        "name: expected a name that can be a folder's and is not `models`, found `a/b`",
    ),
    written(
        "name = \"tiny\"",
        "name = \"..\"",
        "name: expected a name that can be a folder's and is not `models`, found `..`",
    ),
    written("name = \"tiny\"", "name = \"models\"", "is not `models`, found `models`"),
    written("seeds = [0]", "seeds = [0, 0]", "the suite names the cell mano-stream · anira · fixed · seed 0 twice"),
    written("depth = 2", "depth = [2, 2]", "the suite names the cell mano-stream · anira · fixed"),
    written("depth = 2", "depths = 2", "unknown parameter of fixed `depths`; did you mean `depth`?"),
    written("depth = 2", "depth = \"two\"", "parameter `depth` of fixed: expected a whole number"),
    written("of = \"anira-e\"", "", "policy random-matched: expected `of = \"a policy of this suite\"`"),
    written(
        "of = \"anira-e\"",
        "of = \"anira-x\"",
        "policy random-matched: of: unknown policy of this suite `anira-x`; did you mean `anira-e`?",
    ),
    written("modulus = 5", "modulo = 5", "unknown parameter of mano-stream `modulo`; did you mean `modulus`?"),
    written(
        "modulus = 5",
        "modulus = 1",
        "parameter `modulus` of mano-stream: expected a whole number from 2 to 1000, found 1",
    ),
    typed(&["--set", "task.name=mano-steam"], "unknown task `mano-steam`; did you mean `mano-stream`?"),
    typed(&["--set", "backbone.name=anria"], "unknown backbone `anria`; did you mean `anira`?"),
    typed(&["--set", "policy.anira-e.name=anira-f"], "unknown policy `anira-f`; did you mean `anira-"),
    typed(&["--set", "policy.fixed.depth=0"], "parameter `depth` of fixed: expected a whole number"),
    typed(
        &["--set", "policy.fixed.depth=4"],
        "parameter `depth` of fixed: expected a whole number from 1 to recurrence.max_depth = 3, found 4",
    ),
    typed(&["--set", "policy.fixt.depth=1"], "did you mean `policy.fixed`?"),
    typed(&["--set", "training.steps=0"], "training.steps: expected a whole number from 1 to 1000000000, found 0"),
    typed(&["--set", "training.learning_rate=0"], "training.learning_rate: expected a positive number, found 0"),
    typed(&["--set", "training.beta1=1.5"], "training.beta1: expected a number in [0, 1), found 1.5"),
    typed(&["--set", "training.stops=5"], "unknown key `stops`, expected one of steps,"),
    typed(
        &["--set", "training.steps=abc"],
        "--set training.steps=abc: expected a whole number of at least 0, found \"abc\"",
    ),
    typed(&["--set", "training=3"], "--set training=3: expected a table, found 3"),
    typed(&["--set", "training.steps"], "expected key=value"),
    typed(
        &["--set", "recurrence.max_depth=0"],
        "recurrence.max_depth: expected a whole number from 1 to 100000, found 0",
    ),
    typed(&["--set", "recurrence.halted_keys_values=freeze"], "did you mean `freeze-state`?"),
    typed(&["--set", "evaluation.beyond=[99]"], "size of mano-stream: expected L from 1 to 4, found 99"),
    typed(&["--set", "evaluation.in_range=[0]"], "size of mano-stream: expected L from 1 to 4, found 0"),
    typed(
        &["--set", "evaluation.in_range=[]"],
        "evaluation.in_range: expected at least one of the sizes that mano-stream trains on (L = 1, 2), found none",
    ),
    typed(
        &["--set", "evaluation.in_range=[3]"],
        "evaluation.in_range: expected sizes out of those that mano-stream trains on (L = 1, 2), found 3",
    ),
    typed(
        &["--set", "evaluation.between=[2]"],
        "evaluation.between: expected unseen sizes inside the range of those that mano-stream trains on (L = 1, 2), \
         found 2",
    ),
    typed(
        &["--set", "evaluation.beyond=[2, 3]"],
        "evaluation.beyond: expected sizes above all that mano-stream trains on (L = 1, 2), found 2",
    ),
    typed(&["--set", "evaluation.beyond=[3, 3]"], "evaluation.beyond: expected every size once, found 3 twice"),
    typed(
        &["--set", "evaluation.instances=0"],
        "evaluation.instances: expected a whole number from 1 to 10000000, found 0",
    ),
    // Ends of integers.
    typed(
        &["--set", "training.steps=9223372036854775807"],
        "training.steps: expected a whole number from 1 to 1000000000, found 9223372036854775807",
    ),
    typed(
        &["--set", "training.batch=9223372036854775807"],
        "training.batch: expected a whole number from 1 to 1000000, found 9223372036854775807",
    ),
    typed(
        &["--set", "evaluation.instances=9223372036854775807"],
        "evaluation.instances: expected a whole number from 1 to 10000000, found 9223372036854775807",
    ),
    typed(
        &["--set", "evaluation.calibration=9223372036854775807"],
        "evaluation.calibration: expected a whole number from 0 to 10000000, found 9223372036854775807",
    ),
    typed(
        &["--set", "evaluation.batch=9223372036854775807"],
        "evaluation.batch: expected a whole number from 1 to 1000000, found 9223372036854775807",
    ),
    typed(
        &["--set", "evaluation.generated_strings=9223372036854775807"],
        "evaluation.generated_strings: expected a whole number from 0 to 10000000, found 9223372036854775807",
    ),
    typed(
        &["--set", "policy.anira-e.stages=[{ steps = 9223372036854775807 }]"],
        "policy anira-e: stages[0].steps: expected a whole number from 0 to 1000000000, found 9223372036854775807",
    ),
    typed(
        &["--set", "training.steps=9223372036854775808"],
        "expected a whole number of at least 0, found \"9223372036854775808\"",
    ),
    // Values of other types, in a suite file and on the command line.
    written("depth = 2", "depth = 2.0", "parameter `depth` of fixed: expected a whole number of at least 1, found 2.0"),
    written(
        "depth = 2",
        "depth = \"2\"",
        "parameter `depth` of fixed: expected a whole number of at least 1, found \"2\"",
    ),
    typed(
        &["--set", "policy.fixed.depth=2.0"],
        "parameter `depth` of fixed: expected a whole number of at least 1, found 2.0",
    ),
    typed(
        &["--set", "evaluation.max_depth=3.0"],
        "--set evaluation.max_depth=3.0: expected a whole number of at least 0, found 3.0",
    ),
    typed(
        &["--set", "evaluation.max_depth=[2, \"3\"]"],
        "--set evaluation.max_depth=[2, \"3\"]: expected a whole number of at least 0, found \"3\"",
    ),
    typed(
        &["--set", "evaluation.max_depth={ a = 1 }"],
        "--set evaluation.max_depth={ a = 1 }: expected a value or a list of values, found a table",
    ),
    typed(
        &["--set", "policy.fixed=5"],
        "--set policy.fixed=5: `policy.fixed` is an entry, not a value: expected policy.fixed.KEY=VALUE",
    ),
    typed(&["--set", "policy=5"], "--set policy=5: expected a table or an array of tables, found 5"),
    // More cells than anybody runs.
    typed(
        &[
            "--set",
            "policy.anira-e.gamma=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]",
            "--set",
            "policy.anira-e.b=[1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0]",
            "--set",
            "policy.anira-e.tau=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]",
            "--set",
            "policy.anira-e.rule=[\"mode\", \"mode\", \"mode\", \"mode\", \"mode\", \"mode\", \"mode\", \"mode\", \"mode\", \"mode\", \"mode\"]",
        ],
        "expected at most 10000 combinations of listed values, found 11000",
    ),
    // Characters that a terminal obeys.
    written("name = \"tiny\"", "name = \"a\\u001b[31mb\"", "found `a\\u{1b}[31mb`"),
    written("name = \"tiny\"", "name = \"a\\nb\"", "found `a\\nb`"),
    written("name = \"tiny\"", "name = \" \"", "name: expected a name that can be a folder's"),
    written(
        "name = \"tiny\"",
        "name = \"tiny\"\ndescription = \"a\\u001b[2J\"",
        "description: expected a text on one line, found \"a\\u{1b}[2J\"",
    ),
    written("name = \"fixed\"", "name = \"fi\\u001b[31mxed\"", "unknown policy `fi\\u{1b}[31mxed`"),
    typed(&["--set", "task.name=a\u{1b}[31m\nb"], "unknown task `a\\u{1b}[31m\\nb`"),
    typed(&["--only", "a\u{1b}[31m"], "--only a\\u{1b}[31m: matches none of the cells"),
    typed(&["--device", "gpu"], "device: expected cpu or cuda:N, found `gpu`"),
    typed(&["--device", "cuda:x"], "device: expected cpu or cuda:N, found `cuda:x`"),
    typed(&["--device", "cuda:99"], "device cuda:99: "),
    typed(&["--jobs", "0"], "invalid value '0' for '--jobs <N>'"),
    typed(&["--runs", ""], "a value is required for '--runs <DIR>'"),
    typed(&["--runs", "/proc"], "/proc/tiny: cannot be created"),
    typed(&["--resume"], "the argument '--overwrite' cannot be used with '--resume'"),
];

#[test]
fn wrong_input_is_named_and_nothing_is_made_or_lost() {
    let text = suite(POLICIES);
    let used = Workspace::new(&text);
    used.run(&["--only", "fixed"]).well();
    let files = used.files();
    for case in CASES {
        let (from, to) = case.change;
        assert!(text.contains(from), "the suite has no `{from}`");
        fs::write(used.suite(), if from.is_empty() { text.clone() } else { text.replacen(from, to, 1) }).unwrap();
        let arguments = [&["--overwrite"], case.arguments].concat();
        // The flag of the runs folder, which is already given, may be given only once.
        let mut command = if case.arguments.contains(&"--runs") { bare(&used) } else { used.command("run") };
        let output = command.args(&arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]), "{}: {said}", case.message);
        assert!(said.starts_with("error: ") && said.contains(case.message), "lacks `{}`: {said}", case.message);
        // Errors of clap print the usage, and unknown keys print their table.
        let brief = said.lines().count() == 1
            || said.contains("try '--help'")
            || said.contains("\nin `training`\n")
            || said.contains("--only");
        assert!(!said.contains('\u{1b}'), "{said}");
        assert!(brief, "{said}");
        assert_same(&used.files(), &files);
        let mut made: Vec<_> =
            fs::read_dir(used.suite().parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        made.sort();
        assert_eq!(made, ["runs", "suite.toml"], "{}", case.message);
    }
}

fn bare(workspace: &Workspace) -> std::process::Command {
    let mut command = crate::program::command();
    command.arg("run").arg(workspace.suite()).current_dir(workspace.suite().parent().unwrap());
    command
}

#[test]
fn a_malformed_suite_is_shown_with_its_line() {
    let workspace = Workspace::new(&suite(POLICIES).replace("seeds = [0]", "seeds = [0"));
    let outcome = workspace.run(&[]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (2, ""));
    let start = format!("error: {}: ", workspace.suite().display());
    assert!(outcome.stderr.starts_with(&start), "{}", outcome.stderr);
    outcome.says(&["line 5, column 1", "[task]"]);
    fs::write(workspace.suite(), suite(POLICIES) + "[trainig]\nsteps = 3\n").unwrap();
    let outcome = workspace.run(&[]);
    assert_eq!(outcome.status, 2);
    outcome.says(&["unknown key `trainig`", "[trainig]"]);
    fs::write(workspace.suite(), [0xff, 0xfe]).unwrap();
    let outcome = workspace.run(&[]);
    assert_eq!(outcome.status, 2);
    assert!(outcome.stderr.starts_with(&start), "{}", outcome.stderr);
    assert!(!workspace.runs().exists());
}

#[test]
fn a_file_in_the_place_of_a_folder_is_named_and_kept() {
    let workspace = Workspace::new(&suite(&POLICIES[..1]));
    fs::write(workspace.runs(), "mine").unwrap();
    let outcome = workspace.run(&["--overwrite"]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (2, ""));
    let start = format!("error: {}: cannot be created: ", workspace.runs().join("tiny").display());
    let last = outcome.stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with(&start) && outcome.stderr.matches("error").count() == 2, "{}", outcome.stderr);
    assert_eq!(fs::read_to_string(workspace.runs()).unwrap(), "mine");

    let workspace = Workspace::new(&suite(&POLICIES[..1]));
    let outcome = workspace.outcome("leaderboard", &[]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (2, ""));
    outcome.says(&[&format!("{}: no runs", workspace.runs().join("tiny").display())]);
    assert!(!workspace.runs().exists());
}

/// Weights of one policy mean nothing to another, even where names and shapes agree; `explain` refuses what `run` refuses.
#[test]
fn weights_of_another_policy_are_not_borrowed() {
    let workspace = Workspace::new(&suite(&["name = \"pondernet\"", "name = \"ouro\"\nof = \"pondernet\""]));
    for outcome in [workspace.run(&[]), workspace.outcome("explain", &[])] {
        assert_eq!(outcome.status, 2);
        outcome.says(&["policy ouro: of: expected ouro itself or a policy without weights", "found pondernet"]);
    }
    assert!(!workspace.runs().join("models").exists());
}
