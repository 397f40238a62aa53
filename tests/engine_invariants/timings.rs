//! Timings measure the requested work: models whose rows halt at given depths.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use haltbench_engine::bench::{BenchModel, Workload, step};
use haltbench_sdk::candle_core::{Device, safetensors};

use crate::setup::{catalogue, device};

fn workload(policy: &str, mean_depth: Option<f64>) -> Workload {
    Workload {
        backbone: "anira".to_owned(),
        policy: policy.to_owned(),
        d_model: 16,
        d_ff: 24,
        heads: 2,
        depth: 5,
        batch: 6,
        length: 7,
        vocabulary: 11,
        mean_depth,
        halted_keys_values: "freeze-state".to_owned(),
        recompute: false,
        seed: 3,
    }
}

fn model(policy: &str, mean_depth: Option<f64>) -> BenchModel {
    BenchModel::new(workload(policy, mean_depth), catalogue(), &device()).unwrap()
}

/// Writing a dump fails if its random numbers did not lead to the depths, so writing is the test; the losses show that
/// the depths differ.
#[test]
fn a_dump_has_random_numbers_that_lead_to_its_depths() {
    for policy in ["anira-e", "anira-o"] {
        let losses: Vec<f32> = [Some(1.0), Some(2.0), Some(4.5), Some(5.0)]
            .into_iter()
            .map(|mean_depth| {
                let folder = tempfile::tempdir().unwrap();
                step::dump(&model(policy, mean_depth), folder.path()).unwrap();
                let tensors = safetensors::load(folder.path().join("bench.safetensors"), &Device::Cpu).unwrap();
                tensors["output.loss"].to_scalar::<f32>().unwrap()
            })
            .collect();
        assert!(losses.windows(2).all(|pair| pair[0] != pair[1]), "{policy}: {losses:?}");
    }
}

#[test]
fn a_report_tells_the_depths_that_were_taken() {
    let dense = step::measure(&model("anira-e", None), 1).unwrap();
    assert_eq!((dense.drawn_mean_depth, dense.flops), (5.0, dense.dense_flops));
    let sparse = step::measure(&model("anira-e", Some(2.0)), 1).unwrap();
    assert!(sparse.drawn_mean_depth < 3.0 && sparse.flops < sparse.dense_flops);
    // It uses its own depth, 1, so only the first step is computed.
    let fixed = step::measure(&model("fixed", None), 1).unwrap();
    assert_eq!(fixed.drawn_mean_depth, 1.0);
    assert!(fixed.flops < fixed.dense_flops / 2.0);
}

#[test]
fn policies_that_cannot_be_made_to_halt_are_refused() {
    let refusal = |policy, mean_depth| step::measure(&model(policy, mean_depth), 1).unwrap_err().to_string();
    assert!(refusal("fixed", Some(2.0)).contains("fixed decides depths itself"));
    assert!(refusal("oracle-complexity", None).contains("reads labels"));
    assert!(refusal("random-matched", None).contains("reads another policy's depths"));
}

/// The requested sizes are parameters that every backbone declares.
#[test]
fn every_backbone_can_be_timed() {
    for name in catalogue().of_kind("backbone").map(|entry| entry.name()) {
        let workload = Workload { backbone: name.to_owned(), ..workload("anira-e", Some(2.0)) };
        let model = BenchModel::new(workload, catalogue(), &device()).unwrap();
        let report = step::measure(&model, 1).unwrap();
        assert!(report.flops < report.dense_flops, "{name}");
    }
}
