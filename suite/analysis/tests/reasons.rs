//! Numbers that cannot be computed are missing with a reason: never 0, never NaN, never skipped.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use haltbench_analysis::bootstrap::cluster_bootstrap;
use haltbench_analysis::correlation::{partial_spearman, pearson, somers_d, spearman, tau_b, within_stratum_spearman};
use haltbench_analysis::frontier::{CostAccuracy, adapt_gain_estimate};
use haltbench_analysis::interval::percentile_interval;
use haltbench_analysis::means::{mean_estimate, paired_difference};
use haltbench_analysis::ranking::ties;
use haltbench_analysis::{
    Bootstrap, ClusterSum, Design, Estimate, Filter, Frontier, IntervalMethod, Population, Reason, Split, Standing,
    TableError, TokenColumns, TokenTable, Tokens, adapt_gain, rank,
};

#[test]
fn correlations() {
    let (few, flat, odd) = (Reason::TooFew { needed: 2, found: 1 }, [4.0, 4.0], [1.0, f64::NAN]);
    for statistic in [pearson, spearman, tau_b, somers_d] {
        assert_eq!(statistic(&[], &[]), Err(Reason::Empty));
        assert_eq!(statistic(&[1.0], &[1.0]), Err(few));
        assert_eq!(statistic(&[1.0, 2.0], &flat), Err(Reason::Constant));
        assert_eq!(statistic(&flat, &[1.0, 2.0]), Err(Reason::Constant));
        assert_eq!(statistic(&[1.0, 2.0], &odd), Err(Reason::NotFinite));
        assert_eq!(statistic(&[1.0, f64::INFINITY], &[1.0, 2.0]), Err(Reason::NotFinite));
        assert_eq!(statistic(&[1.0, 2.0], &[1.0]), Err(Reason::Mismatched));
    }
}

