//! Metrics of a small suite that learns something, against recorded ones within stated tolerances; and the published
//! schemas, exactly as recorded.
//!
//! The tolerances are for other machines: another CPU multiplies matrices in another order, and training propagates the
//! difference. `INSTA_UPDATE=always cargo test -p haltbench_tests --test metric_snapshots` records again.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use haltbench_sdk_dylib as _;
use insta::{Comparator, Settings, Snapshot};
use serde_json::{Value, json};

#[path = "runs/program.rs"]
mod program;

use program::{Workspace, command, json};

/// Products modulo 3, learned in 150 small steps. The learning rate is so low that changing it by a millionth, which is
/// more than rounding does, changes no metric by more than 0.002.
const SUITE: &str = r#"
name = "small"
seeds = [0]

[task]
name = "mano-stream"
modulus = 3
operators = "*"
minimum_operators = 2
maximum_operators = 3
largest_operators = 4

[backbone]
name = "anira"
d_model = 32
d_ff = 64
heads = 4
coda_layers = 0

[recurrence]
max_depth = 3

[training]
steps = 150
batch = 32
learning_rate = 1e-3
warmup_steps = 20

[evaluation]
instances = 100

[[policy]]
name = "fixed"
depth = 2

[[policy]]
name = "anira-e"
gamma = 0.02

[[policy]]
name = "anira-o"
gamma = 0.05
"#;

const POLICIES: [&str; 3] = ["fixed", "anira-e", "anira-o"];

/// Metrics of a result, with their tolerances for other machines.
const TOLERANCES: &[(&str, f64)] = &[
    ("token_accuracy", 0.05),
    ("exact_match", 0.1),
    ("answer_depth", 0.15),
    ("depth", 0.15),
    ("saturation", 0.15),
    ("spearman", 0.15),
];

/// The suite, run once for all tests.
fn workspace() -> &'static Workspace {
    static WORKSPACE: OnceLock<Workspace> = OnceLock::new();
    WORKSPACE.get_or_init(|| {
        let workspace = Workspace::new(SUITE);
        workspace.run(&[]).well();
        workspace
    })
}

fn cell(policy: &str) -> PathBuf {
    workspace().cell(&format!("{policy} 0"))
}

fn model(policy: &str) -> PathBuf {
    workspace().model(&format!("{policy} 0"))
}

/// The last lines of the metrics.jsonl of a policy's model.
fn last_lines(policy: &str) -> Vec<Value> {
    let text = fs::read_to_string(model(policy).join("metrics.jsonl")).expect("metrics");
    text.lines().rev().take(5).map(|line| serde_json::from_str(line).expect("a line")).collect()
}

/// The record of a cell, by name: value, tolerance, and the reason if there is no value.
fn metrics(policy: &str) -> Value {
    let rounded = |value: f64| (value * 1e4).round() / 1e4;
    let result = json(&cell(policy).join("result.json"));
    let mut all = BTreeMap::new();
    for (name, tolerance) in TOLERANCES {
        for split in ["in_range", "beyond"] {
            let rows = result["metrics"].as_array().expect("rows");
            let row = rows.iter().find(|row| {
                row["metric"] == *name && row["split"] == split && row["population"] == "all" && row["level"].is_null()
            });
            let row = row.unwrap_or_else(|| panic!("no {name} {split}"));
            let value = row["value"].as_f64().map(rounded);
            let mut entry = json!({ "value": value, "tolerance": tolerance });
            if value.is_none() {
                entry["reason"] = row["reason"].clone();
            }
            all.insert(format!("{split} {name}"), entry);
        }
    }
    let ledger = |key: &str| result["ledger"][key].as_f64().expect("a number");
    let share = (ledger("flops") + ledger("decision_flops")) / ledger("dense_flops");
    all.insert("flops_share".to_owned(), json!({ "value": rounded(share), "tolerance": 0.05 }));
    all.insert("tokens".to_owned(), json!({ "value": ledger("tokens"), "tolerance": 0.0 }));
    all.insert("weights".to_owned(), json!({ "value": result["weights"]["total"].as_f64(), "tolerance": 0.0 }));
    for (key, tolerance) in [("cross_entropy", 0.03), ("regulariser", 0.005)] {
        let lines = last_lines(policy);
        let mean = lines.iter().map(|line| line[key].as_f64().expect("a number")).sum::<f64>() / lines.len() as f64;
        all.insert(format!("final {key}"), json!({ "value": rounded(mean), "tolerance": tolerance }));
    }
    json!(all)
}

