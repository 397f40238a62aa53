//! Regressions with the block jackknife: share of 2000 trials in which the interval covers the value of infinitely many
//! sequences (`cargo test -p haltbench_analysis --test coverage -- --ignored`; the short form has 200 trials).
//!
//! | true R², ΔR² | sequences | R² | ΔR² of a group | Shapley share of a group | adjusted R² |
//! |---|---|---|---|---|---|
//! | 0.346, 0.028 | 60 | 0.938 | 0.915 | 0.942 | 0.957 |
//! | | 200 | 0.938 | 0.943 | 0.940 | 0.953 |
//! | | 1000 | 0.942 | 0.938 | 0.952 | 0.959 |
//! | 0.045, 0.004 | 60 | 0.964 | 0.912 | 0.889 | 0.968 |
//! | | 200 | 0.955 | 0.867 | 0.932 | 0.958 |
//! | | 1000 | 0.948 | 0.912 | 0.943 | 0.956 |
//!
//! A ΔR² close to 0 cannot fall below it, so its error is skewed and its interval covers too rarely: an interval that
//! excludes 0 is no test. [`haltbench_analysis::significance`] has tests.

use haltbench_analysis::Reason;
use haltbench_analysis::regression::{Feature, Parts, Players, Regression, Values, jackknifed};

use crate::simulate::{Chance, share};

/// Four tokens per sequence: a feature of the sequence, two correlated features of the token, and a target with an
/// effect of the sequence. `strength` scales the effects of the features.
fn regression(chance: &mut Chance, sequences: usize, strength: f64) -> Regression {
    let (mut size, mut degree, mut frontier, mut target) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut clusters = Vec::new();
    for sequence in 0..sequences {
        let (own, effect) = (chance.below(4) as u32, 0.6 * chance.normal());
        for _ in 0..4 {
            let first = chance.normal();
            let second = 0.6 * first + 0.8 * chance.normal();
            let signal = 0.4 * f64::from(own) + 0.5 * first + 0.3 * second;
            size.push(own);
            degree.push(first);
            frontier.push(second);
            target.push(strength * signal + effect + chance.normal());
            clusters.push(sequence as u64);
        }
    }
    let features = [
        Feature { name: "size", group: "size", values: Values::Categorical(&size) },
        Feature { name: "degree", group: "static", values: Values::Numeric(&degree) },
        Feature { name: "frontier", group: "state", values: Values::Numeric(&frontier) },
    ];
    let parts = Parts::of(clusters.iter().copied()).unwrap();
    Regression::of(&features, Values::Numeric(&target), &clusters, &parts).unwrap()
}

type Statistic = fn(&Regression) -> Result<f64, Reason>;

const STATISTICS: [Statistic; 4] = [
    |regression| regression.r_squared(),
    |regression| Ok(regression.unique(Players::Groups)?[2].r_squared),
    |regression| Ok(regression.shares(Players::Groups)?[1].shapley),
    |regression| regression.fit()?.adjusted.value.ok_or(Reason::Empty),
];

/// Coverage of the four statistics.
fn covered(strength: f64, sequences: usize, trials: usize) -> [f64; 4] {
    let large = regression(&mut Chance::new(1), 100_000, strength);
    let mut place = 0;
    STATISTICS.map(|statistic| {
        let truth = statistic(&large).unwrap();
        place += 1;
        let mut chance = Chance::new(90 + place);
        share(trials, || {
            let own = regression(&mut chance, sequences, strength);
            !jackknifed(&[own], statistic).unwrap().estimate().excludes(truth)
        })
    })
}

#[test]
fn explained_variance() {
    let covered = covered(1.0, 200, 200);
    assert!(covered.iter().all(|share| *share >= 0.91), "{covered:.3?}");
}

#[test]
#[ignore = "minutes"]
fn explained_variance_in_many_trials() {
    for (strength, sequences) in [(1.0, 60), (1.0, 200), (1.0, 1000), (0.3, 60), (0.3, 200), (0.3, 1000)] {
        let covered = covered(strength, sequences, 2000);
        println!("{strength} {sequences} {covered:.3?}");
        assert!(covered.iter().all(|share| *share >= 0.75), "{strength}, {sequences}: {covered:.3?}");
    }
}
