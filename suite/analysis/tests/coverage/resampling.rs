//! Bootstrap over clusters, and permutation tests: shares of trials.
//!
//! The percentile and the BCa interval of a difference of two means over tokens, whose clusters have one to six tokens and a
//! skewed effect (2000 trials of 500 resamples; the short form has 300 trials):
//!
//! | clusters | percentile | BCa |
//! |---|---|---|
//! | 10 | 0.850 | 0.851 |
//! | 30 | 0.898 | 0.889 |
//! | 100 | 0.923 | 0.914 |
//! | 300 | 0.930 | 0.928 |

use haltbench_analysis::ClusterSum;
use haltbench_analysis::information::{Joint, permutation_null};
use haltbench_analysis::resampling::{bootstrap, paired_ratios};
use haltbench_analysis::significance::sign_flip;

use crate::simulate::{Chance, share};

/// Two policies on the same clusters, whose true difference is 0.2.
fn pair(chance: &mut Chance, clusters: usize) -> (Vec<ClusterSum>, Vec<ClusterSum>) {
    (0..clusters)
        .map(|_| {
            let tokens = 1 + chance.below(6);
            let (shared, own) = (chance.normal(), (0.8 * chance.normal()).exp() - 0.32_f64.exp());
            let (mut a, mut b) = (ClusterSum::default(), ClusterSum::default());
            for _ in 0..tokens {
                a.add(0.2 + shared + own + 0.5 * chance.normal());
                b.add(shared + 0.5 * chance.normal());
            }
            (a, b)
        })
        .unzip()
}

/// Coverage of the percentile and the BCa interval.
fn covered(clusters: usize, trials: usize) -> (f64, f64) {
    let holds = |(low, high): (f64, f64)| low <= 0.2 && high >= 0.2;
    let mut chance = Chance::new(41);
    let (mut percentile, mut accelerated) = (0, 0);
    for trial in 0..trials {
        let (a, b) = pair(&mut chance, clusters);
        let ours = bootstrap(clusters, 500, trial as u64, paired_ratios(&a, &b).unwrap()).unwrap();
        percentile += u32::from(holds(ours.percentile));
        accelerated += u32::from(holds(ours.accelerated.unwrap()));
    }
    (f64::from(percentile) / trials as f64, f64::from(accelerated) / trials as f64)
}

#[test]
fn bootstrap_over_clusters() {
    let (percentile, accelerated) = covered(100, 300);
    assert!(percentile >= 0.90 && accelerated >= 0.91, "{percentile} {accelerated}");
}

#[test]
#[ignore = "minutes"]
fn bootstrap_over_clusters_in_many_trials() {
    for clusters in [10, 30, 100, 300] {
        let (percentile, accelerated) = covered(clusters, 2000);
        println!("{clusters} {percentile:.3} {accelerated:.3}");
        assert!(percentile >= 0.75 && accelerated >= 0.75, "{clusters}: {percentile} {accelerated}");
    }
}

/// Under the null hypothesis, p is at most 0.05 in at most 5 % of trials: in 0.0 of 2000 with five seeds, where p cannot be
/// below 0.0625, and in about 0.05 otherwise. `sign_flip` enumerates ten differences and draws for 30.
#[test]
fn sign_flips_keep_their_level() {
    for (number, least) in [(5, 0.0), (10, 0.035), (30, 0.035)] {
        let mut chance = Chance::new(42);
        let mut seed = 0;
        let rejected = share(2000, || {
            seed += 1;
            sign_flip(&chance.normals(number), 199, seed).unwrap().p <= 0.05
        });
        assert!((least..=0.065).contains(&rejected), "{number}: {rejected}");
    }
}

/// Depth follows the size alone. Within sizes, complexity and depth are independent, and the test keeps its level; without
/// strata it finds the effect of the size.
#[test]
fn permutations_within_strata_keep_their_level() {
    let mut chance = Chance::new(43);
    let (mut within, mut without) = (0, 0);
    for trial in 0..400 {
        let size: Vec<f64> = (0..80).map(|k| f64::from(k % 4)).collect();
        let complexity: Vec<f64> = size.iter().map(|size| size + chance.below(3) as f64).collect();
        let depth: Vec<f64> = size.iter().map(|size| (size + chance.normal()).round()).collect();
        let joint = Joint::of(&complexity, &depth).unwrap();
        let p = |strata: Option<&[f64]>| permutation_null(&joint, strata, 99, trial).unwrap().p;
        within += u32::from(p(Some(&size)) <= 0.05);
        without += u32::from(p(None) <= 0.05);
    }
    assert!((6..=36).contains(&within), "{within} of 400");
    assert!(without > 350, "{without} of 400");
}
