//! A policy that breaks its claims is not ranked, and its row or its cell says why.

use serde_json::Value;

use crate::program::{Workspace, built, json, suite};

/// Every way to cheat, with what its row or its cell says. A claim of a whole policy is refuted in its row; numbers that
/// are none fail their cell.
const REFUTED: [(&str, &str); 2] = [
    ("future", "it claims to be causal, but its depths depend on later tokens: "),
    ("batch", "its depths depend on the other sequences of a batch: "),
];
const FAILED: [(&str, &str); 6] = [
    (
        "clock",
        "cheats broke the contract: it does not declare `stochastic`, but gives other depths or scores the second time: ",
    ),
    (
        "counter",
        "cheats broke the contract: it does not declare `stochastic`, but gives other depths or scores the second time: ",
    ),
    ("names", "a plugin broke the contract: looks up the task mano-stream: only the program may"),
    (
        "nan-cost",
        "cheats broke the contract: its decision_flops: expected a number of operations for one row from 0 to 1e18, found NaN",
    ),
    (
        "infinite-cost",
        "cheats broke the contract: its decision_flops: expected a number of operations for one row from 0 to 1e18, found inf",
    ),
    (
        "negative-cost",
        "cheats broke the contract: its decision_flops: expected a number of operations for one row from 0 to 1e18, found -1000000",
    ),
];

fn label(how: &str) -> String {
    format!("cheats(how={how})")
}

fn plugin() -> String {
    let file = built().join("deps/libhaltbench_cheats.so");
    assert!(file.exists(), "{} was not built: is it a dev-dependency of haltbench_tests?", file.display());
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_policy_that_cheats_is_not_ranked() {
    let hows = REFUTED.iter().chain(&FAILED).map(|(how, _)| format!("\"{how}\"")).collect::<Vec<_>>().join(", ");
    let cheats = format!("name = \"cheats\"\nhow = [\"honest\", {hows}]");
    let policies =
        ["name = \"fixed\"\ndepth = 2", &cheats, "name = \"random\"", "name = \"random-matched\"\nof = \"fixed\""];
    let workspace = Workspace::new(&suite(&policies));
    let plugin = plugin();
    let outcome = workspace.run(&["--plugin", &plugin]);
    assert_eq!(outcome.status, 1, "{}", outcome.stderr);
    outcome.says(&["6 of 12 cells done, 6 failed"]);

    let board = workspace.outcome("leaderboard", &["--plugin", &plugin, "--format", "json"]).well();
    let board: Value = serde_json::from_str(&board.stdout).unwrap();
    let rows = board["boards"][0]["rows"].as_array().unwrap();
    let row = |policy: &str| rows.iter().find(|row| row["policy"] == policy).unwrap_or_else(|| panic!("no {policy}"));
    for (how, said) in FAILED {
        let (state, cause) = workspace.state(&format!("{} 0", label(how)));
        assert!(state == "failed" && cause.contains(said), "{how}: {state}: {cause}");
        assert!(row(&label(how))["place"]["rank_low"].is_null(), "{how}");
    }
    for (how, said) in REFUTED {
        let row = row(&label(how));
        let reason = row["place"]["reason"].as_str().unwrap_or_default();
        assert!(row["place"]["rank_low"].is_null() && reason.starts_with(said), "{how}: {row}");
        assert!(reason.contains("tokens differ, such as token ") && reason.ends_with("(seed 0)"), "{reason}");
        assert_eq!(row["broken_claims"].as_array().map(Vec::len), Some(1), "{row}");
    }
    let text = workspace.outcome("leaderboard", &["--plugin", &plugin]).well().stdout;
    assert!(text.contains("early, claims refuted") && text.contains("unranked: it claims to be causal, but"), "{text}");

    // Whoever keeps its claims is ranked, and the record says what was compared.
    for policy in [label("honest"), "fixed".to_owned()] {
        assert!(row(&policy)["place"]["rank_low"].is_u64(), "{policy}");
    }
    for title in ["cheats(how=honest) 0", "fixed 0", "random 0", "random-matched:fixed 0"] {
        let checks = &json(&workspace.cell(title).join("result.json"))["checks"];
        assert!(checks["sequences"].as_u64() == Some(4), "{title}: {checks}");
        for claim in ["repetition", "batch", "causality"] {
            let (compared, differing) = (checks[claim]["tokens"].as_u64(), checks[claim]["differing"].as_u64());
            let is_claimed = claim != "causality" || title != "random-matched:fixed 0";
            assert_eq!((compared >= Some(3), differing), (is_claimed, Some(0)), "{title}: {claim}: {checks}");
        }
    }
}

/// A counter that begins to cheat in the middle of the evaluation, and one that never does.
#[test]
fn a_counter_is_noticed_wherever_it_begins_to_cheat() {
    let workspace = Workspace::new(&suite(&["name = \"cheats\"\nhow = \"counter\"\ncalls = [1, 5, 1000000]"]));
    let outcome = workspace.run(&["--plugin", &plugin()]);
    assert_eq!(outcome.status, 1, "{}", outcome.stderr);
    let state = |calls: u32| workspace.state(&format!("cheats(calls={calls}) 0")).0;
    assert_eq!([state(1), state(5), state(1_000_000)], ["failed", "failed", "done"]);
}
