//! The generator's samples against exact distributions.

use std::collections::BTreeMap;

use super::{column, draw, padded_words_of, words_of};

/// Chi-square statistic of counts that are expected to be equal.
fn chi_square(counts: &[u64]) -> f64 {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum()
}

/// A statistic of this many degrees of freedom is larger with a probability of about 1e-5 (Wilson and Hilferty).
fn limit(freedom: f64) -> f64 {
    let spread = 2.0 / (9.0 * freedom);
    freedom * (1.0 - spread + 4.265 * spread.sqrt()).powi(3)
}

#[test]
fn limits_are_those_of_the_tables() {
    // scipy.stats.chi2.isf(1e-5, [9, 59, 119, 3599]).
    for (freedom, known) in [(9.0, 39.34), (59.0, 117.19), (119.0, 196.56), (3599.0, 3972.36)] {
        assert!((limit(freedom) - known).abs() < 1.0, "{freedom}: {}", limit(freedom));
    }
}

/// The product of independent uniform elements is uniform, and so are pairs of products next to each other.
#[test]
fn running_products_are_uniform() {
    for (group, order) in [("z60", 60), ("a4xz5", 60), ("a5", 60), ("s5", 120)] {
        let task = words_of(group);
        let mut at = vec![vec![0_u64; order]; 3];
        let mut pairs = vec![0_u64; order * order];
        for seed in 0..40_000 {
            let instance = draw(&*task, 9, seed);
            let products: Vec<usize> = instance.answers().map(|token| token as usize - 1).collect();
            for (counts, place) in at.iter_mut().zip([0, 1, 8]) {
                counts[products[place]] += 1;
            }
            for pair in products.windows(2) {
                pairs[pair[0] * order + pair[1]] += 1;
            }
        }
        for counts in at.iter().chain([&pairs]) {
            assert!(chi_square(counts) < limit(counts.len() as f64 - 1.0), "{group}: {}", chi_square(counts));
        }
    }
}

/// Products of elements other than the identity: after t of them it is the identity with probability
/// (1 - (-1/(n-1))^(t-1)) / n, from P(t+1) = (1 - P(t)) / (n - 1), and all other elements are equally likely.
#[test]
fn products_of_padded_words_follow_their_recursion() {
    for (group, order) in [("a5", 60.0_f64), ("s5", 120.0)] {
        let task = padded_words_of(group);
        let mut identity = 0.0;
        let mut others = vec![0_u64; order as usize - 1];
        let count = 60_000;
        for seed in 0..count {
            let instance = draw(&*task, 3, seed);
            match instance.answers().last().unwrap() as usize - 1 {
                0 => identity += 1.0,
                other => others[other - 1] += 1,
            }
        }
        let expected = (1.0 - (-1.0 / (order - 1.0)).powi(2)) / order;
        let deviation = (expected / count as f64).sqrt();
        assert!((identity / count as f64 - expected).abs() < 4.3 * deviation, "{group}: {identity} of {count}");
        assert!(chi_square(&others) < limit(order - 2.0), "{group}: {}", chi_square(&others));
    }
}

/// Elements of a padded word stand at every set of places equally often.
#[test]
fn padding_is_anywhere() {
    let given = [("maximum_elements", 5), ("largest_elements", 5)];
    let given = given.map(|(name, value)| (name, haltbench_sdk::parameters::Value::Integer(value)));
    let flag = [("equal_length", haltbench_sdk::parameters::Value::Flag(true))];
    let task = super::configured(&[&given[..], &flag].concat()).unwrap();
    let mut counts: BTreeMap<Vec<bool>, u64> = BTreeMap::new();
    for seed in 0..20_000 {
        let elements = column(&*task, &draw(&*task, 2, seed), "element");
        *counts.entry(elements[1..].iter().map(|element| *element != 0.0).collect()).or_default() += 1;
    }
    let counts: Vec<u64> = counts.into_values().collect();
    assert_eq!(counts.len(), 10, "five choose two");
    assert!(chi_square(&counts) < limit(9.0), "{counts:?}");
}

/// What can be counted is the same in all groups of order 60: the tokens, the parts, everything but the targets.
#[test]
fn groups_of_one_order_differ_in_targets_alone() {
    for build in [words_of, padded_words_of] {
        let [z60, a4xz5, a5] = ["z60", "a4xz5", "a5"].map(build);
        let (mut different, mut all) = (0, 0);
        for seed in 0..500 {
            let [first, second, third] = [&z60, &a4xz5, &a5].map(|task| draw(&**task, 12, seed));
            for other in [&second, &third] {
                assert_eq!((&first.tokens, &first.loss_mask), (&other.tokens, &other.loss_mask));
                assert_eq!((first.canonical(), first.problem()), (other.canonical(), other.problem()));
                assert_eq!((first.graded_from, first.is_held_out()), (other.graded_from, other.is_held_out()));
                for name in ["length", "size", "position", "element", "sequential", "parallel"] {
                    let bits =
                        |task, instance| column(task, instance, name).iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(&*z60, &first), bits(&*a5, other), "{name}");
                }
                let pairs = first.graded().filter(|token| first.targets()[*token] != other.targets()[*token]);
                different += pairs.count();
                all += first.graded().count();
            }
        }
        assert!(different as f64 > 0.9 * all as f64, "{different} of {all}");
    }
}
