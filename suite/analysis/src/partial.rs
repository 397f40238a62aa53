//! Partial rank correlation: the correlation of two variables given controls.

use crate::ranks::{Levels, centred_ranks};
use crate::reason::Reason;

/// A variable counts as fully explained if the controls leave less than this share of its variance. Rank sums are
/// nearly exact, so rounding leaves some 1e-15 of a fully explained variable.
const NOTHING_LEFT: f64 = 1e-10;

/// Two variables and their controls, prepared for repeated evaluation with different weights.
///
/// Besides ranked controls there may be classes, such as the token read: one column of zeros and ones per class.
/// Eliminating these columns is the same as subtracting every class's mean from everything else (Frisch and Waugh
/// 1933), so any number of them is free.
///
/// Depth, complexity, size and position have few levels, and most combinations occur often, so sums run over distinct
/// combinations.
#[derive(Debug, Clone)]
pub struct PartialRanks {
    /// Per variable, its level in every combination, and its number of levels.
    variables: Vec<(Vec<usize>, usize)>,
    /// Combination of every observation.
    combination: Vec<usize>,
    /// Number of distinct combinations.
    combinations: usize,
    /// Class of every combination, if there are classes, and their number.
    classes: Option<(Vec<usize>, usize)>,
}

impl PartialRanks {
    /// Prepares x, y, the controls and, if given, the class of every observation. [`Reason::Mismatched`] if the lengths
    /// differ, [`Reason::NotFinite`] if a value is infinite or NaN.
    pub fn of(x: &[f64], y: &[f64], controls: &[&[f64]], classes: Option<&[f64]>) -> Result<Self, Reason> {
        if [y].iter().chain(controls).chain(&classes).any(|other| other.len() != x.len()) {
            return Err(Reason::Mismatched);
        }
        let mut levels: Vec<Levels> =
            [x, y].iter().chain(controls).chain(&classes).map(|v| Levels::of(v)).collect::<Result<_, Reason>>()?;
        let Combinations { of_row: combination, firsts } = combine(&levels, x.len());
        let combinations = firsts.len();
        let of_groups = |variable: &Levels| {
            let codes = firsts.iter().map(|&row| variable.codes()[row]).collect();
            (codes, variable.count())
        };
        let classes = classes.and_then(|_| levels.pop()).map(|classes| of_groups(&classes));
        let variables = levels.iter().map(of_groups).collect();
        Ok(PartialRanks { variables, combination, combinations, classes })
    }

    /// Partial Spearman correlation if observation i occurs `weight(i)` times: Pearson's correlation of residuals. A
    /// least-squares fit with intercept on the average ranks of the controls leaves the residuals of the average ranks
    /// of x and y.
    ///
    /// The residuals' products are the Schur complement of the controls in the correlation matrix of the ranks. The
    /// controls are eliminated in the order of their remaining variance, largest first, and exhausted ones (constant,
    /// or collinear with others) are dropped. Errors: [`Reason::Empty`]; [`Reason::Constant`] if x or y is constant or
    /// fully explained; [`Reason::TooFew`] below k + c + 2 observations for k kept controls and c classes, 1 without
    /// classes.
    pub fn correlation(&self, weight: impl Fn(usize) -> u32) -> Result<f64, Reason> {
        let Gram { mut matrix, ranks, count, classes } = self.gram(weight);
        if count == 0 {
            return Err(Reason::Empty);
        }
        let scale: Vec<f64> = ranks.iter().map(|squares| squares.sqrt()).collect();
        if scale[0] == 0.0 || scale[1] == 0.0 {
            return Err(if count < 3 { Reason::TooFew { needed: 3, found: count } } else { Reason::Constant });
        }
        for (i, row) in matrix.iter_mut().enumerate() {
            for (j, value) in row.iter_mut().enumerate() {
                let unit = scale[i] * scale[j];
                *value = if unit > 0.0 { *value / unit } else { 0.0 };
            }
        }
        let kept = eliminate_controls(&mut matrix);
        let needed = kept + classes + 2;
        if count < needed {
            return Err(Reason::TooFew { needed, found: count });
        }
        let (xx, yy, xy) = (matrix[0][0], matrix[1][1], matrix[0][1]);
        if xx <= NOTHING_LEFT || yy <= NOTHING_LEFT {
            return Err(Reason::Constant);
        }
        Ok((xy / (xx.sqrt() * yy.sqrt())).clamp(-1.0, 1.0))
    }

