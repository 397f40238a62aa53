//! A run does what policies declare: stages of training, calibration, selection that saves.

use std::fs;

use safetensors::SafeTensors;

use crate::program::{Workspace, json, suite};

/// The weight tensors of a model, by name.
fn weights(workspace: &Workspace, title: &str) -> Vec<(String, Vec<u8>)> {
    let bytes = fs::read(workspace.model(title).join("weights.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Vec<(String, Vec<u8>)> =
        tensors.iter().map(|(name, view)| (name.to_owned(), view.data().to_vec())).collect();
    all.sort();
    all
}

/// Ouro's second stage trains the gate; a model with only the first stage is equal in everything else.
#[test]
fn a_second_stage_trains_what_it_says() {
    let workspace =
        Workspace::new(&suite(&["name = \"ouro\"", "name = \"ouro\"\nlabel = \"first\"\nstages = [{ steps = 20 }]"]));
    workspace.run(&[]).well();
    let (both, first) = (weights(&workspace, "ouro 0"), weights(&workspace, "first 0"));
    assert_eq!(both.len(), first.len());
    for ((name, both), (_, first)) in both.iter().zip(&first) {
        assert_eq!(both != first, name.starts_with("decider."), "{name}");
    }
    let plan = fs::read_to_string(workspace.model("ouro 0").join("plan.toml")).unwrap();
    assert!(plan.contains("steps = 25"), "twenty steps and a quarter of them: {plan}");
}

/// The calibrated choice is recorded, and a policy with this choice as its setting decides the same.
#[test]
fn a_policy_calibrates_itself_and_says_what_it_chose() {
    let calibrates = "name = \"calm\"\ncalibrate = true\ntolerated = 0.9";
    let workspace = Workspace::new(&suite(&[calibrates]));
    let refused = workspace.run(&[]);
    assert_eq!(refused.status, 2);
    assert!(!workspace.runs().join("models").exists(), "it is refused before anything is trained");
    refused.says(&[
        "evaluation.calibration: expected at least 1 instance of each size, because policy calm calibrates itself",
    ]);

    let told = |threshold: &str| format!("name = \"calm\"\nlabel = \"told\"\nthreshold = {threshold}");
    let workspace = Workspace::new(&suite(&[calibrates]));
    workspace.run(&["--set", "evaluation.calibration=20"]).well();
    let chosen = json(&workspace.cell("calm 0").join("result.json"))["calibrated"].clone();
    let threshold = chosen["threshold"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&threshold) && chosen["accepted"].as_f64().unwrap() >= 1.0, "{chosen}");
    let again = Workspace::new(&suite(&[&told(&format!("{threshold:?}"))]));
    again.run(&["--set", "evaluation.calibration=20"]).well();
    let tokens = |workspace: &Workspace, title: &str| fs::read(workspace.cell(title).join("tokens.parquet")).unwrap();
    assert!(tokens(&workspace, "calm 0") == tokens(&again, "told 0"));
    assert!(json(&again.cell("told 0").join("result.json")).get("calibrated").is_none());
}

/// Half of a sequence's tokens take each step, the same ones, and the others cost nothing.
#[test]
fn what_is_not_chosen_is_not_charged() {
    let workspace = Workspace::new(&suite(&[
        "name = \"fixed\"\ndepth = 3",
        "name = \"mor-expert-choice\"\ncapacity = 0.5\nhalted_keys_values = \"skip\"",
    ]));
    workspace.run(&[]).well();
    let ledger = |title: &str| json(&workspace.cell(title).join("result.json"))["ledger"].clone();
    let (dense, chosen) = (ledger("fixed 0"), ledger("mor-expert-choice 0"));
    let number = |ledger: &serde_json::Value, name: &str| ledger[name].as_f64().unwrap();
    let share = number(&chosen, "token_steps_executed") / number(&dense, "token_steps_executed");
    assert!((0.35..=0.5).contains(&share), "{share}");
    // Prelude, coda and head are computed for all tokens.
    let around = number(&dense, "flops") - number(&chosen, "flops");
    assert!(around > 0.25 * number(&dense, "flops"), "{chosen} against {dense}");
}

/// Weights that do not sum to one are declared, and a policy that samples declares it with the same parameter.
#[test]
fn the_other_probes_run() {
    let workspace = Workspace::new(&suite(&[
        "name = \"pondernet\"",
        "name = \"act\"",
        "name = \"ut-act\"\noutput = \"basic\"",
        "name = \"calm\"\nconfidence = \"classifier\"",
        "name = \"huginn-kl\"",
        "name = \"huginn-latent-diff\"",
    ]));
    workspace.run(&[]).well().says(&["6 of 6 cells done, 0 failed"]);
}

/// Backbones with random initial states, repeated inputs, and steps that read their number.
#[test]
fn other_backbones_run() {
    for (backbone, layers) in
        [("huginn", "prelude_layers = 1\ncore_layers = 1\ncoda_layers = 1"), ("universal-transformer", "")]
    {
        let text = suite(&["name = \"anira-o\"", "name = \"ut-act\""]);
        let workspace = Workspace::new(&text.replace("name = \"anira\"", &format!("name = \"{backbone}\"\n{layers}")));
        workspace.run(&[]).well().says(&["2 of 2 cells done, 0 failed"]);
    }
}
