//! What must hold for any input.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use haltbench_analysis::bootstrap::{Bootstrap, cluster_bootstrap, for_each_resample, mean_over_draws};
use haltbench_analysis::correlation::{partial_spearman, pearson, somers_d, spearman, tau_b};
use haltbench_analysis::means::{mean_estimate, paired_difference};
use haltbench_analysis::ranks::average_ranks;
use haltbench_analysis::{ClusterSum, Design, Frontier, Reason, rank};
use proptest::prelude::*;

type Pairs = Vec<(f64, f64)>;

/// Two variables with ties, and an order to shuffle them into.
fn shuffled() -> impl Strategy<Value = (Pairs, Pairs)> {
    prop::collection::vec((-4_i32..5, 0_i32..6), 0..40)
        .prop_map(|v| v.into_iter().map(|(a, b)| (f64::from(a), f64::from(b))).collect::<Pairs>())
        .prop_flat_map(|v| (Just(v.clone()), Just(v).prop_shuffle()))
}

fn split(pairs: &[(f64, f64)]) -> (Vec<f64>, Vec<f64>) {
    pairs.iter().copied().unzip()
}

/// Seeds that were all evaluated on the same sequences. (A seed with few of many sequences may be left with none of them
/// in a resample, and then there is a reason instead of an interval.)
fn clusters() -> impl Strategy<Value = Vec<Vec<ClusterSum>>> {
    let cluster = || (-5.0..5.0, 1_u32..6).prop_map(|(sum, n)| ClusterSum { sum, count: f64::from(n) });
    (2_usize..12).prop_flat_map(move |sequences| {
        prop::collection::vec(prop::collection::vec(cluster(), sequences..=sequences), 1..4)
    })
}

/// Sequence k of every seed that has so many is the same one.
fn design(data: &[Vec<ClusterSum>]) -> Design {
    Design::of(&data.iter().map(|seed| (0..seed.len() as u64).collect()).collect::<Vec<_>>())
}

type Correlation = fn(&[f64], &[f64]) -> Result<f64, Reason>;

fn close(a: Result<f64, Reason>, b: Result<f64, Reason>) -> bool {
    match (a, b) {
        (Ok(a), Ok(b)) => (a - b).abs() < 1e-12,
        (a, b) => a == b,
    }
}

