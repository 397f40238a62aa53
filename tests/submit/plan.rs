//! `haltbench plan`.

use serde_json::Value;

use crate::place::Place;
use crate::printed::snapshot;
use crate::program::{POLICIES, suite};

/// Replaces what follows from code, clock and machine.
fn redacted(text: &str) -> String {
    let is_id = |word: &str| word.len() == 16 && word.chars().all(|letter| letter.is_ascii_hexdigit());
    let word = |word: &str| if is_id(word) { "[id]············".to_owned() } else { word.to_owned() };
    // Time and memory stand before column 51.
    let line = |line: &str| {
        let is_entry = line.starts_with("model ") || line.starts_with("cell  ");
        let measured =
            |(place, letter): (usize, char)| if is_entry && (33..50).contains(&place) { '·' } else { letter };
        let line: String = line.chars().enumerate().map(measured).collect();
        line.split(' ').map(word).collect::<Vec<_>>().join(" ")
    };
    let text = text.lines().map(line).collect::<Vec<_>>().join("\n");
    let Some((table, total)) = text.split_once("\n\n") else { panic!("no total: {text}") };
    let counts = total.lines().next().unwrap_or_default();
    assert!(total.contains("\ntime on this machine: ") && total.contains("\nmemory of a worker: at least "), "{total}");
    format!("{table}\n\n{counts}\n[measured]")
}

#[test]
fn models_and_cells_stand_in_80_columns_with_what_they_need() {
    let place = Place::new(&suite(
        &[
            POLICIES,
            &[
                "name = \"random-trained\"\nof = \"anira-e\"",
                "name = \"calm\"\nlabel = \"a label that is much longer than its column\"\nof = \"fixed\"",
            ],
        ]
        .concat(),
    ));
    let outcome = place.outcome(&["plan"], &[]).well();
    assert_eq!(outcome.stderr, "");
    for line in outcome.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    snapshot("plan", &redacted(&outcome.stdout));
}

#[test]
fn a_plan_as_json_has_states_costs_and_a_total_that_is_their_sum() {
    let place = Place::new(&suite(POLICIES));
    let read = || -> Value { serde_json::from_str(&place.outcome(&["plan"], &["--json"]).well().stdout).unwrap() };
    let plan = read();
    let entries = |plan: &Value, kind: &str| plan[kind].as_array().unwrap().clone();
    let (models, cells) = (entries(&plan, "models"), entries(&plan, "cells"));
    assert_eq!((models.len(), cells.len()), (3, 4));
    let all: Vec<&Value> = models.iter().chain(&cells).collect();
    for entry in &all {
        assert!(entry["seconds"].as_f64().unwrap() > 0.0 && entry["memory"].as_f64().unwrap() > 1e3, "{entry}");
        assert_eq!(entry["state"], "pending");
    }
    let sum: f64 = all.iter().map(|entry| entry["seconds"].as_f64().unwrap()).sum();
    let total = plan["total"]["seconds"].as_f64().unwrap();
    assert!((sum / total - 1.0).abs() < 1e-6, "{sum} {total}");
    assert_eq!(plan["total"]["seconds_to_do"], plan["total"]["seconds"]);
    let matched = cells.iter().find(|cell| cell["title"].as_str().unwrap().contains("random-matched")).unwrap();
    let roles: Vec<&str> =
        matched["needs"].as_array().unwrap().iter().map(|need| need["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["model", "source"]);

    place.outcome(&["run"], &["--only", "fixed"]).well();
    let plan = read();
    let done = |kind: &str| entries(&plan, kind).iter().filter(|entry| entry["state"] == "done").count();
    assert_eq!((done("models"), done("cells")), (1, 1));
    assert!(plan["total"]["seconds_to_do"].as_f64() < plan["total"]["seconds"].as_f64());
    place.outcome(&["run"], &[]).well();
    assert_eq!(read()["total"]["seconds_to_do"], 0.0);
    assert!(place.outcome(&["plan"], &[]).well().stdout.contains(", nothing to do\n"));
}

#[test]
fn a_wrong_suite_is_refused() {
    let place = Place::new(&suite(&["name = \"fixd\""]));
    for words in [&["plan"][..], &["submit", "local"], &["submit", "slurm"], &["submit", "snakemake"]] {
        let outcome = place.outcome(words, &[]);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (2, ""), "{words:?}");
        outcome.says(&["did you mean `fixed`?"]);
    }
    let place = Place::new(&suite(&["name = \"fixed\"\ndepth = 9"]));
    for words in [&["plan"][..], &["submit", "slurm"]] {
        assert_eq!(place.outcome(words, &[]).status, 2);
    }
    assert!(!place.runs().exists());
}
