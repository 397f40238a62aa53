//! Intervals, tests and power against SciPy and statsmodels: see `goldens/make_inference.py`.
#![allow(clippy::unwrap_used)]

use haltbench_analysis::power::PairedDesign;
use haltbench_analysis::resampling::{Draws, Purpose, bootstrap, interval_of, paired_ratios};
use haltbench_analysis::significance::{Permutations, benjamini_hochberg, holm, p_value, sign_flip};
use haltbench_analysis::{ClusterSum, Crossed, IntervalMethod, Reason};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

fn golden<T: for<'a> Deserialize<'a>>(name: &str) -> T {
    let all: Value = serde_json::from_str(include_str!("goldens/inference.json")).unwrap();
    serde_json::from_value(all[name].clone()).unwrap()
}

#[track_caller]
fn close(what: &str, ours: f64, expected: f64, tolerance: f64) {
    assert!((ours - expected).abs() <= tolerance, "{what}: {ours}, expected {expected}");
}

#[test]
fn bootstrap_intervals() {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        value: f64,
        replicates: Vec<f64>,
        without: Vec<f64>,
        deviation: f64,
        percentile: (f64, f64),
        accelerated: (f64, f64),
    }
    for case in golden::<Vec<Case>>("bootstraps") {
        let ours = interval_of(case.value, &case.replicates, &case.without).unwrap();
        close(&case.name, ours.deviation, case.deviation, 1e-12);
        let accelerated = ours.accelerated.unwrap();
        for (ours, expected) in [(ours.percentile, case.percentile), (accelerated, case.accelerated)] {
            close(&case.name, ours.0, expected.0, 1e-9);
            close(&case.name, ours.1, expected.1, 1e-9);
        }
    }
}

/// The mean of n clusters has the bootstrap deviation √((n - 1) / n) s / √n, apart from the error of 20,000 resamples.
#[test]
fn resamples_of_a_mean() {
    let values: Vec<f64> = (0..30_u32).map(|k| f64::from(k * k % 17)).collect();
    let mean =
        |times: &[u32]| Ok(values.iter().zip(times).map(|(own, times)| own * f64::from(*times)).sum::<f64>() / 30.0);
    let ours = bootstrap(30, 20_000, 7, mean).unwrap();
    let centre = values.iter().sum::<f64>() / 30.0;
    let variance = values.iter().map(|own| (own - centre).powi(2)).sum::<f64>() / 30.0;
    close("mean", ours.value, centre, 1e-12);
    let estimate = ours.estimate(30);
    assert_eq!(
        (estimate.low, estimate.high),
        (ours.accelerated.map(|ends| ends.0), ours.accelerated.map(|ends| ends.1))
    );
    assert_eq!(estimate.method, Some(IntervalMethod::Bootstrap));
    close("deviation", ours.deviation / (variance / 30.0).sqrt(), 1.0, 0.02);
    assert_eq!(bootstrap(30, 500, 7, mean), bootstrap(30, 500, 7, mean));
    assert_ne!(bootstrap(30, 500, 7, mean), bootstrap(30, 500, 8, mean));
}

#[test]
fn paired_ratios_use_the_same_clusters() {
    let sum = |sum: f64, count: f64| ClusterSum { sum, count };
    let (a, b) = ([sum(2.0, 4.0), sum(3.0, 3.0), sum(0.0, 1.0)], [sum(1.0, 4.0), sum(3.0, 3.0), sum(1.0, 1.0)]);
    let difference = paired_ratios(&a, &b).unwrap();
    close("all", difference(&[1, 1, 1]).unwrap(), 0.0, 1e-15);
    close("first twice", difference(&[2, 0, 1]).unwrap(), 4.0 / 9.0 - 3.0 / 9.0, 1e-15);
    assert_eq!(difference(&[0, 0, 0]), Err(Reason::Empty));
    assert!(paired_ratios(&a, &b[..2]).is_err());
}