proptest! {
    #[test]
    fn order_of_observations_does_not_matter((a, b) in shuffled()) {
        let ((x, y), (p, q)) = (split(&a), split(&b));
        // Rank statistics are exact in integers: equal to the last bit.
        for statistic in [spearman as Correlation, tau_b, somers_d] {
            prop_assert_eq!(statistic(&x, &y), statistic(&p, &q));
        }
        prop_assert!(close(pearson(&x, &y), pearson(&p, &q)));
    }

    #[test]
    fn negation_changes_the_sign((a, _) in shuffled()) {
        let (x, y) = split(&a);
        let minus: Vec<f64> = y.iter().map(|v| -v).collect();
        for statistic in [pearson as Correlation, spearman, tau_b, somers_d] {
            prop_assert!(close(statistic(&x, &minus), statistic(&x, &y).map(|v| -v)));
        }
    }

    #[test]
    fn correlations_are_symmetric_and_bounded((a, _) in shuffled()) {
        let (x, y) = split(&a);
        for statistic in [pearson as Correlation, spearman, tau_b] {
            prop_assert!(close(statistic(&x, &y), statistic(&y, &x)));
            prop_assert!(statistic(&x, &y).is_ok_and(|v| v.abs() <= 1.0) || statistic(&x, &y).is_err());
        }
    }

    /// tau-b is the geometric mean of the two Somers' D (Somers 1962).
    #[test]
    fn tau_b_is_between_the_two_somers_d((a, _) in shuffled()) {
        let (x, y) = split(&a);
        if let (Ok(tau), Ok(d), Ok(e)) = (tau_b(&x, &y), somers_d(&x, &y), somers_d(&y, &x)) {
            prop_assert!((tau * tau - d * e).abs() < 1e-12);
        }
    }

    #[test]
    fn rank_statistics_see_order_only((a, _) in shuffled()) {
        let (x, y) = split(&a);
        let bent: Vec<f64> = x.iter().map(|v| (0.7 * v).exp()).collect();
        for statistic in [spearman as Correlation, tau_b, somers_d] {
            prop_assert_eq!(statistic(&bent, &y), statistic(&x, &y));
        }
    }

    #[test]
    fn ranks_sum_to_n_n_plus_1_by_2(values in prop::collection::vec(-9_i32..9, 0..50)) {
        let values: Vec<f64> = values.into_iter().map(f64::from).collect();
        let n = values.len() as f64;
        prop_assert_eq!(average_ranks(&values).unwrap().iter().sum::<f64>(), n * (n + 1.0) / 2.0);
    }

    #[test]
    fn a_constant_control_controls_nothing((a, _) in shuffled()) {
        let (x, y) = split(&a);
        let ones = vec![1.0; x.len()];
        let plain = spearman(&x, &y);
        let partial = partial_spearman(&x, &y, &[&ones]);
        prop_assert!(close(partial, plain) || x.len() < 3, "{partial:?} {plain:?}");
    }

    #[test]
    fn a_resample_draws_sequences_once_for_all_seeds(
        instances in prop::collection::vec(prop::collection::btree_set(0_u64..12, 0..9), 0..5),
        seed in any::<u64>()
    ) {
        let instances: Vec<Vec<u64>> = instances.into_iter().map(|own| own.into_iter().collect()).collect();
        let design = Design::of(&instances);
        for_each_resample(&design, Bootstrap { resamples: 5, seed }, |draws| {
            assert_eq!(draws.len(), instances.len());
            let mut weights = BTreeMap::new();
            for draw in draws {
                assert_eq!(draw.weights.len(), instances[draw.seed].len());
                for (instance, weight) in instances[draw.seed].iter().zip(&draw.weights) {
                    assert_eq!(weights.entry(instance).or_insert(weight), &weight);
                }
            }
            if weights.len() == design.sequences() {
                assert_eq!(weights.into_values().sum::<u32>() as usize, design.sequences());
            }
        });
    }

    #[test]
    fn a_constant_has_an_interval_of_width_zero(data in clusters(), seed in any::<u64>()) {
        let constant: Vec<Vec<ClusterSum>> = data
            .iter()
            .map(|s| s.iter().map(|c| ClusterSum { sum: 3.0 * c.count, count: c.count }).collect())
            .collect();
        let ours = mean_estimate(&constant, &design(&constant), Bootstrap { resamples: 50, seed });
        prop_assert_eq!((ours.value, ours.low, ours.high), (Some(3.0), Some(3.0), Some(3.0)));
    }

    /// The estimate of the fast path is that of the general one, and a function of the seed.
    #[test]
    fn the_same_seed_gives_the_same_interval(data in clusters(), seed in any::<u64>()) {
        let bootstrap = Bootstrap { resamples: 40, seed };
        let general = cluster_bootstrap(&design(&data), bootstrap, |draws| {
            let tokens = draws.iter().flat_map(|d| {
                data[d.seed].iter().zip(&d.weights).flat_map(|(c, &w)| std::iter::repeat_n(c, w as usize))
            });
            let (sum, count) = tokens.fold((0.0, 0.0), |(s, n), c| (s + c.sum, n + c.count));
            Ok(sum / count)
        });
        let fast = mean_estimate(&data, &design(&data), bootstrap);
        prop_assert_eq!(fast, mean_estimate(&data, &design(&data), bootstrap));
        for (a, b) in [(general.value, fast.value), (general.low, fast.low), (general.high, fast.high)] {
            prop_assert!((a.unwrap() - b.unwrap()).abs() < 1e-9);
        }
    }

    #[test]
    fn differences_are_antisymmetric(data in clusters(), shift in -2.0..2.0_f64) {
        let other: Vec<Vec<ClusterSum>> =
            data.iter().map(|s| s.iter().rev().map(|c| ClusterSum { sum: c.sum + shift, ..*c }).collect()).collect();
        let bootstrap = Bootstrap { resamples: 41, seed: 1 };
        let difference = |a: &[Vec<ClusterSum>], b: &[Vec<ClusterSum>]| paired_difference(a, b, &design(&data), bootstrap);
        let (ab, ba) = (difference(&data, &other), difference(&other, &data));
        for (a, b) in [(ab.value, ba.value), (ab.low, ba.high), (ab.high, ba.low)] {
            prop_assert!((a.unwrap() + b.unwrap()).abs() < 1e-12);
        }
    }

    #[test]
    fn a_seed_without_the_statistic_leaves_no_mean(seeds in 2_usize..4, sequences in 2_usize..5) {
        let ours = cluster_bootstrap(&Design::crossed(seeds, sequences), Bootstrap { resamples: 20, seed: 0 }, |draws| {
            mean_over_draws(draws, |seed, _| if seed == 0 { Err(Reason::Constant) } else { Ok(1.0) })
        });
        prop_assert_eq!((ours.value, ours.reason), (None, Some(Reason::Constant)));
    }

    #[test]
    fn frontiers_are_never_below_their_points(
        points in prop::collection::vec((0_u32..20, 0_u32..20), 1..15)
    ) {
        let points: Vec<(f64, f64)> = points.into_iter().map(|(a, b)| (f64::from(a), f64::from(b))).collect();
        let frontier = Frontier::new(&points).unwrap();
        for (cost, accuracy) in points {
            prop_assert!(frontier.accuracy_at(cost).unwrap() >= accuracy - 1e-12);
        }
    }

    /// Ranks do not depend on the order in which the policies are given, unless their means are equal.
    #[test]
    fn ranks_do_not_depend_on_names(
        scores in prop::collection::vec(prop::collection::vec(0.0..1.0_f64, 30), 1..6)
    ) {
        let forward: Vec<Option<Vec<f64>>> = scores.into_iter().map(Some).collect();
        let backward: Vec<_> = forward.iter().rev().cloned().collect();
        let (a, mut b) = (rank(&forward), rank(&backward));
        b.reverse();
        prop_assert_eq!(&a, &b);
        for standing in a {
            prop_assert!(standing.rank_low <= standing.rank_high);
            prop_assert!(standing.rank_high <= Some(forward.len()));
        }
    }
}