/// Sentences about metrics that differ from the recorded ones by more than the tolerances.
fn differences(recorded: &str, found: &str) -> Vec<String> {
    let parsed = |text: &str| serde_json::from_str::<BTreeMap<String, Value>>(text);
    let (recorded, found) = match (parsed(recorded), parsed(found)) {
        (Ok(recorded), Ok(found)) => (recorded, found),
        (recorded, found) => {
            let broken = [("the recorded metrics", recorded.err()), ("the new metrics", found.err())];
            return broken.into_iter().filter_map(|(what, error)| Some(format!("{what}: {}", error?))).collect();
        }
    };
    let mut all = Vec::new();
    for (name, old) in &recorded {
        match found.get(name) {
            None => all.push(format!("{name}: is missing, recorded is {}", old["value"])),
            Some(new) => all.extend(difference(name, old, new)),
        }
    }
    let new = found.iter().filter(|(name, _)| !recorded.contains_key(*name));
    all.extend(new.map(|(name, new)| format!("{name}: is new, {}", new["value"])));
    all
}

fn difference(name: &str, old: &Value, new: &Value) -> Option<String> {
    if old["tolerance"] != new["tolerance"] {
        return Some(format!("{name}: its tolerance is {}, recorded is {}", new["tolerance"], old["tolerance"]));
    }
    match (old["value"].as_f64(), new["value"].as_f64(), old["tolerance"].as_f64()) {
        (Some(before), Some(after), Some(tolerance)) if (after - before).abs() <= tolerance => None,
        (Some(before), Some(after), Some(tolerance)) => {
            let moved = after - before;
            Some(format!("{name}: moved by {moved:+.4}, from {before} to {after}; its tolerance is {tolerance}"))
        }
        (None, None, _) if old["reason"] == new["reason"] => None,
        _ => Some(format!("{name}: was {old}, is {new}")),
    }
}

/// Compares metrics within their tolerances, and names those that changed.
struct Tolerant;

impl Comparator for Tolerant {
    fn matches(&self, reference: &Snapshot, test: &Snapshot) -> bool {
        let text = |snapshot: &Snapshot| snapshot.as_text().map(ToString::to_string).unwrap_or_default();
        let differences = differences(&text(reference), &text(test));
        for difference in &differences {
            eprintln!("{}: {difference}", test.snapshot_name().unwrap_or_default());
        }
        differences.is_empty()
    }

    fn dyn_clone(&self) -> Box<dyn Comparator> {
        Box::new(Self)
    }
}

fn settings(folder: &str) -> Settings {
    let mut settings = Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../snapshots").join(folder));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("JSON")
}

#[test]
fn metrics_are_as_recorded_within_their_tolerances() {
    let mut settings = settings("metrics");
    settings.set_comparator(Box::new(Tolerant));
    for policy in POLICIES {
        let metrics = metrics(policy);
        settings.bind(|| insta::assert_snapshot!(policy, pretty(&metrics)));
    }
}

/// The tolerances mean something: the suite has learned, and an adaptive policy differs from a fixed depth.
#[test]
fn the_recorded_metrics_are_of_models_that_have_learned() {
    for policy in POLICIES {
        let metrics = metrics(policy);
        let value = |name: &str| metrics[name]["value"].as_f64().expect("a number");
        assert!(value("in_range token_accuracy") > 0.9 && value("final cross_entropy") < 0.2, "{policy}: {metrics}");
        let spared = (value("in_range depth") - value("in_range answer_depth")).abs();
        let expected = if policy == "anira-e" { 0.3..2.0 } else { 0.0..0.3 };
        assert!(expected.contains(&spared), "{policy}: {metrics}");
    }
}

#[test]
fn a_metric_that_moves_too_far_is_named_with_its_tolerance() {
    let metrics = |accuracy: f64, depth: f64| {
        let entry = |value: f64| json!({ "value": value, "tolerance": 0.05 });
        pretty(&json!({ "accuracy": entry(accuracy), "depth": entry(depth) }))
    };
    let recorded = metrics(0.9, 2.0);
    assert!(differences(&recorded, &recorded).is_empty());
    assert!(differences(&recorded, &metrics(0.949, 1.951)).is_empty());
    assert_eq!(
        differences(&recorded, &metrics(0.84, 2.051)),
        [
            "accuracy: moved by -0.0600, from 0.9 to 0.84; its tolerance is 0.05",
            "depth: moved by +0.0510, from 2 to 2.051; its tolerance is 0.05",
        ]
    );
}

