//! The replay of a trace that PyTorch wrote: its depths and scores equal PyTorch's.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::program::json;
use crate::replayed::{depths, replay};

/// A Python with PyTorch and safetensors: `HALTBENCH_PYTHON`, or `python3`.
fn python() -> Option<String> {
    let python = std::env::var("HALTBENCH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_both = Command::new(&python).args(["-c", "import torch, safetensors.torch"]).output();
    has_both.is_ok_and(|output| output.status.success()).then_some(python)
}

#[test]
fn what_pytorch_exports_is_replayed_as_pytorch_decides() {
    let Some(python) = python() else {
        println!("skipped: no Python with torch and safetensors; HALTBENCH_PYTHON may name one");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../baselines/pytorch/check_trace.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected = json(&folder.path().join("expected.json"));
    let cases = expected.as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let policy = case["policy"].as_str().unwrap();
        let file = case["file"].as_str().unwrap();
        let pair = |(key, value): (&String, &Value)| match value {
            Value::String(text) => format!("{key}={text}"),
            number => format!("{key}={number}"),
        };
        let given: Vec<String> = case["set"].as_object().unwrap().iter().map(pair).collect();
        let given: Vec<&str> = given.iter().flat_map(|set| ["--set", set.as_str()]).collect();
        let lines = replay(&folder.path().join(file), policy, &given);
        let whole: Vec<u32> = serde_json::from_value(case["depths"].clone()).unwrap();
        assert_eq!(depths(&lines), whole, "{file} {policy} {given:?}");
        let tolerance = if file.contains("float64") { 1e-9 } else { 1e-5 };
        let scores: Vec<Vec<Option<f64>>> = serde_json::from_value(case["scores"].clone()).unwrap();
        for (line, scores) in lines.iter().zip(scores) {
            let found: Vec<Option<f64>> = serde_json::from_value(line["scores"].clone()).unwrap();
            assert_eq!(found.len(), scores.len());
            let is_close = |(found, expected): (Option<f64>, Option<f64>)| match (found, expected) {
                (Some(found), Some(expected)) => (found - expected).abs() < tolerance,
                (found, expected) => found == expected,
            };
            assert!(found.iter().copied().zip(scores.iter().copied()).all(is_close), "{found:?}, expected {scores:?}");
        }
    }
}
