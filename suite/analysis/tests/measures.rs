//! The measures of a table of two seeds against a naive Python implementation, intervals included: see
//! `goldens/make_goldens.py`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use haltbench_analysis::measures::{
    self, Alignment, Depth, Quality, Quantity, Statistic, alignment, alignments, beyond_static, by_level, by_size,
    correlation_table, increments, quality,
};
use haltbench_analysis::{Estimate, Filter, IntervalMethod, Population, Reason, Split, TokenColumns, TokenTable};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Golden {
    max_depth: u32,
    seeds: Vec<Seed>,
    quality: BTreeMap<Split, BTreeMap<String, Option<Expected>>>,
    alignment: BTreeMap<String, BTreeMap<String, Expected>>,
    levels: Vec<ExpectedLevel>,
    increments: Vec<ExpectedIncrement>,
    sizes: Vec<ExpectedLevel>,
}

#[derive(Deserialize)]
struct Seed {
    instance: Vec<u64>,
    problem: Vec<u64>,
    split: Vec<Split>,
    size: Vec<u32>,
    own_size: Vec<u32>,
    position: Vec<u32>,
    is_answer: Vec<bool>,
    input_token: Vec<u32>,
    depth: Vec<u32>,
    depth_at_token: Vec<Option<u32>>,
    correct: Vec<Option<bool>>,
    flops: Vec<f64>,
    dense_flops: Vec<f64>,
    complexity: Vec<Option<f32>>,
    digits: Vec<Option<f32>>,
    gap: Vec<Option<f32>>,
}

#[derive(Deserialize)]
struct Expected {
    value: f64,
    interval: (f64, f64),
    count: Option<usize>,
}

#[derive(Deserialize)]
struct ExpectedLevel {
    level: f64,
    count: usize,
    accuracy: Expected,
    depth: Expected,
}

#[derive(Deserialize)]
struct ExpectedIncrement {
    from: f64,
    to: f64,
    depth: Expected,
}

fn golden() -> (Golden, Vec<TokenTable>) {
    let all: Value = serde_json::from_str(include_str!("goldens/goldens.json")).unwrap();
    let mut golden: Golden = serde_json::from_value(all["table"].clone()).unwrap();
    let tables = golden.seeds.drain(..).map(table).collect();
    (golden, tables)
}

fn table(seed: Seed) -> TokenTable {
    let n = seed.instance.len();
    TokenTable::new(TokenColumns {
        instance: seed.instance,
        problem: seed.problem,
        split: seed.split,
        size: seed.size,
        own_size: seed.own_size,
        position: seed.position,
        is_answer: seed.is_answer,
        input_token: seed.input_token,
        depth: seed.depth,
        depth_at_token: seed.depth_at_token,
        expected_depth: vec![None; n],
        expected_depth_at_token: vec![None; n],
        correct: seed.correct,
        confidence: vec![None; n],
        flops: seed.flops,
        dense_flops: seed.dense_flops,
        complexities: BTreeMap::from([("stack".to_owned(), seed.complexity)]),
        features: BTreeMap::from([("digits".to_owned(), seed.digits), ("gap".to_owned(), seed.gap)]),
    })
    .unwrap()
}

#[track_caller]
fn check(what: &str, ours: &Estimate, expected: &Expected) {
    let close = |a: Option<f64>, b: f64| a.is_some_and(|a| (a - b).abs() < 1e-9 * b.abs().max(1.0));
    let (low, high) = expected.interval;
    assert!(
        close(ours.value, expected.value) && close(ours.low, low) && close(ours.high, high),
        "{what}: {ours:?}, expected {} [{low}, {high}]",
        expected.value
    );
    // All embedded tokens are correct, and no token beyond halts after step 1: no variation.
    let constant = [(1.0, low < 1.0), (0.0, high > 0.0)];
    let method = if constant.iter().any(|(value, is_wide)| *is_wide && ours.value == Some(*value)) {
        IntervalMethod::NoVariation
    } else {
        IntervalMethod::RandomEffects
    };
    assert_eq!((ours.method, ours.reason), (Some(method), None), "{what}");
    assert!(expected.count.is_none_or(|count| count == ours.count), "{what}: {} tokens", ours.count);
}

