//! Numbers that cannot be computed are missing with a reason: never 0, never NaN, never skipped.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use haltbench_analysis::correlation::{partial_spearman, pearson, somers_d, spearman, tau_b, within_stratum_spearman};
use haltbench_analysis::crossed::over_seeds;
use haltbench_analysis::jackknife::{Blocks, jackknife};
use haltbench_analysis::measures::{Quantity, estimate};
use haltbench_analysis::{
    ClusterSum, CostAccuracy, Crossed, Estimate, Filter, Frontier, Gain, IntervalMethod, Population, Ranking, Reason,
    Split, Standing, TableError, TokenColumns, TokenTable, Tokens, adapt_gain, rank,
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

fn table(values: &[f64]) -> Crossed {
    Crossed::of_values((0..values.len() as u64).collect(), vec![values.to_vec()], values.len(), values.len()).unwrap()
}

#[test]
fn intervals() {
    let one = table(&[4.0]).estimate();
    assert_eq!((one.value, one.low, one.reason), (Some(4.0), None, Some(Reason::TooFew { needed: 2, found: 1 })));
    let sum = |sum: f64, count: f64| ClusterSum { sum, count };
    let of_sums = |sums: &[Vec<ClusterSum>]| Crossed::of_sums(&[7, 9], sums).map(|table| table.mean());
    assert_eq!(of_sums(&[]), Err(Reason::Empty));
    assert_eq!(of_sums(&[vec![ClusterSum::default(); 2]]), Err(Reason::Empty));
    assert_eq!(of_sums(&[vec![sum(1.0, 1.0)]]), Err(Reason::Mismatched));
    assert_eq!(of_sums(&[vec![sum(f64::NAN, 1.0), sum(1.0, 1.0)]]), Err(Reason::NotFinite));
    // A sequence without observations is not a unit.
    let table_of_one = Crossed::of_sums(&[7, 9], &[vec![sum(1.0, 2.0), ClusterSum::default()]]).unwrap();
    assert_eq!((table_of_one.units(), table_of_one.count()), (&[7][..], 2));
    assert_eq!(Crossed::of_values(vec![1], vec![vec![1.0], vec![]], 1, 1), Err(Reason::Mismatched));
    assert_eq!(table(&[1.0, 2.0]).minus(&table(&[1.0])), Err(Reason::MissingCells));
    assert_eq!(Estimate::point(f64::NAN, 3), Estimate::missing(Reason::NotFinite, 3));
    assert_eq!(over_seeds(&[], 0).reason, Some(Reason::Empty));
    let lone = over_seeds(&[0.5], 3);
    assert_eq!((lone.value, lone.low, lone.reason), (Some(0.5), None, Some(Reason::TooFew { needed: 2, found: 1 })));
}

/// An event in none of four sequences has a probability below 60 % (Clopper and Pearson); one step more for every token
/// is exactly one step more.
#[test]
fn no_variation_is_no_certainty_about_a_share() {
    let share = 1.0 - 0.025_f64.powf(0.25);
    let right = table(&[1.0; 4]).within(0.0, 1.0);
    let ours = right.estimate();
    assert_eq!((ours.value, ours.high, ours.method), (Some(1.0), Some(1.0), Some(IntervalMethod::NoVariation)));
    assert!((ours.low.unwrap() - (1.0 - share)).abs() < 1e-12);
    let wrong = table(&[0.0; 4]).within(0.0, 1.0);
    let ours = right.minus(&wrong).unwrap().estimate();
    assert!((ours.low.unwrap() - (1.0 - 2.0 * share)).abs() < 1e-12 && ours.high == Some(1.0), "{ours:?}");
    let ours = right.minus(&right).unwrap().estimate();
    assert!((ours.low.unwrap() + share).abs() < 1e-12 && (ours.high.unwrap() - share).abs() < 1e-12, "{ours:?}");
    let steps = table(&[3.0; 4]).minus(&table(&[2.0; 4])).unwrap().estimate();
    assert_eq!((steps.low, steps.high, steps.method), (Some(1.0), Some(1.0), Some(IntervalMethod::ProblemsOnly)));
}

/// The interval of a share stays between 0 and 1, and an interval over seeds stays within the bounds of the seeds'
/// values.
#[test]
fn intervals_are_clipped() {
    let ours = table(&[1.0, 1.0, 0.0]).within(0.0, 1.0).estimate();
    assert_eq!((ours.low, ours.high), (Some(0.0), Some(1.0)));
    assert!(table(&[1.0, 1.0, 0.0]).estimate().high.unwrap() > 1.0);
}

#[test]
fn a_statistic_that_hangs_on_a_block_has_no_interval() {
    let ours =
        jackknife(
            2,
            Blocks::of(4),
            9,
            |seed, without| {
                if (seed, without) == (1, Some(2)) { Err(Reason::Constant) } else { Ok(0.5) }
            },
        );
    let ours = ours.unwrap().estimate();
    let reason = Reason::Unstable { undefined: 1, blocks: 8 };
    assert_eq!((ours.value, ours.low, ours.count, ours.reason), (Some(0.5), None, 9, Some(reason)));
    let collapsed = jackknife(2, Blocks::of(4), 9, |seed, _| if seed == 0 { Err(Reason::Constant) } else { Ok(0.5) });
    assert_eq!(collapsed, Err(Reason::Constant));
    assert_eq!(jackknife(0, Blocks::of(4), 0, |_, _| Ok(0.0)), Err(Reason::Empty));
    assert_eq!(jackknife(2, Blocks::of(0), 0, |_, _| Ok(0.0)), Err(Reason::Empty));
    let single = jackknife(2, Blocks::of(1), 3, |_, _| Ok(0.5)).unwrap().estimate();
    assert_eq!((single.value, single.reason), (Some(0.5), Some(Reason::TooFew { needed: 2, found: 1 })));
}

#[test]
fn frontiers() {
    assert_eq!(Frontier::new(&[]), Err(Reason::NoFrontier));
    assert_eq!(Frontier::new(&[(1.0, f64::NAN)]), Err(Reason::NotFinite));
    let frontier = Frontier::new(&[(2.0, 0.5), (4.0, 0.7)]).unwrap();
    assert_eq!(frontier.accuracy_at(1.9), Err(Reason::OutsideFrontier));
    assert_eq!(frontier.accuracy_at(f64::NAN), Err(Reason::NotFinite));
    assert_eq!(frontier.accuracy_at(f64::INFINITY), Err(Reason::NotFinite));
}

#[test]
fn gain_moves_with_its_frontier() {
    let hard = [0.1, 0.9, 0.4, 0.7, 0.2];
    let of = |cost: f64, gain: f64| CostAccuracy {
        cost: table(&[cost; 5]),
        accuracy: table(&hard.map(|accuracy| accuracy + gain)),
    };
    let fixed = [of(2.0, 0.0), of(4.0, 0.25)];
    // Halfway between the fixed depths, whose frontier is 0.125 there on every sequence.
    let Gain::Exact(gain) = adapt_gain(&of(3.0, 0.5), &fixed, None).unwrap() else { panic!("exact") };
    let ours = gain.estimate();
    for end in [ours.value, ours.low, ours.high] {
        assert!((end.unwrap() - 0.375).abs() < 1e-12);
    }
    assert_eq!(ours.method, Some(IntervalMethod::ProblemsOnly));
    let Gain::Bounds { lower, upper } = adapt_gain(&of(1.0, 0.5), &fixed, None).unwrap() else { panic!("bounds") };
    assert!((lower.mean() - 0.5).abs() < 1e-12 && upper.is_none());
    assert_eq!(adapt_gain(&fixed[0], &[], None), Err(Reason::NoFrontier));
    let other = CostAccuracy { cost: table(&[2.0; 4]), accuracy: table(&[0.5; 4]) };
    assert_eq!(adapt_gain(&fixed[0], &[other], None), Err(Reason::MissingCells));
}

#[test]
fn policies_without_scores_are_unranked_and_shift_nobody() {
    let good = table(&[0.9, 0.8, 0.85, 0.88]);
    let bad = table(&[0.11, 0.01, 0.05, 0.09]);
    let unstable =
        jackknife(1, Blocks::of(4), 4, |_, without| if without.is_some() { Err(Reason::Empty) } else { Ok(0.5) });
    let ranking = rank(&[
        Err(Reason::MissingCells),
        Ok(bad),
        Ok(good.clone()),
        Ok(table(&[0.5])),
        Ok(table(&[0.5, 0.6])),
        unstable,
        Ok(good),
    ]);
    let ranked = |low, high, letters: &str| Standing {
        rank_low: Some(low),
        rank_high: Some(high),
        letters: Some(letters.to_owned()),
        reason: None,
    };
    let expected = [
        Standing::unranked(Reason::MissingCells),
        ranked(3, 3, "b"),
        ranked(1, 2, "a"),
        Standing::unranked(Reason::TooFew { needed: 2, found: 1 }),
        Standing::unranked(Reason::MissingCells),
        Standing::unranked(Reason::Unstable { undefined: 4, blocks: 4 }),
        ranked(1, 2, "a"),
    ];
    assert_eq!(ranking.standings, expected);
    let pairs: Vec<(usize, usize, bool)> =
        ranking.differences.iter().map(|pair| (pair.first, pair.second, pair.different)).collect();
    assert_eq!(pairs, [(2, 6, false), (2, 1, true), (6, 1, true)]);
    let gap = ranking.differences[1].difference;
    assert!(
        (gap.value.unwrap() - 0.7925).abs() < 1e-12 && gap.low.unwrap() > 0.7 && gap.high.unwrap() < 0.9,
        "{gap:?}"
    );
    assert_eq!(rank(&[]), Ranking::default());
}

fn columns(rows: usize) -> TokenColumns {
    TokenColumns {
        instance: vec![0; rows],
        problem: vec![0; rows],
        split: vec![Split::InRange; rows],
        size: vec![5; rows],
        own_size: vec![5; rows],
        position: (0..rows as u32).collect(),
        is_answer: vec![true; rows],
        input_token: vec![0; rows],
        depth: vec![1; rows],
        depth_at_token: vec![None; rows],
        expected_depth: vec![None; rows],
        expected_depth_at_token: vec![None; rows],
        correct: vec![Some(true); rows],
        confidence: vec![None; rows],
        flops: vec![1.0; rows],
        dense_flops: vec![2.0; rows],
        complexities: BTreeMap::from([("stack".to_owned(), vec![None; rows])]),
        features: BTreeMap::from([("digits".to_owned(), vec![None; rows])]),
    }
}

#[test]
fn a_table_names_the_column_that_does_not_fit() {
    type Cut = fn(&mut TokenColumns);
    let cuts: [(&str, Cut); 17] = [
        ("problem", |c| c.problem.truncate(1)),
        ("split", |c| c.split.truncate(1)),
        ("size", |c| c.size.truncate(1)),
        ("own_size", |c| c.own_size.truncate(1)),
        ("position", |c| c.position.truncate(1)),
        ("is_answer", |c| c.is_answer.truncate(1)),
        ("input_token", |c| c.input_token.truncate(1)),
        ("depth", |c| c.depth.truncate(1)),
        ("depth_at_token", |c| c.depth_at_token.truncate(1)),
        ("expected_depth", |c| c.expected_depth.truncate(1)),
        ("expected_depth_at_token", |c| c.expected_depth_at_token.truncate(1)),
        ("correct", |c| c.correct.truncate(1)),
        ("confidence", |c| c.confidence.truncate(1)),
        ("flops", |c| c.flops.truncate(1)),
        ("dense_flops", |c| c.dense_flops.truncate(1)),
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
    let exact = |split| estimate(std::slice::from_ref(&table), Quantity::ExactMatch, split).value;
    assert_eq!(
        (exact(None), exact(Some(Split::InRange)), exact(Some(Split::Beyond))),
        (Some(0.5), Some(1.0), Some(0.0))
    );
}

/// Sequences of one problem are one unit of an interval, however many there are.
#[test]
fn sequences_of_one_problem_are_one_unit() {
    let of_problems = |problem: fn(u64) -> u64| {
        let mut eight = columns(8);
        eight.instance = (0..8).collect();
        eight.problem = (0..8).map(problem).collect();
        eight.correct = (0..8).map(|sequence| Some(sequence % 2 == 0)).collect();
        estimate(&[TokenTable::new(eight).unwrap()], Quantity::TokenAccuracy, None)
    };
    let ends = |estimate: Estimate| (estimate.value, estimate.low, estimate.high);
    // Student's t: 0.5 ± 2.3646 √(8 / 4 / 7 / 8) for eight units, and ± 12.706 √(1 / 2 / 2) for two.
    let (value, low, high) = ends(of_problems(|sequence| sequence));
    assert_eq!((value, (low.unwrap() * 1e4).round(), (high.unwrap() * 1e4).round()), (Some(0.5), 531.0, 9469.0));
    assert_eq!(ends(of_problems(|sequence| sequence % 2)), (Some(0.5), Some(0.0), Some(1.0)));
    assert_eq!(of_problems(|sequence| sequence / 2).method, Some(IntervalMethod::NoVariation));
}

/// A token belongs to its own split, a sequence to the hardest split of its tokens.
#[test]
fn sequences_are_as_hard_as_their_hardest_token() {
    let mut four = columns(4);
    four.instance = vec![9, 9, 7, 7];
    four.split = vec![Split::Embedded, Split::Beyond, Split::InRange, Split::InRange];
    four.correct = vec![Some(true), Some(false), Some(true), Some(true)];
    let table = TokenTable::new(four).unwrap();
    let exact = |split| estimate(std::slice::from_ref(&table), Quantity::ExactMatch, Some(split));
    assert_eq!(exact(Split::Embedded).reason, Some(Reason::Empty));
    assert_eq!((exact(Split::Beyond).value, exact(Split::InRange).value), (Some(0.0), Some(1.0)));
    let embedded = Filter { split: Some(Split::Embedded), ..Filter::default() };
    assert_eq!(table.rows(embedded), [0]);
    assert!(table.rows(Filter { population: Population::CorrectOnly, ..embedded }).is_empty());
    assert_eq!(Split::ALL.map(Split::name), ["in_range", "embedded", "between", "beyond"]);
    assert!(Split::ALL.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(Split::from_name("embedded"), Some(Split::Embedded));
    assert_eq!(Split::from_name("elsewhere"), None);
}

#[test]
fn reasons_are_written_in_snake_case() {
    let text = |reason: Reason| serde_json::to_string(&reason).unwrap();
    assert_eq!(text(Reason::OutsideFrontier), r#""outside_frontier""#);
    assert_eq!(text(Reason::TooMany { limit: 12, found: 13 }), r#"{"too_many":{"limit":12,"found":13}}"#);
    assert_eq!(Reason::TooMany { limit: 12, found: 13 }.to_string(), "at most 12 are possible, 13 found");
    assert_eq!(text(Reason::TooFew { needed: 2, found: 1 }), r#"{"too_few":{"needed":2,"found":1}}"#);
    let estimate = serde_json::to_string(&Estimate::missing(Reason::Constant, 7)).unwrap();
    assert_eq!(estimate, r#"{"value":null,"low":null,"high":null,"method":null,"count":7,"reason":"constant"}"#);
    assert_eq!(serde_json::from_str::<Estimate>(&estimate).unwrap(), Estimate::missing(Reason::Constant, 7));
    assert_eq!(Reason::TooFew { needed: 2, found: 1 }.to_string(), "2 are needed, 1 found");
}
