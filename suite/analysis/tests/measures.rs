//! The measures of a small table of two seeds against a naive Python implementation, intervals included: see
//! `goldens/make_goldens.py`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use haltbench_analysis::measures::{self, Alignment, Quality, Quantity, alignment, alignments, by_level, quality};
use haltbench_analysis::{
    Bootstrap, Estimate, Filter, IntervalMethod, Population, Reason, Split, TokenColumns, TokenTable,
};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Golden {
    max_depth: u32,
    bootstrap: Resampling,
    seeds: Vec<Seed>,
    quality: BTreeMap<Split, BTreeMap<String, Expected>>,
    alignment: BTreeMap<String, BTreeMap<String, Expected>>,
    levels: Vec<ExpectedLevel>,
}

#[derive(Deserialize)]
struct Resampling {
    resamples: usize,
    seed: u64,
}

#[derive(Deserialize)]
struct Seed {
    instance: Vec<u64>,
    split: Vec<Split>,
    size: Vec<u32>,
    position: Vec<u32>,
    is_answer: Vec<bool>,
    depth: Vec<u32>,
    correct: Vec<Option<bool>>,
    complexity: Vec<Option<f32>>,
}

#[derive(Deserialize)]
struct Expected {
    value: f64,
    interval: (f64, f64),
}

#[derive(Deserialize)]
struct ExpectedLevel {
    level: f64,
    count: usize,
    accuracy: f64,
    depth: f64,
}

fn golden() -> (Golden, Vec<TokenTable>, Bootstrap) {
    let all: Value = serde_json::from_str(include_str!("goldens/goldens.json")).unwrap();
    let mut golden: Golden = serde_json::from_value(all["table"].clone()).unwrap();
    let tables = golden.seeds.drain(..).map(table).collect();
    let bootstrap = Bootstrap { resamples: golden.bootstrap.resamples, seed: golden.bootstrap.seed };
    (golden, tables, bootstrap)
}

fn table(seed: Seed) -> TokenTable {
    let n = seed.instance.len();
    TokenTable::new(TokenColumns {
        instance: seed.instance,
        split: seed.split,
        size: seed.size,
        position: seed.position,
        is_answer: seed.is_answer,
        depth: seed.depth,
        correct: seed.correct,
        expected_depth: vec![None; n],
        confidence: vec![None; n],
        complexities: BTreeMap::from([("stack".to_owned(), seed.complexity)]),
        features: BTreeMap::new(),
    })
    .unwrap()
}

#[track_caller]
fn check(what: &str, ours: &Estimate, expected: &Expected) {
    let close = |a: Option<f64>, b: f64| a.is_some_and(|a| (a - b).abs() < 1e-10);
    let (low, high) = expected.interval;
    assert!(
        close(ours.value, expected.value) && close(ours.low, low) && close(ours.high, high),
        "{what}: {ours:?}, expected {} [{low}, {high}]",
        expected.value
    );
    assert_eq!((ours.method, ours.reason), (Some(IntervalMethod::BootstrapSeedsAndSequences), None), "{what}");
}

#[test]
fn quality_per_split() {
    let (golden, tables, bootstrap) = golden();
    let ours = quality(&tables, golden.max_depth, bootstrap);
    for (split, expected) in &golden.quality {
        let Quality { token_accuracy, exact_match, answer_depth, depth, saturation } = &ours[split];
        check("token_accuracy", token_accuracy, &expected["token_accuracy"]);
        check("exact_match", exact_match, &expected["exact_match"]);
        check("answer_depth", answer_depth, &expected["answer_depth"]);
        check("depth", depth, &expected["depth"]);
        check("saturation", saturation, &expected["saturation"]);
    }
    // No sequence lies between the sizes trained on: that is said, not skipped.
    let between = &ours[&Split::Between];
    assert_eq!((between.exact_match.value, between.exact_match.reason), (None, Some(Reason::Empty)));
}