#[test]
fn sign_flips() {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        differences: Vec<f64>,
        mean: f64,
        p: f64,
    }
    for case in golden::<Vec<Case>>("sign_flips") {
        let ours = sign_flip(&case.differences, 0, 1).unwrap();
        close(&case.name, ours.mean, case.mean, 1e-12);
        close(&case.name, ours.p, case.p, 1e-12);
        assert_eq!(ours.permutations, Permutations::All);
    }
    assert_eq!(sign_flip(&[0.3], 0, 1).unwrap().p, 1.0);
    assert_eq!(sign_flip(&[0.0; 20], 0, 1).unwrap().p, 1.0);
}

/// 40 differences need random patterns. The exact p value is within four standard errors.
#[test]
fn random_sign_flips() {
    #[derive(Deserialize)]
    struct Case {
        name: String,
        differences: Vec<f64>,
        p: f64,
    }
    for case in golden::<Vec<Case>>("many_sign_flips") {
        let ours = sign_flip(&case.differences, 40_000, 3).unwrap();
        assert_eq!(ours.permutations, Permutations::Random(40_000));
        close(&case.name, ours.p, case.p, 4.0 * (case.p * (1.0 - case.p) / 40_000.0).sqrt() + 1.0 / 40_001.0);
    }
}

#[test]
fn adjusted_p_values() {
    #[derive(Deserialize)]
    struct Case {
        p: Vec<f64>,
        holm: Vec<f64>,
        benjamini_hochberg: Vec<f64>,
    }
    for case in golden::<Vec<Case>>("adjustments") {
        let pairs =
            [(holm(&case.p).unwrap(), case.holm), (benjamini_hochberg(&case.p).unwrap(), case.benjamini_hochberg)];
        for (ours, expected) in pairs {
            ours.iter().zip(&expected).for_each(|(ours, expected)| close("adjusted", *ours, *expected, 1e-14));
        }
    }
}

fn table(seeds: Vec<Vec<f64>>) -> Crossed {
    let (units, cells) = (seeds[0].len(), seeds.len() * seeds[0].len());
    Crossed::of_values((0..units as u64).collect(), seeds, cells, units).unwrap()
}

#[test]
fn p_values_of_intervals() {
    #[derive(Deserialize)]
    struct Case {
        values: Vec<f64>,
        null: f64,
        p: f64,
    }
    for case in golden::<Vec<Case>>("t_tests") {
        let ours = p_value(&table(vec![case.values]), case.null).unwrap();
        close("p", ours, case.p, 1e-9);
    }
    // With seeds, p is where the interval touches the null.
    let seeds = table(vec![vec![0.1, 0.5, 0.3, 0.2], vec![0.4, 0.6, 0.8, 0.3], vec![0.2, 0.5, 0.1, 0.4]]);
    let p = p_value(&seeds, 0.0).unwrap();
    let ((low, _), _) = seeds.interval(1.0 - p).unwrap();
    close("touches", low, 0.0, 1e-9);
    assert_eq!(p_value(&seeds, seeds.mean()), Ok(1.0));
    assert_eq!(p_value(&seeds, f64::NAN), Err(Reason::NotFinite));
    assert_eq!(p_value(&table(vec![vec![1.0]]), 0.0), Err(Reason::TooFew { needed: 2, found: 1 }));
}

fn seeds_alone(between_seeds: f64) -> PairedDesign {
    PairedDesign { between_seeds, from_problems: 0.0, problems: 1 }
}

