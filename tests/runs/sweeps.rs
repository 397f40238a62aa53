//! A list of a knob's values only costs evaluations, and the board shows the setting chosen on the calibration part.

use std::collections::BTreeSet;
use std::path::Path;

use haltbench_analysis::Split;
use haltbench_engine::store::read_tokens;
use serde_json::Value;

use crate::program::{Workspace, json, suite};

/// Fixed depths, and a learned policy with five thresholds.
const SWEPT: [&str; 2] = [
    "name = \"fixed\"\ndepth = [1, 2, 3]",
    "name = \"anira-e\"\nrule = \"threshold\"\nthreshold = [0.1, 0.3, 0.5, 0.7, 0.9]",
];

const CALIBRATED: &[&str] = &["--set", "evaluation.calibration=20"];

/// The rows of the only board, by policy.
fn rows(workspace: &Workspace, arguments: &[&str]) -> Vec<Value> {
    let board =
        workspace.outcome("leaderboard", &[&["--format", "json"], CALIBRATED, arguments].concat()).well().stdout;
    let board: Value = serde_json::from_str(&board).unwrap();
    board["boards"][0]["rows"].as_array().unwrap().clone()
}

/// Accuracy and cost of a cell on the calibration part, recomputed from its file.
fn calibrated(cell: &Path) -> (f64, f64) {
    let table = read_tokens(&cell.join("calibration.parquet")).unwrap();
    let columns = table.columns();
    let rows = 0..columns.depth.len();
    let answers: Vec<usize> =
        rows.clone().filter(|row| columns.is_answer[*row] && columns.split[*row] == Split::InRange).collect();
    let right = answers.iter().filter(|row| columns.correct[**row] == Some(true)).count();
    let sum = |of: &dyn Fn(usize) -> f64| rows.clone().map(of).sum::<f64>();
    let cost = sum(&|row| columns.flops[row]) / sum(&|row| columns.dense_flops[row]);
    (right as f64 / answers.len() as f64, cost)
}

#[test]
fn five_thresholds_train_one_model_and_give_one_row_and_a_curve() {
    let workspace = Workspace::new(&suite(&SWEPT));
    let run = workspace.run(CALIBRATED).well();
    run.says(&["8 of 8 cells done, 0 failed; 4 models trained, 0 there already"]);
    assert_eq!(run.stderr.matches("started  model").count(), 4, "{}", run.stderr);

    let settings: Vec<(String, (f64, f64))> = ["0.1", "0.3", "0.5", "0.7", "0.9"]
        .map(|threshold| format!("anira-e(threshold={threshold})"))
        .map(|label| (label.clone(), calibrated(&workspace.cell(&format!("{label} 0")))))
        .into();
    let best = [1, 2, 3].map(|depth| calibrated(&workspace.cell(&format!("fixed(depth={depth}) 0"))).0);
    let best = best.into_iter().fold(0.0, f64::max);
    // The expected choice for each target, computed differently from the board: sort the list and take the first.
    let expected = |target: &str, share: f64| -> (String, bool) {
        let mut order = settings.clone();
        let reaches = |(_, (accuracy, cost)): &(String, (f64, f64))| match target {
            "cost" => *cost <= share,
            _ => *accuracy >= share * best,
        };
        let is_reached = order.iter().any(reaches);
        order.retain(|setting| !is_reached || reaches(setting));
        let key = |(_, (accuracy, cost)): &(String, (f64, f64))| match (target == "cost") == is_reached {
            true => (-accuracy, *cost),
            false => (*cost, -accuracy),
        };
        order.sort_by(|a, b| key(a).partial_cmp(&key(b)).unwrap());
        (order[0].0.clone(), is_reached)
    };
    let mut chosen = BTreeSet::new();
    for (target, share) in
        [("cost", 0.9), ("cost", 0.55), ("cost", 0.01), ("accuracy", 0.5), ("accuracy", 0.9), ("accuracy", 9.0)]
    {
        let (label, is_reached) = expected(target, share);
        let shown = rows(&workspace, &["--at", &format!("{target}={share}")]);
        assert_eq!(shown.len(), 4, "one row for each fixed depth, and one for the policy");
        let row = shown.iter().find(|row| row["name"] == "anira-e").unwrap();
        assert_eq!(row["policy"], label, "{target}={share}: {settings:?}, best fixed {best}");
        let setting = &row["setting"];
        assert_eq!(
            (setting["settings"].as_u64(), setting["chosen"].as_str()),
            (Some(5), Some(if is_reached { "reached" } else { "closest" }))
        );
        let (accuracy, cost) = settings.iter().find(|(known, _)| *known == label).unwrap().1;
        assert!((setting["calibrated"]["accuracy"].as_f64().unwrap() - accuracy).abs() < 1e-12);
        assert!((setting["calibrated"]["cost"].as_f64().unwrap() - cost).abs() < 1e-12);
        assert_eq!(row["place"]["rank_low"].is_number(), is_reached, "{row}");
        if !is_reached {
            let reason =
                format!("no setting of its knobs reaches {target}={share} on calibration: the closest is shown");
            assert_eq!(row["place"]["reason"], reason);
        }
        chosen.insert(label);
    }
    assert!(chosen.len() > 1, "every target chose {chosen:?}");
    let curve = rows(&workspace, &["--curve"]);
    assert_eq!(curve.len(), 8);
    assert_eq!(curve.iter().filter(|row| row["setting"]["chosen"] == "other").count(), 4);
}