#[test]
fn missing_new_and_changed_metrics_are_reported() {
    let recorded = pretty(&json!({ "accuracy": { "value": 0.9, "tolerance": 0.05 } }));
    let found = |entries: Value| differences(&recorded, &pretty(&entries));
    assert_eq!(
        found(json!({ "depth": { "value": 2.5, "tolerance": 0.1 } })),
        ["accuracy: is missing, recorded is 0.9", "depth: is new, 2.5"]
    );
    assert_eq!(
        found(json!({ "accuracy": { "value": 0.9, "tolerance": 0.5 } })),
        ["accuracy: its tolerance is 0.5, recorded is 0.05"]
    );
    let lost = found(json!({ "accuracy": { "value": null, "tolerance": 0.05, "reason": "no answer" } }));
    assert!(lost.len() == 1 && lost[0].starts_with("accuracy: was {") && lost[0].contains("no answer"), "{lost:?}");
    let absent = |reason: &str| pretty(&json!({ "rho": { "value": null, "tolerance": 0.1, "reason": reason } }));
    assert!(differences(&absent("no variation"), &absent("no variation")).is_empty());
    assert_eq!(differences(&absent("no variation"), &absent("no tokens")).len(), 1);
    let broken = differences("{", &recorded);
    assert!(broken.len() == 1 && broken[0].starts_with("the recorded metrics: EOF"), "{broken:?}");
}

/// The published schemas by name.
fn schemas() -> BTreeMap<String, Value> {
    let mut schemas: BTreeMap<String, Value> = haltbench_engine::store::schema()
        .into_iter()
        .map(|(name, schema)| (name.trim_end_matches(".schema.json").to_owned(), schema.to_value()))
        .collect();
    schemas.insert("leaderboard".to_owned(), haltbench_report::schema().to_value());
    schemas.insert("replay".to_owned(), haltbench_engine::trace::schema().to_value());
    schemas
}

#[test]
fn schemas_are_exactly_as_recorded() {
    let schemas = schemas();
    let names = ["leaderboard", "metrics", "model", "replay", "result", "timings"];
    assert_eq!(schemas.keys().collect::<Vec<_>>(), names);
    for (name, schema) in schemas {
        settings("schemas").bind(|| insta::assert_snapshot!(format!("{name}.schema"), pretty(&schema)));
    }
}

#[test]
fn what_is_written_has_the_keys_of_its_schema() {
    let schemas = schemas();
    let cell = cell("anira-e");
    let board = workspace().outcome("leaderboard", &["--format", "json"]).well().stdout;
    let trace = cell.join("trace.safetensors").to_str().expect("a path").to_owned();
    let (id, runs) = (cell.file_name().and_then(OsStr::to_str).expect("a name"), workspace().runs());
    let recorded = command().args(["trace", id, "--out", &trace, "--states", "--runs"]).arg(runs).output();
    assert!(recorded.expect("the program").status.success());
    let replayed = command().args(["replay", &trace, "--policy", "anira-e"]).output().expect("the program").stdout;
    let first = replayed.split(|byte| *byte == b'\n').next().expect("a line");
    let written = [
        ("replay", serde_json::from_slice(first).expect("JSON")),
        ("result", json(&cell.join("result.json"))),
        ("timings", json(&cell.join("timings.json"))),
        ("model", json(&model("anira-e").join("result.json"))),
        ("metrics", last_lines("anira-e").remove(0)),
        ("leaderboard", serde_json::from_str(&board).expect("JSON")),
    ];
    for (name, document) in written {
        let keys: Vec<&String> = document.as_object().expect("an object").keys().collect();
        let properties: Vec<&String> = schemas[name]["properties"].as_object().expect("properties").keys().collect();
        assert!(keys.iter().all(|key| properties.contains(key)), "{name}: {keys:?}, its schema has {properties:?}");
        let required = schemas[name]["required"].as_array().expect("required keys");
        assert!(
            required.iter().all(|key| document.get(key.as_str().expect("a key")).is_some()),
            "{name}: {required:?}"
        );
    }
}