#[test]
fn power_of_the_noncentral_t_test() {
    #[derive(Deserialize)]
    struct Case {
        seeds: usize,
        effect: f64,
        power: f64,
    }
    for case in golden::<Vec<Case>>("noncentral") {
        // Units do not matter: the effect is in standard deviations.
        for unit in [1.0, 0.01] {
            let ours = seeds_alone(unit * unit).power(unit * case.effect, case.seeds).unwrap();
            close(&format!("{} seeds, effect {}", case.seeds, case.effect), ours, case.power, 1e-8);
        }
    }
    for case in golden::<Vec<Case>>("smallest") {
        let ours = seeds_alone(4.0).smallest_difference(case.seeds, case.power).unwrap();
        close(&format!("{} seeds", case.seeds), ours / 2.0, case.effect, 1e-6);
    }
    for case in golden::<Vec<Case>>("needed") {
        assert_eq!(seeds_alone(1.0).seeds_needed(case.effect, case.power), Ok(case.seeds), "{}", case.effect);
    }
}

#[test]
fn power_with_problems() {
    #[derive(Deserialize)]
    struct Case {
        seeds: usize,
        between_seeds: f64,
        from_problems: f64,
        problems: usize,
        difference: f64,
        power: f64,
    }
    for case in golden::<Vec<Case>>("crossed_power") {
        let Case { between_seeds, from_problems, problems, .. } = case;
        let ours = PairedDesign { between_seeds, from_problems, problems }.power(case.difference, case.seeds).unwrap();
        // Four standard errors of 400,000 simulations.
        close(&format!("{} seeds", case.seeds), ours, case.power, 0.0032);
    }
    // The design of a table has the table's own variances: for one value per seed and problem, the between-seeds part is
    // the variance of the seeds' means.
    let seeds = vec![vec![1.0, 2.0, 4.0], vec![2.0, 2.5, 5.5], vec![0.5, 3.0, 4.0]];
    let means: Vec<f64> = seeds.iter().map(|seed| seed.iter().sum::<f64>() / 3.0).collect();
    let mean = means.iter().sum::<f64>() / 3.0;
    let variance = means.iter().map(|own| (own - mean).powi(2)).sum::<f64>() / 2.0;
    close("variance", PairedDesign::of(&table(seeds)).unwrap().between_seeds, variance, 1e-12);
}

#[test]
fn reasons() {
    let mean = |_: &[u32]| Ok(0.5);
    assert_eq!(bootstrap(1, 500, 1, mean), Err(Reason::TooFew { needed: 2, found: 1 }));
    assert_eq!(bootstrap(5, 99, 1, mean), Err(Reason::TooFew { needed: 100, found: 99 }));
    assert_eq!(bootstrap(5, 100, 1, mean), Err(Reason::Constant));
    assert_eq!(bootstrap(5, 100, 1, |_| Err(Reason::Constant)), Err(Reason::Constant));
    let only_all = |times: &[u32]| if times == [1, 1] { Ok(1.0) } else { Err(Reason::Empty) };
    let Err(Reason::Unstable { blocks: 102, .. }) = bootstrap(2, 100, 1, only_all) else { panic!("unstable") };
    assert_eq!(interval_of(0.0, &[], &[1.0]), Err(Reason::Empty));
    assert_eq!(interval_of(0.0, &[1.0, f64::NAN], &[1.0]), Err(Reason::NotFinite));
    assert_eq!(interval_of(-9.0, &[1.0, 2.0], &[1.0, 2.0]).unwrap().accelerated, None);
    assert_eq!(sign_flip(&[], 9, 1), Err(Reason::Empty));
    assert_eq!(sign_flip(&[f64::INFINITY], 9, 1), Err(Reason::NotFinite));
    assert_eq!(sign_flip(&[1.0; 17], 0, 1), Err(Reason::TooFew { needed: 1, found: 0 }));
    for adjust in [holm, benjamini_hochberg] {
        assert_eq!(adjust(&[]), Err(Reason::Empty));
        assert_eq!(adjust(&[0.5, f64::NAN]), Err(Reason::NotFinite));
        assert_eq!(adjust(&[0.5, 1.1]), Err(Reason::OutOfRange));
    }
    let design = seeds_alone(1.0);
    assert_eq!(design.power(1.0, 1), Err(Reason::TooFew { needed: 2, found: 1 }));
    assert_eq!(design.power(f64::NAN, 3), Err(Reason::NotFinite));
    assert_eq!(design.smallest_difference(3, 1.0), Err(Reason::OutOfRange));
    assert_eq!(design.smallest_difference(3, 0.05), Err(Reason::OutOfRange));
    assert_eq!(design.seeds_needed(0.0, 0.8), Err(Reason::OutOfRange));
    assert_eq!(design.seeds_needed(1e-6, 0.8), Err(Reason::TooMany { limit: 100_000, found: 100_000 }));
    assert_eq!(seeds_alone(0.0).power(1.0, 3), Err(Reason::Constant));
    assert_eq!(seeds_alone(-1.0).power(1.0, 3), Err(Reason::OutOfRange));
    let noisy = PairedDesign { between_seeds: 1.0, from_problems: 1.0, problems: 40 };
    assert_eq!(noisy.seeds_needed(0.5, 0.8), Err(Reason::TooFew { needed: 41, found: 40 }));
    assert_eq!(PairedDesign { problems: 1, ..noisy }.power(1.0, 3), Err(Reason::TooFew { needed: 2, found: 1 }));
    assert_eq!(PairedDesign::of(&table(vec![vec![1.0, 2.0]])), Err(Reason::TooFew { needed: 2, found: 1 }));
}