#[test]
fn alignment_of_depth_with_complexity() {
    let (golden, tables, bootstrap) = golden();
    for (name, expected) in &golden.alignment {
        let filter = match name.as_str() {
            "in_range" => Filter { split: Some(Split::InRange), ..Filter::default() },
            "correct_only" => Filter { population: Population::CorrectOnly, ..Filter::default() },
            _ => Filter::default(),
        };
        let ours = alignment(&tables, "stack", filter, golden.max_depth, bootstrap);
        let Alignment { spearman, within_size, partial, somers_d, tau_b, .. } = &ours;
        check("spearman", spearman, &expected["spearman"]);
        check("within_size", within_size, &expected["within_size"]);
        check("partial", partial, &expected["partial"]);
        check("somers_d", somers_d, &expected["somers_d"]);
        check("tau_b", tau_b, &expected["tau_b"]);
    }
    let all = alignments(&tables, Filter::default(), golden.max_depth, Bootstrap { resamples: 0, seed: 0 });
    let populations: Vec<Population> = all.iter().map(|one| one.filter.population).collect();
    assert_eq!(populations, [Population::All, Population::CorrectOnly]);
    // One answer token of every seed has no complexity.
    assert_eq!((all[0].excluded, all[0].sizes, all[0].undefined_sizes), (2, 6, 0));
    assert!(all[1].spearman.count < all[0].spearman.count);
}

#[test]
fn levels_of_complexity() {
    let (golden, tables, bootstrap) = golden();
    let ours = by_level(&tables, "stack", None, bootstrap).unwrap();
    assert_eq!(ours.len(), golden.levels.len());
    for (ours, expected) in ours.iter().zip(&golden.levels) {
        assert_eq!((ours.level, ours.count), (expected.level, expected.count));
        assert!((ours.accuracy.value.unwrap() - expected.accuracy).abs() < 1e-12);
        assert!((ours.depth.value.unwrap() - expected.depth).abs() < 1e-12);
        match (ours.depth.low, ours.depth.high) {
            (Some(low), Some(high)) => assert!(low <= expected.depth && expected.depth <= high),
            // A level that few sequences have, the same ones for both seeds.
            _ => assert!(matches!(ours.depth.reason, Some(Reason::Unstable { .. })) && ours.count < 12, "{ours:?}"),
        }
    }
    assert!(ours.iter().filter(|level| level.depth.low.is_some()).count() > ours.len() / 2);
}

/// A collapsed seed makes the average over seeds undefined: it must not vanish from it.
#[test]
fn constant_depth_in_one_seed_is_a_missing_alignment() {
    let (golden, mut tables, bootstrap) = golden();
    let mut columns = tables[1].columns().clone();
    columns.depth.fill(golden.max_depth);
    tables[1] = TokenTable::new(columns).unwrap();
    let ours = alignment(&tables, "stack", Filter::default(), golden.max_depth, bootstrap);
    for estimate in [ours.spearman, ours.within_size, ours.partial, ours.somers_d, ours.tau_b] {
        assert_eq!((estimate.value, estimate.low, estimate.reason), (None, None, Some(Reason::Constant)));
    }
    assert!(ours.saturation.value.unwrap() > 0.5);
    let alone = alignment(&tables[..1], "stack", Filter::default(), golden.max_depth, bootstrap);
    assert_eq!(alone.spearman.method, Some(IntervalMethod::BootstrapSequences));
}

#[test]
fn unknown_complexity_is_not_applicable() {
    let (golden, tables, bootstrap) = golden();
    let ours = alignment(&tables, "tree", Filter::default(), golden.max_depth, bootstrap);
    assert_eq!((ours.spearman.value, ours.spearman.reason), (None, Some(Reason::NotApplicable)));
    assert!(ours.exact_match.value.is_some());
    assert_eq!(by_level(&tables, "tree", None, bootstrap).unwrap_err(), Reason::NotApplicable);
}

#[test]
fn differences_are_paired() {
    let (_, tables, bootstrap) = golden();
    let deeper: Vec<TokenTable> = tables
        .iter()
        .map(|table| {
            let mut columns = table.columns().clone();
            columns.depth.iter_mut().for_each(|depth| *depth += 2);
            TokenTable::new(columns).unwrap()
        })
        .collect();
    // Every token is two steps deeper: paired, the difference has no variation, although both means have.
    let ours = measures::difference(&deeper, &tables, Quantity::Depth, None, bootstrap);
    for end in [ours.value, ours.low, ours.high] {
        assert!((end.unwrap() - 2.0).abs() < 1e-12, "{ours:?}");
    }
    assert!(ours.excludes(0.0));
    let missing = measures::difference(&tables[..1], &tables, Quantity::Depth, None, bootstrap);
    assert_eq!((missing.value, missing.reason), (None, Some(Reason::MissingCells)));
}