#[test]
fn controlled_correlations() {
    let (x, y, z) = ([1.0, 2.0, 3.0, 4.0, 5.0], [2.0, 1.0, 4.0, 3.0, 5.0], [1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(partial_spearman(&[], &[], &[]), Err(Reason::Empty));
    assert_eq!(partial_spearman(&x, &y, &[&z]), Err(Reason::Constant));
    assert_eq!(partial_spearman(&x, &[3.0; 5], &[&y]), Err(Reason::Constant));
    assert_eq!(partial_spearman(&x, &y, &[&z[..4]]), Err(Reason::Mismatched));
    let few = Reason::TooFew { needed: 4, found: 3 };
    assert_eq!(partial_spearman(&x[..3], &y[..3], &[&[1.0, 3.0, 2.0]]), Err(few));
    assert_eq!(within_stratum_spearman(&x, &y, &z), Err(Reason::TooFew { needed: 2, found: 1 }));
    assert_eq!(within_stratum_spearman(&x, &y, &[]), Err(Reason::Mismatched));
    assert_eq!(within_stratum_spearman(&[], &[], &[]), Err(Reason::Empty));
}

fn single(values: &[f64]) -> Vec<Vec<ClusterSum>> {
    vec![values.iter().map(|&sum| ClusterSum { sum, count: 1.0 }).collect()]
}

#[test]
fn intervals() {
    let bootstrap = Bootstrap::default();
    let two = Design::crossed(1, 2);
    let one = mean_estimate(&single(&[4.0]), &Design::crossed(1, 1), bootstrap);
    assert_eq!((one.value, one.low, one.reason), (Some(4.0), None, Some(Reason::TooFew { needed: 2, found: 1 })));
    let none = mean_estimate(&[], &Design::default(), bootstrap);
    assert_eq!((none.value, none.reason), (None, Some(Reason::Empty)));
    let asked_for_none = mean_estimate(&single(&[4.0, 5.0]), &two, Bootstrap { resamples: 0, seed: 0 });
    assert_eq!(asked_for_none, Estimate::point(4.5, 2));
    let different = paired_difference(&single(&[1.0, 2.0]), &single(&[1.0]), &two, bootstrap);
    assert_eq!((different.value, different.reason), (None, Some(Reason::Mismatched)));
    let other = mean_estimate(&single(&[1.0]), &two, bootstrap);
    assert_eq!((other.value, other.reason), (None, Some(Reason::Mismatched)));
    assert_eq!(Estimate::point(f64::NAN, 3), Estimate::missing(Reason::NotFinite, 3));
    assert_eq!(percentile_interval(&[]), Err(Reason::Empty));
    assert_eq!(percentile_interval(&[Some(f64::NAN)]), Err(Reason::NotFinite));
}

/// Sums of equal numbers in another order differ in the last digits, and the value must not lie outside for that.
#[test]
fn an_interval_holds_a_value_that_only_rounding_moved() {
    let estimate = |value, low, high| {
        Estimate::point(value, 3).with_replicates(&[Some(low), Some(high)], IntervalMethod::BootstrapSequences)
    };
    for value in [0.3, -1234.5, 0.0, 7e12] {
        let hair = f64::max(value * 4.0 * f64::EPSILON, 1e-16);
        let ours = estimate(value, value + hair, value + 2.0 * hair);
        assert_eq!((ours.value, ours.low, ours.high), (Some(value), Some(value), Some(value)));
    }
    // What resampling moved stays where it is, even outside.
    let ours = estimate(0.3, 0.301, 0.4);
    assert!(ours.low.unwrap() > 0.3 && ours.high.unwrap() > 0.39);
}

/// Undefined replicates widen the interval, and abolish it when they could be all of a tail.
#[test]
fn undefined_replicates_count_against_both_ends() {
    let with = |undefined: usize| -> Vec<Option<f64>> {
        (0..=1000_usize).map(|i| (i >= undefined).then_some(i as f64)).collect()
    };
    assert_eq!(percentile_interval(&with(0)), Ok((25.0, 975.0)));
    // Ten are undefined: of the 991 others, the 16th from below and the 16th from above.
    assert_eq!(percentile_interval(&with(10)), Ok((25.0, 985.0)));
    assert_eq!(percentile_interval(&with(30)), Err(Reason::Unstable { undefined: 30, resamples: 1001 }));
    // In a resample of two clusters, both are the same one half the time.
    let ours = cluster_bootstrap(&Design::crossed(1, 2), Bootstrap::default(), |draws| {
        if draws[0].weights == [1, 1] { Ok(1.0) } else { Err(Reason::Constant) }
    });
    assert_eq!((ours.value, ours.low, ours.method), (Some(1.0), None, None));
    assert!(matches!(ours.reason, Some(Reason::Unstable { undefined: 400..600, resamples: 1000 })));
}

#[test]
fn frontiers() {
    assert_eq!(Frontier::new(&[]), Err(Reason::NoFrontier));
    assert_eq!(Frontier::new(&[(1.0, f64::NAN)]), Err(Reason::NotFinite));
    let frontier = Frontier::new(&[(2.0, 0.5), (4.0, 0.7)]).unwrap();
    assert_eq!(adapt_gain(1.9, 0.9, &frontier), Err(Reason::OutsideFrontier));
    assert_eq!(adapt_gain(f64::NAN, 0.9, &frontier), Err(Reason::NotFinite));
    assert_eq!(adapt_gain(f64::INFINITY, 0.9, &frontier), Err(Reason::NotFinite));
    assert_eq!(adapt_gain(3.0, f64::NAN, &frontier), Err(Reason::NotFinite));
}

#[test]
fn gain_moves_with_its_frontier() {
    let hard = [0.1, 0.9, 0.4, 0.7, 0.2];
    let cost_accuracy = |cost: f64, gain: f64| CostAccuracy {
        cost: single(&[cost; 5]),
        accuracy: single(&hard.map(|accuracy| accuracy + gain)),
    };
    let fixed = [cost_accuracy(2.0, 0.0), cost_accuracy(4.0, 0.25)];
    let bootstrap = Bootstrap { resamples: 200, seed: 2 };
    // Halfway between the fixed depths, which reach 0.125 there whatever the sequences drawn.
    let design = Design::crossed(1, 5);
    let ours = adapt_gain_estimate(&cost_accuracy(3.0, 0.5), &fixed, &design, bootstrap);
    for end in [ours.value, ours.low, ours.high] {
        assert!((end.unwrap() - 0.375).abs() < 1e-12);
    }
    assert_eq!(ours.method, Some(IntervalMethod::BootstrapSequences));
    let reason =
        |policy: &CostAccuracy, fixed: &[CostAccuracy]| adapt_gain_estimate(policy, fixed, &design, bootstrap).reason;
    assert_eq!(reason(&cost_accuracy(1.0, 0.5), &fixed), Some(Reason::OutsideFrontier));
    assert_eq!(reason(&fixed[0], &[]), Some(Reason::NoFrontier));
    assert_eq!(reason(&fixed[0], &[CostAccuracy::default()]), Some(Reason::MissingCells));
}

#[test]
fn policies_without_scores_are_unranked_and_shift_nobody() {
    let (good, bad) = (vec![0.9, 0.8, 0.85], vec![0.1, 0.2, 0.15]);
    let standings = rank(&[
        None,
        Some(bad),
        Some(good.clone()),
        Some(vec![]),
        Some(vec![0.5]),
        Some(vec![f64::NAN; 3]),
        Some(good),
    ]);
    let ranked =
        |low, high, group| Standing { rank_low: Some(low), rank_high: Some(high), group: Some(group), reason: None };
    let expected = [
        Standing::unranked(Reason::MissingCells),
        ranked(3, 3, 2),
        ranked(1, 2, 1),
        Standing::unranked(Reason::Empty),
        Standing::unranked(Reason::Mismatched),
        Standing::unranked(Reason::NotFinite),
        ranked(1, 2, 1),
    ];
    assert_eq!(standings, expected);
    assert_eq!(rank(&[]), []);
    assert_eq!(ties(&[1.0], &[]), Err(Reason::Mismatched));
}

fn columns(rows: usize) -> TokenColumns {
    TokenColumns {
        instance: vec![0; rows],
        split: vec![Split::InRange; rows],
        size: vec![5; rows],
        position: (0..rows as u32).collect(),
        is_answer: vec![true; rows],
        depth: vec![1; rows],
        expected_depth: vec![None; rows],
        correct: vec![Some(true); rows],
        confidence: vec![None; rows],
        complexities: BTreeMap::from([("stack".to_owned(), vec![None; rows])]),
        features: BTreeMap::from([("digits".to_owned(), vec![None; rows])]),
    }
}

#[test]
fn a_table_names_the_column_that_does_not_fit() {
    type Cut = fn(&mut TokenColumns);
    let cuts: [(&str, Cut); 10] = [
        ("split", |c| c.split.truncate(1)),
        ("size", |c| c.size.truncate(1)),
        ("position", |c| c.position.truncate(1)),
        ("is_answer", |c| c.is_answer.truncate(1)),
        ("depth", |c| c.depth.truncate(1)),
        ("expected_depth", |c| c.expected_depth.truncate(1)),
        ("correct", |c| c.correct.truncate(1)),
        ("confidence", |c| c.confidence.truncate(1)),
        ("complexities.stack", |c| c.complexities.values_mut().for_each(|v| v.truncate(1))),
        ("features.digits", |c| c.features.values_mut().for_each(|v| v.truncate(1))),
    ];
    assert!(TokenTable::new(columns(3)).is_ok());
    for (column, cut) in cuts {
        let mut short = columns(3);
        cut(&mut short);
        let error = TokenTable::new(short).unwrap_err();
        assert_eq!(error, TableError::Length { column: column.to_owned(), found: 1, expected: 3 });
        assert!(error.to_string().contains(column));
    }
    let mut ungraded = columns(3);
    ungraded.correct[2] = None;
    assert_eq!(TokenTable::new(ungraded), Err(TableError::Ungraded { row: 2 }));
    let mut shared = columns(3);
    shared.size[1] = 6;
    assert_eq!(TokenTable::new(shared), Err(TableError::SharedInstance { instance: 0 }));
}

#[test]
fn filters_select_rows() {
    let mut four = columns(4);
    four.instance = vec![9, 9, 7, 7];
    four.split = vec![Split::InRange, Split::InRange, Split::Beyond, Split::Beyond];
    four.is_answer = vec![false, true, false, true];
    four.correct = vec![None, Some(true), None, Some(false)];
    let table = TokenTable::new(four).unwrap();
    let rows = |split, tokens, population| table.rows(Filter { split, tokens, population });
    assert_eq!(rows(None, Tokens::All, Population::All), [0, 1, 2, 3]);
    assert_eq!(rows(None, Tokens::Answer, Population::All), [1, 3]);
    assert_eq!(rows(None, Tokens::Prompt, Population::CorrectOnly), [0]);
    assert_eq!(rows(Some(Split::Beyond), Tokens::All, Population::All), [2, 3]);
    assert!(rows(Some(Split::Between), Tokens::All, Population::All).is_empty());
    assert_eq!(table.instances(None), [7, 9]);
    assert_eq!((table.exact(9), table.exact(7), table.exact(1)), (Some(true), Some(false), None));
}

#[test]
fn reasons_are_written_in_snake_case() {
    let text = |reason: Reason| serde_json::to_string(&reason).unwrap();
    assert_eq!(text(Reason::OutsideFrontier), r#""outside_frontier""#);
    assert_eq!(text(Reason::TooFew { needed: 2, found: 1 }), r#"{"too_few":{"needed":2,"found":1}}"#);
    let estimate = serde_json::to_string(&Estimate::missing(Reason::Constant, 7)).unwrap();
    assert_eq!(estimate, r#"{"value":null,"low":null,"high":null,"method":null,"count":7,"reason":"constant"}"#);
    assert_eq!(serde_json::from_str::<Estimate>(&estimate).unwrap(), Estimate::missing(Reason::Constant, 7));
    assert_eq!(Reason::TooFew { needed: 2, found: 1 }.to_string(), "2 are needed, 1 found");
}