/// All numbers below 7 are equally likely, and so are all orders of four items.
#[test]
fn draws_are_uniform() {
    let mut draws = Draws::new(11, Purpose::Permutation);
    let mut counts = [0_u32; 7];
    (0..70_000).for_each(|_| counts[draws.below(7)] += 1);
    let mut orders = std::collections::BTreeMap::new();
    for _ in 0..24_000 {
        let mut items = [0, 1, 2, 3];
        draws.shuffle(&mut items);
        *orders.entry(items).or_insert(0_u32) += 1;
    }
    assert_eq!(orders.len(), 24);
    let chi = |counts: &[u32], expected: f64| -> f64 {
        counts.iter().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum()
    };
    // The 99.9 % quantiles of chi-squared with 6 and 23 degrees of freedom.
    assert!(chi(&counts, 10_000.0) < 22.46, "{counts:?}");
    assert!(chi(&orders.values().copied().collect::<Vec<_>>(), 1000.0) < 49.73, "{orders:?}");
    assert_eq!(draws.below(1), 0);
    let first = |seed: u64, purpose: Purpose| Draws::new(seed, purpose).bits();
    assert_ne!(first(1, Purpose::Bootstrap), first(1, Purpose::SignFlip));
    assert_ne!(first(1, Purpose::Bootstrap), first(2, Purpose::Bootstrap));
}

proptest! {
    /// Adjusted p values keep the order, and Holm's are never below Benjamini and Hochberg's, nor those below p.
    #[test]
    fn adjustments_keep_the_order(p in prop::collection::vec(0.0..=1.0_f64, 1..30)) {
        let (first, second) = (holm(&p).unwrap(), benjamini_hochberg(&p).unwrap());
        for i in 0..p.len() {
            prop_assert!(first[i] >= second[i] - 1e-15 && second[i] >= p[i] - 1e-15 && first[i] <= 1.0);
            for j in 0..p.len() {
                prop_assert!(p[i] > p[j] || (first[i] <= first[j] && second[i] <= second[j]));
            }
        }
    }

    /// Signs and scale of all differences do not matter.
    #[test]
    fn sign_flips_are_symmetric(differences in prop::collection::vec(-5_i32..6, 1..12)) {
        let scaled = |by: f64| -> f64 {
            let own: Vec<f64> = differences.iter().map(|d| f64::from(*d) * by).collect();
            sign_flip(&own, 0, 1).unwrap().p
        };
        prop_assert_eq!(scaled(1.0), scaled(-0.1));
    }
}
