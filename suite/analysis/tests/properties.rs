//! Properties that hold for any input.
#![allow(clippy::unwrap_used)]

use haltbench_analysis::correlation::{partial_spearman, pearson, somers_d, spearman, tau_b};
use haltbench_analysis::jackknife::{Blocks, jackknife};
use haltbench_analysis::letters::columns;
use haltbench_analysis::ranks::average_ranks;
use haltbench_analysis::{ClusterSum, Crossed, Frontier, Reason, rank};
use proptest::prelude::*;

type Pairs = Vec<(f64, f64)>;

/// Two variables with ties, and a shuffled order.
fn shuffled() -> impl Strategy<Value = (Pairs, Pairs)> {
    prop::collection::vec((-4_i32..5, 0_i32..6), 0..40)
        .prop_map(|v| v.into_iter().map(|(a, b)| (f64::from(a), f64::from(b))).collect::<Pairs>())
        .prop_flat_map(|v| (Just(v.clone()), Just(v).prop_shuffle()))
}

fn split(pairs: &[(f64, f64)]) -> (Vec<f64>, Vec<f64>) {
    pairs.iter().copied().unzip()
}

/// Seeds evaluated on the same sequences.
fn clusters() -> impl Strategy<Value = Vec<Vec<ClusterSum>>> {
    let cluster = || (-5.0..5.0, 1_u32..6).prop_map(|(sum, n)| ClusterSum { sum, count: f64::from(n) });
    (2_usize..12).prop_flat_map(move |sequences| {
        prop::collection::vec(prop::collection::vec(cluster(), sequences..=sequences), 1..4)
    })
}

fn table(data: &[Vec<ClusterSum>]) -> Crossed {
    Crossed::of_sums(&(0..data[0].len() as u64).collect::<Vec<_>>(), data).unwrap()
}

type Correlation = fn(&[f64], &[f64]) -> Result<f64, Reason>;

fn close(a: Result<f64, Reason>, b: Result<f64, Reason>) -> bool {
    match (a, b) {
        (Ok(a), Ok(b)) => (a - b).abs() < 1e-12,
        (a, b) => a == b,
    }
}

/// So many combinations of levels that they do not fit into one number: a control given six times is one control.
#[test]
fn combinations_beyond_64_bits() {
    let value = |row: u32, by: u32| f64::from(row * by % 2003);
    let of = |by: u32| -> Vec<f64> { (0..1500).map(|row| value(row, by)).collect() };
    let (x, y, control) = (of(5), of(7), of(11));
    let once = partial_spearman(&x, &y, &[&control]).unwrap();
    let often = partial_spearman(&x, &y, &[&control[..]; 6]).unwrap();
    assert!((once - often).abs() < 1e-12, "{once} {often}");
}

