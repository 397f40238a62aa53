//! What policies declare of themselves is done in a run: stages of training, calibration, selection that saves.

use std::fs;

use safetensors::SafeTensors;

use crate::program::{Bench, json, suite};

/// Tensors of a model's weights, by name.
fn weights(bench: &Bench, title: &str) -> Vec<(String, Vec<u8>)> {
    let bytes = fs::read(bench.model(title).join("weights.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Vec<(String, Vec<u8>)> =
        tensors.iter().map(|(name, view)| (name.to_owned(), view.data().to_vec())).collect();
    all.sort();
    all
}

/// Ouro's second stage trains the gate; the first alone is a model that differs in nothing else.
#[test]
fn a_second_stage_trains_what_it_says() {
    let bench =
        Bench::new(&suite(&["name = \"ouro\"", "name = \"ouro\"\nlabel = \"first\"\nstages = [{ steps = 20 }]"]));
    bench.run(&[]).well();
    let (both, first) = (weights(&bench, "ouro 0"), weights(&bench, "first 0"));
    assert_eq!(both.len(), first.len());
    for ((name, both), (_, first)) in both.iter().zip(&first) {
        assert_eq!(both != first, name.starts_with("decider."), "{name}");
    }
    let plan = fs::read_to_string(bench.model("ouro 0").join("plan.toml")).unwrap();
    assert!(plan.contains("steps = 25"), "twenty steps and a quarter of them: {plan}");
}

/// What calibration chose is recorded, and a policy that is told so decides the same.
#[test]
fn a_policy_calibrates_itself_and_says_what_it_chose() {
    let calibrates = "name = \"calm\"\ncalibrate = true\ntolerated = 0.9";
    let bench = Bench::new(&suite(&[calibrates]));
    let refused = bench.run(&[]);
    assert_eq!(refused.status, 2);
    assert!(!bench.runs().join("models").exists(), "it is refused before anything is trained");
    refused.says(&[
        "evaluation.calibration: expected at least 1 instance of each size, because policy calm calibrates itself",
    ]);

    let told = |threshold: &str| format!("name = \"calm\"\nlabel = \"told\"\nthreshold = {threshold}");
    let bench = Bench::new(&suite(&[calibrates]));
    bench.run(&["--set", "evaluation.calibration=20"]).well();
    let chosen = json(&bench.cell("calm 0").join("result.json"))["calibrated"].clone();
    let threshold = chosen["threshold"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&threshold) && chosen["accepted"].as_f64().unwrap() >= 1.0, "{chosen}");
    let again = Bench::new(&suite(&[&told(&format!("{threshold:?}"))]));
    again.run(&["--set", "evaluation.calibration=20"]).well();
    let tokens = |bench: &Bench, title: &str| fs::read(bench.cell(title).join("tokens.parquet")).unwrap();
    assert!(tokens(&bench, "calm 0") == tokens(&again, "told 0"));
    assert!(json(&again.cell("told 0").join("result.json")).get("calibrated").is_none());
}

/// Half of a sequence's tokens take each step, the same ones, and the others cost nothing.
#[test]
fn what_is_not_chosen_is_not_charged() {
    let bench = Bench::new(&suite(&[
        "name = \"fixed\"\ndepth = 3",
        "name = \"mor-expert-choice\"\ncapacity = 0.5\nhalted_keys_values = \"skip\"",
    ]));
    bench.run(&[]).well();
    let ledger = |title: &str| json(&bench.cell(title).join("result.json"))["ledger"].clone();
    let (dense, chosen) = (ledger("fixed 0"), ledger("mor-expert-choice 0"));
    let number = |ledger: &serde_json::Value, name: &str| ledger[name].as_f64().unwrap();
    let share = number(&chosen, "token_steps_executed") / number(&dense, "token_steps_executed");
    assert!((0.35..=0.5).contains(&share), "{share}");
    // Prelude, coda and head are computed for all tokens.
    let around = number(&dense, "flops") - number(&chosen, "flops");
    assert!(around > 0.25 * number(&dense, "flops"), "{chosen} against {dense}");
}

/// Weights that do not sum to one are declared, and a policy that draws is declared to draw by the same parameter.
#[test]
fn the_other_probes_run() {
    let bench = Bench::new(&suite(&[
        "name = \"pondernet\"",
        "name = \"act\"",
        "name = \"ut-act\"\noutput = \"basic\"",
        "name = \"calm\"\nconfidence = \"classifier\"",
        "name = \"huginn-kl\"",
        "name = \"huginn-latent-diff\"",
    ]));
    bench.run(&[]).well().says(&["6 of 6 cells done, 0 failed"]);
}

/// Backbones with random initial states, inputs and steps that read their number.
#[test]
fn other_backbones_run() {
    for (backbone, layers) in
        [("huginn", "prelude_layers = 1\ncore_layers = 1\ncoda_layers = 1"), ("universal-transformer", "")]
    {
        let text = suite(&["name = \"anira-o\"", "name = \"ut-act\""]);
        let bench = Bench::new(&text.replace("name = \"anira\"", &format!("name = \"{backbone}\"\n{layers}")));
        bench.run(&[]).well().says(&["2 of 2 cells done, 0 failed"]);
    }
}
