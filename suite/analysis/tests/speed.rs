//! Time and memory of large inputs. Run with
//! `cargo test -p haltbench_analysis --test speed -- --ignored --nocapture`.
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use haltbench_analysis::calibration::{Binning, Scored, brier, reliability};
use haltbench_analysis::crosstable::CrossTable;
use haltbench_analysis::curves::isotonic_fit;
use haltbench_analysis::information::{Joint, permutation_null};
use haltbench_analysis::jackknife::{Blocks, jackknife};
use haltbench_analysis::partial::PartialRanks;
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

/// A complexity, a depth that follows it, a size and a position, with 50 replicates of the jackknife each.
#[test]
#[ignore = "a minute and 2 GiB"]
fn dependence_in_ten_million_rows() {
    let wide = |values: Vec<f32>| -> Vec<f64> { values.into_iter().map(f64::from).collect() };
    let complexity = wide(feature(0));
    let depth: Vec<f64> = complexity.iter().zip(feature(1)).map(|(c, e)| ((c + f64::from(e)) / 16.0).floor()).collect();
    let size: Vec<f64> = (0..ROWS).map(|row| (row / TOKENS % 28) as f64).collect();
    let position: Vec<f64> = (0..ROWS).map(|row| (row % TOKENS) as f64).collect();
    let blocks = Blocks::of(ROWS / TOKENS);
    let weight = |without: Option<usize>| move |row: usize| u32::from(without != Some(blocks.block(row / TOKENS)));
    let before = peak();
    let start = Instant::now();
    let report = |what: &str| {
        println!("{what}: {:.1} s, peak {:.0} MiB above the inputs'", start.elapsed().as_secs_f64(), peak() - before);
    };
    let table = CrossTable::of(&complexity, &depth).unwrap();
    report("cross table");
    let of_tally = |statistic: &dyn Fn(&[u64]) -> f64| {
        jackknife(1, blocks, ROWS, |_, without| Ok(statistic(&table.tally(weight(without))))).unwrap().estimate()
    };
    println!("{:?}", of_tally(&|tally| table.spearman(tally).unwrap()).value);
    println!("{:?}", of_tally(&|tally| table.tau_b(tally).unwrap()).value);
    report("Spearman and tau-b");
    let partial = PartialRanks::of(&complexity, &depth, &[&size, &position], None).unwrap();
    report("ranks of partial correlation");
    println!(
        "{:?}",
        jackknife(1, blocks, ROWS, |_, without| partial.correlation(weight(without))).unwrap().estimate().value
    );
    report("partial correlation");
    drop(partial);
    let joint = Joint::of(&complexity, &depth).unwrap();
    println!("{:?}", joint.information());
    report("mutual information");
    println!("{:?}", permutation_null(&joint, Some(&size), 5, 1).unwrap());
    report("five permutations");
    let events: Vec<bool> = depth.iter().map(|depth| *depth > 6.0).collect();
    let scores: Vec<f64> = complexity.iter().map(|own| own / 97.0).collect();
    println!("{:.4}", reliability(&scores, &events, Binning::EqualMass(15)).unwrap().expected_error);
    println!("{:?}", brier(&scores, &events, Binning::EqualMass(15)).unwrap());
    report("reliability and Brier score");
    let scored = Scored::of(&scores, &events).unwrap();
    println!("{:?}", jackknife(1, blocks, ROWS, |_, without| scored.auroc(weight(without))).unwrap().estimate().value);
    report("AUROC");
    println!("{:.4}", isotonic_fit(&complexity, &depth).unwrap().r_squared);
    report("isotonic fit");
}