#[test]
fn quality_per_split() {
    let (golden, tables) = golden();
    let ours = quality(&tables, golden.max_depth);
    for (split, expected) in &golden.quality {
        let Quality { token_accuracy, exact_match, answer_depth, depth, first_step, saturation, flops, flops_share } =
            &ours[split];
        let all = [
            ("token_accuracy", token_accuracy),
            ("exact_match", exact_match),
            ("answer_depth", answer_depth),
            ("depth", depth),
            ("first_step", first_step),
            ("saturation", saturation),
            ("flops", flops),
            ("flops_share", flops_share),
        ];
        for (name, ours) in all {
            match &expected[name] {
                Some(expected) => check(&format!("{name}, {split}"), ours, expected),
                // No instance has embedded as its hardest split, although embedded tokens exist.
                None => assert_eq!((*split, ours.reason), (Split::Embedded, Some(Reason::Empty)), "{name}"),
            }
        }
    }
    let between = &ours[&Split::Between];
    assert_eq!((between.token_accuracy.value, between.token_accuracy.reason), (None, Some(Reason::Empty)));
    assert_eq!(tables[0].splits(), [Split::InRange, Split::Embedded, Split::Beyond]);
}

#[test]
fn alignment_of_depth_with_complexity() {
    let (golden, tables) = golden();
    for (name, expected) in &golden.alignment {
        let filter = match name.as_str() {
            "in_range" => Filter { split: Some(Split::InRange), ..Filter::default() },
            "correct_only" => Filter { population: Population::CorrectOnly, ..Filter::default() },
            _ => Filter::default(),
        };
        let ours = alignment(&tables, "stack", filter, golden.max_depth);
        let Alignment { spearman, above_lowest, within_size, partial, somers_d, tau_b, .. } = &ours;
        check("spearman", spearman, &expected["spearman"]);
        check("above_lowest", above_lowest, &expected["above_lowest"]);
        check("within_size", within_size, &expected["within_size"]);
        check("partial", partial, &expected["partial"]);
        check("somers_d", somers_d, &expected["somers_d"]);
        check("tau_b", tau_b, &expected["tau_b"]);
        let at_token =
            correlation_table(&tables, "stack", Depth::StepsAtToken, filter, Statistic::Spearman).unwrap().estimate();
        check("at_token", &at_token, &expected["at_token"]);
        let features = ["digits".to_owned(), "gap".to_owned(), "unknown".to_owned()];
        let beyond = beyond_static(&tables, "stack", Depth::Steps, filter, &features);
        check("beyond_static", &beyond.estimate, &expected["beyond_static"]);
        assert_eq!((beyond.used, beyond.left_out), (features[..1].to_vec(), features[1..].to_vec()));
        // There are too few correct sequences for so many places.
        assert_eq!(beyond.place, name != "correct_only", "{name}");
    }
    let all = alignments(&tables, Filter::default(), golden.max_depth);
    let populations: Vec<Population> = all.iter().map(|one| one.filter.population).collect();
    assert_eq!(populations, [Population::All, Population::CorrectOnly]);
    // One answer token of every seed has no complexity.
    assert_eq!((all[0].excluded, all[0].sizes, all[0].undefined_sizes), (2, 8, 0));
    assert!(all[1].spearman.count < all[0].spearman.count);
    let none = correlation_table(&tables, "stack", Depth::Expected, Filter::default(), Statistic::Spearman);
    assert_eq!(none, Err(Reason::NotApplicable), "the policy has no distribution");
}

#[test]
fn levels_increments_and_sizes() {
    let (golden, tables) = golden();
    let ours = by_level(&tables, "stack", Some(Split::InRange)).unwrap();
    assert_eq!(ours.len(), golden.levels.len());
    for (ours, expected) in ours.iter().zip(&golden.levels) {
        assert_eq!((ours.level, ours.count), (expected.level, expected.count));
        check("accuracy", &ours.accuracy, &expected.accuracy);
        check("depth", &ours.depth, &expected.depth);
    }
    let ours = increments(&tables, "stack", Some(Split::InRange)).unwrap();
    assert_eq!(ours.len(), golden.increments.len());
    for (ours, expected) in ours.iter().zip(&golden.increments) {
        assert_eq!((ours.from, ours.to), (expected.from, expected.to));
        check("increment", &ours.depth, &expected.depth);
    }
    let ours = by_size(&tables).unwrap();
    let sizes: Vec<(u32, bool)> = ours.iter().map(|size| (size.size, size.trained)).collect();
    assert_eq!(sizes, [(3, true), (4, true), (5, true), (7, false)]);
    for (ours, expected) in ours.iter().zip(&golden.sizes) {
        assert_eq!((f64::from(ours.size), ours.count), (expected.level, expected.count));
        check("accuracy by size", &ours.accuracy, &expected.accuracy);
        check("depth by size", &ours.depth, &expected.depth);
    }
}