#[test]
fn no_problem_is_in_two_parts() {
    let workspace = Workspace::new(&suite(&SWEPT[..1]));
    workspace.run(CALIBRATED).well();
    let problems = |name: &str| -> BTreeSet<u64> {
        let table = read_tokens(&workspace.cell("fixed(depth=1) 0").join(name)).unwrap();
        table.columns().problem.iter().copied().collect()
    };
    let (calibration, evaluation) = (problems("calibration.parquet"), problems("tokens.parquet"));
    assert!(!calibration.is_empty() && !evaluation.is_empty());
    assert!(calibration.is_disjoint(&evaluation));
    // An id is a hash without its last bit: one in eight hashes is held out, a quarter of these is for calibration.
    let is_for_calibration = |problem: &u64| {
        assert!(problem.is_multiple_of(4), "not held out");
        (problem / 4).is_multiple_of(4)
    };
    assert!(calibration.iter().all(is_for_calibration) && !evaluation.iter().any(is_for_calibration));
    // Without a calibration part, the held-out problems of both parts are evaluated.
    let whole = Workspace::new(&suite(&SWEPT[..1]));
    whole.run(&[]).well();
    let table = read_tokens(&whole.cell("fixed(depth=1) 0").join("tokens.parquet")).unwrap();
    let all: BTreeSet<u64> = table.columns().problem.iter().copied().collect();
    assert!(all.iter().any(is_for_calibration) && !all.iter().all(is_for_calibration));
    assert!(!whole.cell("fixed(depth=1) 0").join("calibration.parquet").exists());
}