proptest! {
    #[test]
    fn order_of_observations_does_not_matter((a, b) in shuffled()) {
        let ((x, y), (p, q)) = (split(&a), split(&b));
        // Rank statistics are exact in integers, so equal to the last bit.
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

    /// The table of a ratio has the ratio as its mean and changes with it: this is the meaning of linearising.
    #[test]
    fn the_mean_of_a_table_is_the_ratio(data in clusters()) {
        let total = |part: fn(&ClusterSum) -> f64| data.iter().flatten().map(part).sum::<f64>();
        let ratio = total(|cluster| cluster.sum) / total(|cluster| cluster.count);
        let ours = table(&data);
        let cells = (data.len() * data[0].len()) as f64;
        prop_assert!((ours.mean() - ratio).abs() < 1e-12);
        prop_assert!((ours.values().iter().flatten().sum::<f64>() / cells - ratio).abs() < 1e-9);
    }

    #[test]
    fn a_constant_has_an_interval_of_width_zero(data in clusters()) {
        let constant: Vec<Vec<ClusterSum>> = data
            .iter()
            .map(|s| s.iter().map(|c| ClusterSum { sum: 3.0 * c.count, count: c.count }).collect())
            .collect();
        let ours = table(&constant).estimate();
        prop_assert_eq!((ours.value, ours.low, ours.high), (Some(3.0), Some(3.0), Some(3.0)));
    }

    #[test]
    fn order_of_seeds_and_sequences_does_not_matter(data in clusters()) {
        let turned: Vec<Vec<ClusterSum>> =
            data.iter().rev().map(|seed| seed.iter().rev().copied().collect()).collect();
        let (a, b) = (table(&data).estimate(), table(&turned).estimate());
        for (a, b) in [(a.value, b.value), (a.low, b.low), (a.high, b.high)] {
            prop_assert!((a.unwrap() - b.unwrap()).abs() < 1e-9);
        }
    }

    #[test]
    fn differences_are_antisymmetric(data in clusters(), shift in -2.0..2.0_f64) {
        let other: Vec<Vec<ClusterSum>> =
            data.iter().map(|s| s.iter().rev().map(|c| ClusterSum { sum: c.sum + shift, ..*c }).collect()).collect();
        let difference = |a: &[Vec<ClusterSum>], b: &[Vec<ClusterSum>]| table(a).minus(&table(b)).unwrap().estimate();
        let (ab, ba) = (difference(&data, &other), difference(&other, &data));
        for (a, b) in [(ab.value, ba.value), (ab.low, ba.high), (ab.high, ba.low)] {
            prop_assert!((a.unwrap() + b.unwrap()).abs() < 1e-9);
        }
    }

    /// The jackknife of a mean is the table of this mean.
    #[test]
    fn the_jackknife_of_a_mean_has_its_interval(
        values in prop::collection::vec(prop::collection::vec(-3.0..3.0_f64, 9), 1..4)
    ) {
        let mean = |seed: usize, without: Option<usize>| {
            let kept: Vec<f64> = (0..9).filter(|&i| without != Some(i)).map(|i| values[seed][i]).collect();
            Ok(kept.iter().sum::<f64>() / kept.len() as f64)
        };
        let ours = jackknife(values.len(), Blocks::of(9), 0, mean).unwrap();
        for (ours, expected) in ours.values().iter().flatten().zip(values.iter().flatten()) {
            prop_assert!((ours - expected).abs() < 1e-9);
        }
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
        // Concave and increasing.
        let slopes: Vec<f64> =
            frontier.points().windows(2).map(|pair| (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0)).collect();
        prop_assert!(slopes.iter().all(|&slope| slope > 0.0) && slopes.windows(2).all(|pair| pair[0] > pair[1]));
    }

    /// Letters against their definition: a set of items is a column if and only if none of its items differ and no
    /// other item can join.
    #[test]
    fn letters_are_the_maximal_sets_of_what_is_alike(
        bits in prop::collection::vec(any::<bool>(), 21),
        items in 1_usize..7
    ) {
        let mut different = vec![vec![false; items]; items];
        let pairs = (0..items).flat_map(|i| (0..i).map(move |j| (i, j)));
        for ((i, j), apart) in pairs.zip(bits) {
            (different[i][j], different[j][i]) = (apart, apart);
        }
        let members = |set: u32| (0..items).filter(move |i| set >> i & 1 == 1);
        let alike = |set: u32| members(set).all(|i| members(set).all(|j| !different[i][j]));
        let is_maximal = |set: u32| alike(set) && (0..items).all(|i| set >> i & 1 == 1 || !alike(set | 1 << i));
        let mut expected: Vec<Vec<usize>> =
            (1..1_u32 << items).filter(|&set| is_maximal(set)).map(|set| members(set).collect()).collect();
        expected.sort();
        prop_assert_eq!(columns(&different), expected);
    }

    /// Ranks do not depend on the order of the policies.
    #[test]
    fn ranks_do_not_depend_on_names(
        scores in prop::collection::vec(prop::collection::vec(0.0..1.0_f64, 30), 1..6)
    ) {
        let forward: Vec<Result<Crossed, Reason>> =
            scores.into_iter().map(|values| Crossed::of_values((0..30).collect(), vec![values], 30, 30)).collect();
        let backward: Vec<_> = forward.iter().rev().cloned().collect();
        let (a, mut b) = (rank(&forward).standings, rank(&backward).standings);
        b.reverse();
        prop_assert_eq!(&a, &b);
        for standing in a {
            prop_assert!(standing.rank_low <= standing.rank_high);
            prop_assert!(standing.rank_high <= Some(forward.len()));
        }
    }
}