/// A collapsed seed makes the average over seeds undefined: it must not vanish from it.
#[test]
fn constant_depth_in_one_seed_is_a_missing_alignment() {
    let (golden, mut tables) = golden();
    let mut columns = tables[1].columns().clone();
    columns.depth.fill(golden.max_depth);
    tables[1] = TokenTable::new(columns).unwrap();
    let ours = alignment(&tables, "stack", Filter::default(), golden.max_depth);
    for estimate in [ours.spearman, ours.within_size, ours.partial, ours.somers_d, ours.tau_b] {
        assert_eq!((estimate.value, estimate.low, estimate.reason), (None, None, Some(Reason::Constant)));
    }
    assert!(ours.saturation.value.unwrap() > 0.5);
    let alone = alignment(&tables[..1], "stack", Filter::default(), golden.max_depth);
    assert_eq!(alone.spearman.method, Some(IntervalMethod::ProblemsOnly));
}

/// A function of the place, or of the token that was read, leaves nothing beyond them, linear or not.
#[test]
fn depths_that_imitate_a_cue_leave_nothing_beyond_it() {
    let (_, tables) = golden();
    let imitations: [fn(&TokenColumns, usize) -> u32; 3] = [
        |columns, row| 1 + (columns.size[row] * columns.position[row] * 7) % 5,
        |columns, row| 1 + (columns.input_token[row] * 3) % 5,
        |columns, row| 1 + (columns.own_size[row] + columns.position[row].pow(2)) % 3,
    ];
    for imitation in imitations {
        let imitate = |table: &TokenTable| {
            let mut columns = table.columns().clone();
            columns.depth = (0..table.len()).map(|row| imitation(&columns, row)).collect();
            TokenTable::new(columns).unwrap()
        };
        let tables: Vec<TokenTable> = tables.iter().map(imitate).collect();
        let beyond = beyond_static(&tables, "stack", Depth::Steps, Filter::default(), &[]);
        assert_eq!((beyond.estimate.value, beyond.estimate.reason), (None, Some(Reason::Constant)));
    }
}

#[test]
fn unknown_complexity_is_not_applicable() {
    let (golden, tables) = golden();
    let ours = alignment(&tables, "tree", Filter::default(), golden.max_depth);
    assert_eq!((ours.spearman.value, ours.spearman.reason), (None, Some(Reason::NotApplicable)));
    assert!(ours.exact_match.value.is_some());
    assert_eq!(by_level(&tables, "tree", None).unwrap_err(), Reason::NotApplicable);
    let beyond = beyond_static(&tables, "tree", Depth::Steps, Filter::default(), &[]);
    assert_eq!(beyond.estimate.reason, Some(Reason::NotApplicable));
}

#[test]
fn seeds_with_other_instances_are_no_table() {
    let (_, mut tables) = golden();
    let mut columns = tables[1].columns().clone();
    columns.instance.iter_mut().for_each(|instance| *instance += 1);
    tables[1] = TokenTable::new(columns).unwrap();
    let ours = measures::estimate(&tables, Quantity::TokenAccuracy, None);
    assert_eq!((ours.value, ours.reason), (None, Some(Reason::MissingCells)));
}

#[test]
fn differences_are_paired() {
    let (_, tables) = golden();
    let deeper: Vec<TokenTable> = tables
        .iter()
        .map(|table| {
            let mut columns = table.columns().clone();
            columns.depth.iter_mut().for_each(|depth| *depth += 2);
            TokenTable::new(columns).unwrap()
        })
        .collect();
    // Every token is two steps deeper: the paired difference has no variance, although both means have.
    let ours = measures::difference(&deeper, &tables, Quantity::Depth, None);
    for end in [ours.value, ours.low, ours.high] {
        assert!((end.unwrap() - 2.0).abs() < 1e-12, "{ours:?}");
    }
    assert!(ours.excludes(0.0));
    let missing = measures::difference(&tables[..1], &tables, Quantity::Depth, None);
    assert_eq!((missing.value, missing.reason), (None, Some(Reason::MissingCells)));
}