    /// Sums of products of the centred ranks of the variables.
    fn gram(&self, weight: impl Fn(usize) -> u32) -> Gram {
        let mut weights = vec![0_u64; self.combinations];
        for (row, &id) in self.combination.iter().enumerate() {
            weights[id] += u64::from(weight(row));
        }
        let mut ranks: Vec<Vec<f64>> = self
            .variables
            .iter()
            .map(|(codes, levels)| {
                let mut tally = vec![0; *levels];
                for (&code, &w) in codes.iter().zip(&weights) {
                    tally[code] += w;
                }
                let by_level = centred_ranks(&tally);
                codes.iter().map(|&code| by_level[code] as f64).collect()
            })
            .collect();
        let times: Vec<f64> = weights.iter().map(|&w| w as f64).collect();
        let weighted = |a: &[f64]| -> Vec<f64> { a.iter().zip(&times).map(|(a, w)| a * w).collect() };
        let product = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        let squares = ranks.iter().map(|own| product(&weighted(own), own)).collect();
        let classes = self.take_out_classes(&mut ranks, &weights);
        let width = ranks.len();
        let mut matrix = vec![vec![0.0; width]; width];
        for i in 0..width {
            let own = weighted(&ranks[i]);
            for j in 0..=i {
                let sum = product(&own, &ranks[j]);
                matrix[i][j] = sum;
                matrix[j][i] = sum;
            }
        }
        Gram { matrix, ranks: squares, count: weights.iter().sum::<u64>() as usize, classes }
    }

    /// Subtracts the mean of its class from every rank, and returns the number of classes that occur; 1 without
    /// classes.
    fn take_out_classes(&self, ranks: &mut [Vec<f64>], weights: &[u64]) -> usize {
        let Some((class, classes)) = &self.classes else { return 1 };
        let mut sizes = vec![0_u64; *classes];
        class.iter().zip(weights).for_each(|(&own, &w)| sizes[own] += w);
        for ranks in ranks {
            let mut means = vec![0.0; *classes];
            for ((&own, &w), rank) in class.iter().zip(weights).zip(ranks.iter()) {
                means[own] += rank * w as f64;
            }
            means.iter_mut().zip(&sizes).for_each(|(mean, &size)| *mean /= (size.max(1)) as f64);
            ranks.iter_mut().zip(class).for_each(|(rank, &own)| *rank -= means[own]);
        }
        sizes.iter().filter(|&&size| size > 0).count()
    }
}

/// The distinct combinations of levels, in lexicographic order.
struct Combinations {
    /// Combination of every row.
    of_row: Vec<usize>,
    /// The first row of every combination.
    firsts: Vec<usize>,
}

/// Levels become the digits of one number with mixed bases: sorting numbers is ten times as fast as comparing tuples.
/// Whenever the number could overflow, it is replaced by its own level.
fn combine(levels: &[Levels], rows: usize) -> Combinations {
    let mut keys = vec![0_u64; rows];
    let mut bound = 1_u64;
    for variable in levels {
        let base = (variable.count() as u64).max(1);
        if bound.checked_mul(base).is_none() {
            let Combinations { of_row, firsts } = distinct(&keys);
            keys = of_row.into_iter().map(|code| code as u64).collect();
            bound = firsts.len() as u64;
        }
        bound = bound.saturating_mul(base);
        keys.iter_mut().zip(variable.codes()).for_each(|(key, &code)| *key = *key * base + code as u64);
    }
    distinct(&keys)
}

fn distinct(keys: &[u64]) -> Combinations {
    let mut order: Vec<(u64, usize)> = keys.iter().copied().zip(0..).collect();
    order.sort_unstable();
    let mut of_row = vec![0; keys.len()];
    let mut firsts = Vec::new();
    for group in order.chunk_by(|a, b| a.0 == b.0) {
        group.iter().for_each(|&(_, row)| of_row[row] = firsts.len());
        firsts.extend(group.first().map(|&(_, row)| row));
    }
    Combinations { of_row, firsts }
}

/// Sums of products of variables over `count` observations, with class means subtracted.
struct Gram {
    matrix: Vec<Vec<f64>>,
    /// Sums of squares before class means were subtracted.
    ranks: Vec<f64>,
    count: usize,
    /// Number of classes that occur, 1 without classes.
    classes: usize,
}

/// Eliminates every variable but the first two from the others, unless nothing of it is left, and returns the number of
/// eliminated variables.
fn eliminate_controls(matrix: &mut [Vec<f64>]) -> usize {
    let mut waiting: Vec<usize> = (2..matrix.len()).collect();
    let mut kept = 0;
    loop {
        let largest = waiting.iter().copied().max_by(|&i, &j| matrix[i][i].total_cmp(&matrix[j][j]));
        let Some(pivot) = largest.filter(|&i| matrix[i][i] > NOTHING_LEFT) else {
            return kept;
        };
        waiting.retain(|&i| i != pivot);
        kept += 1;
        let row = matrix[pivot].clone();
        for i in [0, 1].iter().chain(&waiting).copied() {
            let factor = row[i] / row[pivot];
            for (value, of_pivot) in matrix[i].iter_mut().zip(&row) {
                *value -= factor * of_pivot;
            }
        }
    }
}
