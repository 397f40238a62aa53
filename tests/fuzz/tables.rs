//! Parquet files of tokens.

use std::fs;

use haltbench_analysis::Split;
use haltbench_engine::store::{TokenRecord, read_tokens, write_tokens};

use crate::harness::{Target, said};
use crate::questions::task;

/// The bytes of a table of a few tokens.
pub fn sound() -> Vec<u8> {
    let task = task("mano-stream", &[]);
    let spec = task.spec();
    let token = |place: u32| TokenRecord {
        instance: u64::from(place / 3),
        problem: u64::from(place / 3),
        size: 2,
        own_size: 1 + place % 2,
        split: Split::InRange,
        position: place % 3,
        is_answer: place % 3 == 2,
        input_token: place,
        target: place % 5,
        predicted: (place % 3 == 2).then_some(place % 4),
        confidence: (place % 3 == 2).then_some(0.5),
        depth: 1 + place % 3,
        depth_at_token: (place % 3 != 2).then_some(1),
        expected_depth: Some(1.5),
        expected_depth_at_token: None,
        distribution: Some(vec![0.5, 0.25, 0.25]),
        flops: 10.0 + f64::from(place),
        dense_flops: 30.0,
        complexities: vec![f32::from(place as u8); spec.complexities.len()],
        features: vec![1.0; spec.features.len()],
    };
    let tokens: Vec<TokenRecord> = (0..12).map(token).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.parquet");
    write_tokens(&path, spec, &tokens).unwrap();
    fs::read(path).unwrap()
}

#[test]
fn token_tables() {
    let target = Target { name: "tokens.parquet", seeds: vec![sound()], cases: 2500 };
    target.fuzz(|_, file| said(read_tokens(file).map(drop)));
}
