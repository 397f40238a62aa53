//! Exits without weights on the model of a learned gate.

use std::path::PathBuf;

use haltbench_analysis::TokenTable;
use haltbench_engine::store::read_tokens;

use crate::program::{Workspace, suite};

/// Exits with a threshold that no token reaches and one that every token does.
const EXITS: [(&str, &str, &str); 6] = [
    ("calm", "2", "0"),
    ("entropy", "0", "100"),
    ("patience", "100", ""),
    ("huginn-kl", "0", "100"),
    ("huginn-cosine", "0", "3"),
    ("two-scale", "0", ""),
];

/// `of` names the gate: its model is the only one that is trained. At the ends of its threshold every exit gives what a fixed depth gives on
/// the same weights: all steps or one.
#[test]
fn exits_read_the_model_of_a_learned_gate() {
    let mut policies = vec!["name = \"pondernet\"".to_owned()];
    let mut add = |name: &str, label: String, key: &str, value: &str| {
        policies.push(format!("name = \"{name}\"\nlabel = \"{label}\"\nof = \"pondernet\"\n{key} = {value}"));
    };
    add("fixed", "all".to_owned(), "depth", "3");
    add("fixed", "one".to_owned(), "depth", "1");
    for (name, never, always) in EXITS {
        add(name, format!("{name} never"), "threshold", never);
        if !always.is_empty() {
            add(name, format!("{name} always"), "threshold", always);
        }
    }
    let policies: Vec<&str> = policies.iter().map(String::as_str).collect();
    let workspace = Workspace::new(&suite(&policies));
    let count = policies.len();
    workspace
        .run(&[])
        .well()
        .says(&[&format!("{count} of {count} cells done, 0 failed; 1 model trained, 0 there already")]);
    let models: Vec<PathBuf> = workspace.models().into_values().collect();
    assert!(models.len() == count && models.iter().all(|model| *model == workspace.model("pondernet 0")));
    let table = |label: &str| read_tokens(&workspace.cell(&format!("{label} 0")).join("tokens.parquet")).unwrap();
    let same = |exit: &TokenTable, fixed: &TokenTable, label: &str| {
        let (exit, fixed) = (exit.columns(), fixed.columns());
        assert_eq!(exit.depth, fixed.depth, "{label}");
        assert_eq!(exit.correct, fixed.correct, "{label}");
        assert_eq!(exit.confidence, fixed.confidence, "{label}");
    };
    let (all, one) = (table("all"), table("one"));
    for (name, _, always) in EXITS {
        let never = format!("{name} never");
        same(&table(&never), &all, &never);
        if !always.is_empty() {
            let always = format!("{name} always");
            same(&table(&always), &one, &always);
        }
    }
}
