//! Time and memory of large inputs. Run with
//! `cargo test -p haltbench_analysis --test speed -- --ignored --nocapture`.
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use haltbench_analysis::regression::{Feature, Parts, Players, Regression, Values, jackknifed};

const ROWS: usize = 10_000_000;
const TOKENS: usize = 20;

/// Values of a feature: pseudo-random integers, as most features are.
fn feature(name: usize) -> Vec<f32> {
    let mut state = name as u64 + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) % 97) as f32
    };
    (0..ROWS).map(|_| next()).collect()
}

/// Peak memory of this process in MiB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// 12 numeric features and one with 49 categories: 60 columns.
#[test]
#[ignore = "a minute and 1 GiB"]
fn regression_of_ten_million_rows() {
    let numbers: Vec<Vec<f32>> = (0..12).map(feature).collect();
    let sizes: Vec<u32> = (0..ROWS).map(|row| (row / TOKENS % 49) as u32).collect();
    let clusters: Vec<u64> = (0..ROWS).map(|row| (row / TOKENS) as u64).collect();
    let target: Vec<f32> =
        (0..ROWS).map(|row| numbers[0][row] + 0.5 * numbers[7][row] + sizes[row] as f32 + (row % 31) as f32).collect();
    let names: Vec<String> = (0..12).map(|place| format!("f{place}")).collect();
    let mut features: Vec<Feature> = names
        .iter()
        .zip(&numbers)
        .enumerate()
        .map(|(place, (name, values))| Feature {
            name,
            group: if place < 6 { "static" } else { "state" },
            values: Values::Single(values),
        })
        .collect();
    features.push(Feature { name: "size", group: "size", values: Values::Categorical(&sizes) });
    let before = peak();
    let start = Instant::now();
    let parts = Parts::of(clusters.iter().copied()).unwrap();
    println!("parts: {:.1} s", start.elapsed().as_secs_f64());
    let regression = Regression::of(&features, Values::Single(&target), &clusters, &parts).unwrap();
    println!(
        "reduced: {:.1} s, {:.0} MiB above the inputs' {before:.0}",
        start.elapsed().as_secs_f64(),
        peak() - before
    );
    println!("{:?} {:?}", regression.shares(Players::Groups).unwrap(), regression.cross_validated(5).unwrap());
    println!("shares: {:.1} s", start.elapsed().as_secs_f64());
    let table =
        jackknifed(std::slice::from_ref(&regression), |own| Ok(own.shares(Players::Groups)?[0].shapley)).unwrap();
    println!("interval: {:.1} s {:?}", start.elapsed().as_secs_f64(), table.estimate());
    assert_eq!(regression.columns().count(), 60);
}
