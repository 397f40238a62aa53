//! The generator's samples against exact distributions, computed from the recursive definition by dynamic programming.

use super::{column, draw, mano};

const MODULUS: usize = 23;
const LARGEST: usize = 16;

/// `law[l][h]`: probability that an expression of l operators has height h.
fn heights() -> Vec<Vec<f64>> {
    let mut law = vec![vec![1.0]];
    for size in 1..=LARGEST {
        let mut next = vec![0.0; size + 1];
        for left in 0..size {
            for (first, p) in law[left].iter().enumerate() {
                for (second, q) in law[size - 1 - left].iter().enumerate() {
                    next[1 + first.max(second)] += p * q / size as f64;
                }
            }
        }
        law.push(next);
    }
    law
}

/// `law[l][v][k]`: probability that an expression of l operators has the value v and lazily needs k operators.
fn values() -> Vec<Vec<Vec<f64>>> {
    let mut law = vec![vec![vec![1.0 / MODULUS as f64]; MODULUS]];
    for size in 1..=LARGEST {
        let mut next = vec![vec![0.0; size + 1]; MODULUS];
        for left in 0..size {
            for a in 0..MODULUS {
                for b in 0..MODULUS {
                    pair(&law[left][a], &law[size - 1 - left][b], |i, j, probability| {
                        let weight = probability / (3 * size) as f64;
                        next[(a + b) % MODULUS][1 + i + j] += weight;
                        next[(MODULUS + a - b) % MODULUS][1 + i + j] += weight;
                        let product = match (a, b) {
                            (0, 0) => i.min(j),
                            (0, _) => i,
                            (_, 0) => j,
                            _ => i + j,
                        };
                        next[a * b % MODULUS][1 + product] += weight;
                    });
                }
            }
        }
        law.push(next);
    }
    law
}

fn pair(first: &[f64], second: &[f64], mut visit: impl FnMut(usize, usize, f64)) {
    for (i, p) in first.iter().enumerate() {
        for (j, q) in second.iter().enumerate() {
            visit(i, j, p * q);
        }
    }
}

/// Mean and variance of a distribution over 0, 1, 2, ...
fn moments(law: &[f64]) -> (f64, f64) {
    let mean: f64 = law.iter().enumerate().map(|(k, p)| k as f64 * p).sum();
    (mean, law.iter().enumerate().map(|(k, p)| (k as f64 - mean).powi(2) * p).sum())
}

/// The distribution of the lazy count alone.
fn lazy(law: &[Vec<f64>]) -> Vec<f64> {
    (0..law[0].len()).map(|k| law.iter().map(|of_value| of_value[k]).sum()).collect()
}

#[test]
fn exact_laws_have_the_known_values() {
    let heights = heights();
    let known = [(1, 1.0), (2, 2.0), (3, 2.6667), (5, 3.8), (8, 5.0175), (10, 5.6411), (13, 6.4065), (16, 7.0391)];
    for (size, mean) in known {
        assert!((moments(&heights[size]).0 - mean).abs() < 1e-4, "{size}");
    }
    let values = values();
    for (size, probability) in [(1, 0.057341), (2, 0.061761), (3, 0.064197), (5, 0.066998), (10, 0.070258)] {
        let of_value: Vec<f64> = values[size].iter().map(|law| law.iter().sum()).collect();
        assert!((of_value[0] - probability).abs() < 1e-6, "{size}");
        assert!(of_value[1..].iter().all(|p| (p - (1.0 - of_value[0]) / 22.0).abs() < 1e-12), "{size}");
    }
    for (size, mean) in [(10, 9.56), (16, 15.06)] {
        let exact = moments(&lazy(&values[size])).0;
        assert!((exact - mean).abs() < 0.01, "{size}: {exact}");
    }
}

#[test]
fn samples_follow_the_exact_laws() {
    let task = mano();
    let (heights, values) = (heights(), values());
    let count = 20_000;
    for size in [1, 2, 3, 5, 8, 10, 16] {
        let mut sums = [0.0; 3];
        for seed in 0..count {
            let instance = draw(&*task, size as u32, seed);
            let at_value = |name| f64::from(*column(&*task, &instance, name).last().unwrap());
            let zero = f64::from(u8::from(instance.answer == "0"));
            for (sum, number) in sums.iter_mut().zip([at_value("height"), zero, at_value("lazy_ops")]) {
                *sum += number;
            }
        }
        let zero: f64 = values[size][0].iter().sum();
        let laws = [moments(&heights[size]), (zero, zero * (1.0 - zero)), moments(&lazy(&values[size]))];
        for ((sum, (mean, variance)), name) in sums.iter().zip(laws).zip(["height", "zero", "lazy"]) {
            let deviation = (variance / count as f64).sqrt();
            let found = sum / count as f64;
            assert!((found - mean).abs() <= 4.0 * deviation + 1e-9, "{name} at {size}: {found}, not {mean}");
        }
    }
}
