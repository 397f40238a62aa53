//! The command line as a user sees it: every help page, every explanation, samples of every task, and wrong input.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use haltbench_engine::plugins;
use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::registry::Declaration;
use haltbench_sdk_dylib as _;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Cargo's build folder; this test is in its `deps`.
fn built() -> PathBuf {
    let test = std::env::current_exe().unwrap().canonicalize().unwrap();
    test.parent().and_then(Path::parent).unwrap().to_owned()
}

fn command() -> Command {
    let program = built().join("haltbench");
    assert!(program.exists(), "{} is missing: run `cargo build -p haltbench`", program.display());
    let mut command = Command::new(program);
    for variable in ["HALTBENCH_PLUGINS", "COLUMNS", "NO_COLOR", "CLICOLOR_FORCE", "RUST_BACKTRACE"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

struct Outcome {
    status: i32,
    stdout: String,
    stderr: String,
}

fn finished(command: &mut Command) -> Outcome {
    let output = command.output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    for text in [&stdout, &stderr] {
        assert!(!text.contains('\x1b'), "an escape code without a terminal: {text}");
        assert!(!text.contains("panicked"), "a panic reached the user: {text}");
    }
    Outcome { status: output.status.code().unwrap(), stdout, stderr }
}

fn haltbench(arguments: &[&str]) -> Outcome {
    finished(command().args(arguments))
}

/// Standard output of a command that must succeed and print nothing else.
fn success(arguments: &[&str]) -> String {
    let outcome = haltbench(arguments);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{arguments:?}");
    outcome.stdout
}

/// Runs a command that reads `input`.
fn conversation(arguments: &[&str], input: &[u8]) -> Outcome {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("input");
    fs::write(&file, input).unwrap();
    finished(command().args(arguments).stdin(File::open(file).unwrap()))
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../snapshots/command_line"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    settings.bind(|| insta::assert_snapshot!(name, lines.join("\n")));
}

/// All registered names.
fn registered() -> BTreeSet<String> {
    let list: Vec<Value> = serde_json::from_str(&success(&["list", "--json"])).unwrap();
    list.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

/// Every task with its smallest training size; 0 for tasks without sizes.
fn tasks() -> Vec<(&'static str, String)> {
    let (catalogue, _) = plugins::catalogue(&[]).unwrap();
    let task = |declaration: Declaration| {
        let Declaration::Task(task) = declaration else { panic!("not a task: {declaration:?}") };
        let defaults = Parameters::resolve(task.name, task.parameters, &Default::default()).unwrap();
        let built = (task.build)(&defaults).unwrap();
        (task.name, built.spec().size.as_ref().map_or(0, |knob| knob.training[0]).to_string())
    };
    catalogue.of_kind("task").map(|entry| task(entry.declaration)).collect()
}

#[test]
fn every_help_page_is_as_recorded() {
    let mut pages = vec![Vec::new()];
    while let Some(path) = pages.pop() {
        let arguments: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let page = success(&arguments);
        snapshot(&[&["help".to_owned()], &path[..]].concat().join("-"), &page);
        let commands = page.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        let names = commands.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        for name in names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
            pages.push([&path[..], &[name.to_owned()]].concat());
        }
    }
}

#[test]
fn every_explanation_is_as_recorded() {
    for name in registered() {
        let page = success(&["explain", &name, "--runs", "no-such-folder"]);
        // The page measures the speed of this machine.
        let line = |line: &str| match line.starts_with("| time, every token at D | about ") {
            true => "| time, every token at D | [measured] |\n".to_owned(),
            false => format!("{line}\n"),
        };
        snapshot(&format!("explain-{name}"), &page.lines().map(line).collect::<String>());
    }
}

#[test]
fn a_declaration_as_json_says_what_a_trace_must_bring() {
    let of = |name: &str| serde_json::from_str::<Vec<Value>>(&success(&["explain", name, "--json"])).unwrap().remove(0);
    let gate = of("anira-o");
    let names: Vec<&str> = gate["weights"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["down.bias", "down.weight", "norm.bias", "norm.weight", "up.weight"]);
    assert_eq!(gate["weights"]["norm.weight"][0], gate["sizes"]["d_model"]);
    let acts: Vec<(&str, &str)> = gate["parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|parameter| (parameter["name"].as_str().unwrap(), parameter["acts_in"].as_str().unwrap()))
        .collect();
    assert!(acts.contains(&("gamma", "training")) && acts.contains(&("threshold", "evaluation")), "{acts:?}");
    assert_eq!(of("huginn-latent-diff")["weights"], serde_json::json!({}));
    assert_eq!(of("calm")["recipe"]["step_weights"], "linear");
    assert_eq!(of("mano")["kind"], "task");
    for (arguments, said) in [
        (&["explain", "anira-p", "--json"][..], "unknown task, policy or backbone `anira-p`; did you mean `anira"),
        (&["explain", "quick", "--json"], "unknown task, policy or backbone `quick`"),
    ] {
        let output = command().args(arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && stderr.contains(said), "{stderr}");
    }
}

#[test]
fn the_list_is_as_recorded() {
    let list = success(&["list"]).replace(built().to_str().unwrap(), "[built]");
    let (list, fingerprint) = list.split_once("\nfingerprint of each plugin\n").unwrap();
    snapshot("list", list);
    for field in ["candle", "features", "profile", "rustc", "sdk", "target"] {
        assert!(fingerprint.contains(&format!("  {field} ")), "{fingerprint}");
    }
    for item in serde_json::from_str::<Vec<Value>>(&success(&["list", "policies", "--json"])).unwrap() {
        for key in ["name", "kind", "plugin", "provider", "summary", "policy_kind", "role"] {
            assert!(item[key].is_string(), "{key}: {item}");
        }
        assert!(item["fingerprint"]["sdk"].is_string(), "{item}");
        for key in ["causal", "uses_labels", "needs_training", "stochastic"] {
            assert!(item[key].is_boolean(), "{key}: {item}");
        }
    }
}

#[test]
fn samples_of_every_task_are_as_recorded() {
    for (task, size) in tasks() {
        let sample = |more: &[&str]| success(&[&["data", "sample", "--task", task, "--size", &size], more].concat());
        let lines = sample(&["--count", "3", "--seed", "7", "--format", "jsonl"]);
        snapshot(&format!("sample-{task}"), &(sample(&["--count", "3", "--seed", "7"]) + &lines));
        for (index, line) in lines.lines().enumerate() {
            assert_eq!(sample(&["--first", &index.to_string(), "--seed", "7", "--format", "jsonl"]).trim_end(), line);
            let instance: Value = serde_json::from_str(line).unwrap();
            let length = instance["tokens"].as_array().unwrap().len();
            let per_token = [&instance["targets"], &instance["loss_mask"]].into_iter();
            let complexities = instance["complexity"].as_object().unwrap().values();
            let features = instance["features"].as_object().unwrap().values().map(|feature| &feature["values"]);
            for column in per_token.chain(complexities).chain(features) {
                assert_eq!(column.as_array().unwrap().len(), length, "{task}: {column}");
            }
        }
        for (part, recorded) in [("train", "train"), ("held-out", "held_out")] {
            let outcome =
                haltbench(&["data", "sample", "--task", task, "--size", &size, "--part", part, "--format", "jsonl"]);
            // The smallest size may have no held-out instance.
            let is_of_part = outcome.stdout.contains(&format!("\"part\":\"{recorded}\""));
            assert!(is_of_part || outcome.stderr.contains("choose a larger size"), "{task}: {}", outcome.stderr);
        }
    }
}

#[test]
fn what_is_sampled_is_answered_and_checked() {
    for (task, size) in tasks() {
        let lines = success(&["data", "sample", "--task", task, "--size", &size, "--count", "8", "--format", "jsonl"]);
        let answered = conversation(&["data", "answer", "--task", task], lines.as_bytes());
        let checked = conversation(&["data", "check", "--task", task], lines.as_bytes());
        assert_eq!([answered.status, checked.status], [0, 0], "{task}: {}{}", answered.stderr, checked.stderr);
        assert_eq!(answered.stdout.lines().count(), 8);
        for (line, answer) in lines.lines().zip(answered.stdout.lines()) {
            let [question, answer] = [line, answer].map(|text| serde_json::from_str::<Value>(text).unwrap());
            let own = json!({ "question": question["question"], "answer": answer["answer"] }).to_string();
            let verdict = conversation(&["data", "check", "--task", task], own.as_bytes()).stdout;
            assert_eq!(verdict, "{\"valid\":true,\"reason\":\"\"}\n", "{task}: {own}");
        }
        assert!(checked.stdout.lines().all(|line| line == "{\"valid\":true,\"reason\":\"\"}"), "{}", checked.stdout);
    }
}

#[test]
fn damaged_lines_are_named_and_the_others_are_served() {
    let input = b"{\"id\": 1, \"question\": \"+ 3 * 4 17\", \"other\": 0}\n{\"question\": \n\n[]\n{\"id\": \"b\", \"qestion\": \"1\"}\n\
                  {\"question\": \"+ 3\"}\n{\"question\": \"\xff\"}\n{\"question\": \"+ 1 1\"}";
    let outcome = conversation(&["data", "answer", "--task", "mano"], input);
    snapshot("damaged-answer", &format!("{}--\n{}", outcome.stdout, outcome.stderr));
    assert_eq!(outcome.status, 4);

    let input = b"{\"question\": \"+ 1 1\", \"answer\": \"3\"}\n{\"question\": \"+ 1 1\", \"answer\": 2}\n\
                  {\"id\": [2], \"question\": \"+ 1 1\", \"answer\": \"x\"}\n";
    let outcome = conversation(&["data", "check", "--task", "mano"], input);
    snapshot("damaged-check", &format!("{}--\n{}", outcome.stdout, outcome.stderr));
    assert_eq!(outcome.status, 4);
}

#[test]
fn ids_come_back_as_they_were_written_and_a_byte_order_mark_is_no_text() {
    let input = "\u{feff}{\"id\": 123456789012345678901234567890, \"question\": \"+ 1 1\"}\n\
                 {\"id\": 1.10, \"question\": \"+ 1 2\"}\n{\"id\": 1e3, \"question\": \"+\"}\n{\"id\": {\"a\": [1.0]}, \"question\": \"+ 1 3\"}\n";
    let outcome = conversation(&["data", "answer", "--task", "mano"], input.as_bytes());
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines[0], "{\"id\":123456789012345678901234567890,\"answer\":\"2\"}");
    assert_eq!(lines[1], "{\"id\":1.10,\"answer\":\"3\"}");
    assert!(lines[2].starts_with("{\"id\":1e3,\"error\":\""), "{}", lines[2]);
    assert_eq!(lines[3], "{\"id\":{\"a\": [1.0]},\"answer\":\"4\"}");
    assert_eq!((lines.len(), outcome.status), (4, 4));
    // Only at the start of the input.
    let outcome =
        conversation(&["data", "answer", "--task", "mano"], "{\"question\": \"+ 1 1\"}\n\u{feff}{}\n".as_bytes());
    assert!(outcome.status == 4 && outcome.stderr.contains("line 2: expected a JSON object"), "{}", outcome.stderr);
}

#[test]
fn a_sample_as_text_is_one_line_for_every_task() {
    for (task, size) in tasks() {
        let sample = success(&["data", "sample", "--task", task, "--size", &size, "--count", "5"]);
        assert_eq!(sample.lines().count(), 5, "{task}: {sample}");
        assert!(sample.lines().all(|line| line.contains(" = ")), "{task}: {sample}");
    }
}

/// Text of users in messages is shown, not obeyed.
#[test]
fn escape_codes_of_users_reach_no_terminal() {
    let red = "\u{1b}[31m\n";
    let mano = ["data", "answer", "--task", "mano"];
    let line = format!("{{\"question\": {}}}\n", serde_json::to_string(red).unwrap());
    let outcome = conversation(&mano, line.as_bytes());
    assert!(outcome.stderr.contains("\\u{1b}[31m"), "{}", outcome.stderr);
    for arguments in [
        &["explain", red][..],
        &["run", red],
        &["leaderboard", red],
        &["data", "sample", "--task", red],
        &["data", "sample", "--task", "mano", "--size", "3", "--set", red],
        &["data", "sample", "--task", "mano", "--size", "3", "--set", "modulus=\u{1b}[31m"],
        &["run", "quick", "--set", red],
        &["replay", red, "--policy", "fixed"],
        &["trace", red, "--out", "x"],
    ] {
        let outcome = haltbench(arguments);
        let said = &outcome.stderr;
        assert!(
            outcome.status == 2 && said.contains("\\u{1b}[31m") && said.lines().count() == 1,
            "{arguments:?}: {said}"
        );
    }
}

/// What a suite file accepts, `--set` accepts, and with the same message.
#[test]
fn values_are_spelled_alike_in_suite_files_and_on_the_command_line() {
    let sample = |set: &str| haltbench(&["data", "sample", "--task", "mano", "--size", "5", "--set", set]);
    for set in ["skip=4", "skip=\"4\"", "modulus=1_1", "modulus=0x0b"] {
        assert_eq!(sample(set).status, 0, "{set}: {}", sample(set).stderr);
    }
    let explain =
        |set: &str| haltbench(&["explain", "small-mano", "--set", &format!("task.{set}"), "--runs", "no-such-folder"]);
    for (set, expected) in [
        ("modulus=3.0", "parameter `modulus` of mano: expected a whole number from 2 to 1000, found 3.0"),
        ("modulus=\"3\"", "parameter `modulus` of mano: expected a whole number from 2 to 1000, found \"3\""),
        ("modulus=x", "parameter `modulus` of mano: expected a whole number from 2 to 1000, found \"x\""),
        ("skip=2.5", "parameter `skip` of mano: expected a text, found 2.5; write it in quotes"),
        ("skip=true", "parameter `skip` of mano: expected a text, found true; write it in quotes"),
    ] {
        for outcome in [sample(set), explain(set)] {
            assert_eq!((outcome.status, outcome.stderr), (2, format!("error: {expected}\n")), "{set}");
        }
    }
}

#[test]
fn wrong_arguments_are_named_with_what_was_expected() {
    let sample = |more: &[&'static str]| [&["data", "sample", "--task", "mano", "--size", "3"], more].concat();
    let cases: &[(Vec<&str>, &str)] = &[
        (
            vec!["explain", "anria-e"],
            "unknown task, policy, backbone or suite `anria-e`; did you mean `anira-e`? (`haltbench list` shows all names)",
        ),
        (vec!["data", "sample", "--task", "mnao"], "unknown task `mnao`; did you mean `mano`?"),
        (vec!["data", "answer", "--task", "fixed"], "unknown task `fixed`"),
        (vec!["data", "sample", "--task", "mano"], "size of mano: expected --size with L from 1 to 32, found none"),
        (sample(&["--set", "modulo=7"]), "unknown parameter of mano `modulo`; did you mean `modulus`?"),
        (
            sample(&["--set", "modulus=1"]),
            "parameter `modulus` of mano: expected a whole number from 2 to 1000, found 1",
        ),
        (sample(&["--set", "modulus"]), "--set modulus: expected key=value, such as modulus=23"),
        (sample(&["--count", "-1"]), "invalid value '-1' for '--count <N>'"),
        (sample(&["--format", "json"]), "[possible values: text, jsonl]"),
        (vec!["data", "sample", "--task", "mano", "--size", "33"], "size of mano: expected L from 1 to 32, found 33"),
        (vec!["data", "sample"], "--task <TASK>"),
        (
            vec!["bench", "step", "--batch", "9223372036854775807"],
            "--batch: expected a number from 1 to 16777216, found 9",
        ),
        (vec!["bench", "step", "--depth", "0"], "--depth: expected a number from 1 to 4096, found 0"),
        (vec!["bench", "decode", "--new", "18446744073709551615"], "--new: expected at most 16777216 tokens in all"),
        (vec!["bench", "step", "--policy", "random-matched"], "--policy: expected an early or online policy that is"),
        (vec!["list", "polices"], "a similar value exists: 'policies'"),
        (vec!["lst"], "a similar subcommand exists: 'list'"),
        (vec!["run", "quik"], "did you mean `quick`?"),
        (vec!["list", "--plugin", "/nowhere.so"], "/nowhere.so: no such file"),
        (vec!["completions", "tcsh"], "[possible values: bash, elvish, fish, powershell, zsh]"),
    ];
    for (arguments, message) in cases {
        let Outcome { status, stdout, stderr } = haltbench(arguments);
        assert_eq!((status, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(stderr.starts_with("error: ") && stderr.contains(message), "{arguments:?} lacks `{message}`: {stderr}");
    }
    let Outcome { status, stdout, stderr } = haltbench(&[]);
    assert_eq!((status, stdout.as_str()), (2, ""));
    assert!(stderr.contains("Usage: haltbench [OPTIONS] <COMMAND>"), "{stderr}");
}

#[test]
fn refused_plugins_are_fatal_if_named_and_mentioned_if_found() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("libhaltbench_policy_text.so");
    fs::write(&file, "text").unwrap();
    let named = file.to_str().unwrap();
    for arguments in [["list", "--plugin", named], ["--plugin", named, "doctor"]] {
        assert_eq!(haltbench(&arguments).status, 3, "{arguments:?}");
    }
    let searched = |arguments: &[&str]| finished(command().args(arguments).env("HALTBENCH_PLUGINS", folder.path()));
    let list = searched(&["list"]);
    let note = format!("note: plugin left out: {named}: expected a 64-bit ELF shared object, found something else\n");
    assert_eq!((list.status, list.stderr), (0, note));
    let doctor = searched(&["doctor", "--json"]);
    let examination: Value = serde_json::from_str(&doctor.stdout).unwrap();
    assert_eq!((doctor.status, examination["skipped"][0]["file"].as_str()), (3, Some(named)));
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let completions = searched(&["completions", shell]);
        assert_eq!((completions.status, completions.stderr.as_str()), (0, ""), "plugins were looked for");
    }
}

#[test]
fn the_doctor_finds_this_installation_well_and_an_unwritable_folder_wrong() {
    let folder = TempDir::new().unwrap();
    let runs = folder.path().join("runs");
    let report = success(&["doctor", "--runs", runs.to_str().unwrap()]);
    assert!(report.ends_with("\nall well\n") && report.contains("haltbench_task_mano"), "{report}");
    assert!(!runs.exists());
    fs::write(&runs, "").unwrap();
    let outcome = haltbench(&["doctor", "--json", "--runs", runs.to_str().unwrap()]);
    let examination: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((outcome.status, &examination["status"]), (1, &json!(1)), "{examination}");
    let fields = ["rustc", "target", "profile", "features", "sdk", "candle"];
    assert!(fields.iter().all(|field| examination["fingerprint"][field].is_string()), "{examination}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure_and_a_full_disk_is_one() {
    let endless = ["data", "sample", "--task", "mano", "--size", "3", "--count", "100000000"];
    let mut child = command().args(endless).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains(" = "), "{line}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");

    let full = File::options().write(true).open("/dev/full").unwrap();
    let outcome = command().arg("list").stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(outcome.status.code(), Some(1));
    let said = String::from_utf8(outcome.stderr).unwrap();
    assert!(said.starts_with("error: standard output: cannot be written: No space left"), "{said}");
}

#[test]
fn an_answer_comes_before_the_next_question() {
    let mut child = command()
        .args(["data", "answer", "--task", "mano"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut questions, mut answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    for number in 0..3 {
        writeln!(questions, "{{\"id\": {number}, \"question\": \"+ {number} 1\"}}").unwrap();
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        assert_eq!(line, format!("{{\"id\":{number},\"answer\":\"{}\"}}\n", number + 1));
    }
    drop(questions);
    assert!(child.wait().unwrap().success());
}