#[test]
fn a_sweep_that_cannot_be_chosen_from_is_refused_before_anything_is_trained() {
    let cases = [
        (
            SWEPT[1].to_owned(),
            "",
            "evaluation.calibration: expected at least 1 instance of each size, because policy anira-e has 5 settings of its \
             knobs to choose from, found 0",
        ),
        (
            format!(
                "name = \"anira-e\"\nrule = \"threshold\"\nthreshold = [{}]",
                (0..12).map(|value| format!("{}", f64::from(value) / 12.0)).collect::<Vec<_>>().join(", ")
            ),
            "evaluation.calibration=5",
            "policy anira-e: expected at most 11 settings of its knobs, found 12",
        ),
        (
            SWEPT[1].to_owned(),
            "evaluation.calibration=many",
            "evaluation.calibration=many: expected a whole number of at least 0",
        ),
    ];
    for (policy, set, message) in cases {
        let workspace = Workspace::new(&suite(&[&policy]));
        let outcome = workspace.run(&if set.is_empty() { vec![] } else { vec!["--set", set] });
        assert_eq!(outcome.status, 2, "{}", outcome.stderr);
        assert!(outcome.stderr.contains(message), "{}", outcome.stderr);
        assert!(!workspace.runs().exists(), "{message}: something was written");
    }
    let workspace = Workspace::new(&suite(&SWEPT));
    let outcome = workspace.outcome("leaderboard", &["--at", "speed=2"]);
    assert_eq!(outcome.status, 2);
    outcome.says(&["error: --at: expected cost=SHARE or accuracy=SHARE with a share above 0", "found `speed=2`"]);
}

#[test]
fn sweeps_of_different_lengths_and_settings_without_a_result_are_said() {
    let short = "name = \"anira-o\"\nrule = \"threshold\"\nthreshold = [0.3, 0.7]";
    let workspace = Workspace::new(&suite(&[SWEPT[0], SWEPT[1], short]));
    workspace.run(CALIBRATED).well();
    let board = |arguments: &[&str]| -> Value {
        let text =
            workspace.outcome("leaderboard", &[&["--format", "json"], CALIBRATED, arguments].concat()).well().stdout;
        serde_json::from_str::<Value>(&text).unwrap()["boards"][0].clone()
    };
    let unequal = "anira-e is chosen out of 5 settings, anira-o out of 2: give each the same number";
    let warnings = board(&[])["warnings"].as_array().unwrap().clone();
    assert!(warnings.iter().any(|warning| warning == unequal));
    // Fixed depths are trained without halting, and declare that every option fits.
    assert!(!warnings.iter().any(|warning| warning.as_str().unwrap().contains("did not meet")), "{warnings:?}");
    std::fs::remove_dir_all(workspace.cell("anira-o(threshold=0.7) 0")).unwrap();
    let rows = board(&[])["rows"].as_array().unwrap().clone();
    let shown: Vec<&Value> = rows.iter().filter(|row| row["name"] == "anira-o").collect();
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0]["place"]["reason"], "cells of some settings of its knobs are missing: none is chosen");
}

/// All settings of a policy share one model, so its name refers to the model, unless depths are read.
#[test]
fn the_name_of_a_sweep_stands_for_its_model() {
    let exit = "name = \"calm\"\nof = \"anira-e\"\nthreshold = 0.5";
    let workspace = Workspace::new(&suite(&[SWEPT[1], exit]));
    workspace.run(CALIBRATED).well().says(&["6 of 6 cells done, 0 failed; 1 model trained, 0 there already"]);
    let control = "name = \"random-matched\"\nof = \"anira-e\"";
    let outcome = Workspace::new(&suite(&[SWEPT[1], control])).run(CALIBRATED);
    assert_eq!(outcome.status, 2, "{}", outcome.stderr);
    outcome.says(&[
        "policy random-matched: of: expected one setting of its knobs, because each has depths of its own, found anira-e",
    ]);
}

/// Inference rules of a policy are separate rows, not settings: depths are not monotonic in them.
#[test]
fn rules_share_a_model_and_are_rows_of_their_own() {
    let workspace = Workspace::new(&suite(&["name = \"anira-o\"\nrule = [\"median\", \"mean\", \"mode\"]"]));
    workspace.run(&[]).well().says(&["3 of 3 cells done, 0 failed; 1 model trained, 0 there already"]);
    let index = json(&workspace.runs().join("tiny/index.json"));
    let families: BTreeSet<&str> =
        index["cells"].as_array().unwrap().iter().map(|cell| cell["family"].as_str().unwrap()).collect();
    assert_eq!(families.len(), 3);
}
