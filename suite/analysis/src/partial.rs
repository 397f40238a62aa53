//! Partial rank correlation: what is left between two variables once controls are taken out.

use crate::ranks::{Levels, centred_ranks};
use crate::reason::Reason;

/// Share of a variable's variance below which what the controls leave over counts as nothing. Rank sums are exact or
/// nearly so, hence what rounding leaves of a fully explained variable is some 1e-15.
const NOTHING_LEFT: f64 = 1e-10;

/// Two variables and their controls, prepared for repeated evaluation with different weights.
///
/// Depth, complexity, size and position have few levels each, so that most combinations occur often: sums run over the
/// distinct combinations.
#[derive(Debug, Clone)]
pub struct PartialRanks {
    /// Per variable, its level in every combination, and how many levels it has.
    variables: Vec<(Vec<usize>, usize)>,
    /// Combination of every observation.
    combination: Vec<usize>,
    /// How many combinations occur.
    combinations: usize,
}

impl PartialRanks {
    /// Prepares x, y and the controls. [`Reason::Mismatched`] if the lengths differ, [`Reason::NotFinite`] if a value
    /// is infinite or NaN.
    pub fn of(x: &[f64], y: &[f64], controls: &[&[f64]]) -> Result<Self, Reason> {
        if y.len() != x.len() || controls.iter().any(|control| control.len() != x.len()) {
            return Err(Reason::Mismatched);
        }
        let levels: Vec<Levels> =
            [x, y].iter().chain(controls).map(|v| Levels::of(v)).collect::<Result<_, Reason>>()?;
        let tuple = |row: usize| levels.iter().map(move |variable| variable.codes()[row]);
        let mut order: Vec<usize> = (0..x.len()).collect();
        order.sort_by(|&a, &b| tuple(a).cmp(tuple(b)));
        let groups: Vec<&[usize]> = order.chunk_by(|&a, &b| tuple(a).eq(tuple(b))).collect();
        let mut combination = vec![0; x.len()];
        for (group, id) in groups.iter().zip(0..) {
            group.iter().for_each(|&row| combination[row] = id);
        }
        let of_groups = |variable: &Levels| groups.iter().map(|group| variable.codes()[group[0]]).collect();
        let variables = levels.iter().map(|variable| (of_groups(variable), variable.count())).collect();
        Ok(PartialRanks { variables, combinations: groups.len(), combination })
    }

    /// Partial Spearman correlation when observation i occurs `weight(i)` times: Pearson's correlation of the
    /// residuals of the average ranks of x and y after least squares on the average ranks of the controls, with
    /// intercept.
    ///
    /// The residuals' products are the Schur complement of the controls in the correlation matrix of the ranks. The
    /// controls are eliminated in the order of what is left of them, largest first, and those of which nothing is
    /// left (constant, or collinear with others) are dropped. Errors: [`Reason::Empty`]; [`Reason::Constant`] if x or
    /// y is constant or fully explained; [`Reason::TooFew`] below k + 3 observations for k controls kept.
    pub fn correlation(&self, weight: impl Fn(usize) -> u32) -> Result<f64, Reason> {
        let Gram { mut matrix, count } = self.gram(weight);
        if count == 0 {
            return Err(Reason::Empty);
        }
        let scale: Vec<f64> = matrix.iter().enumerate().map(|(i, row)| row[i].sqrt()).collect();
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
        if count < kept + 3 {
            return Err(Reason::TooFew { needed: kept + 3, found: count });
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
        let ranks: Vec<Vec<f64>> = self
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
        let width = ranks.len();
        let mut matrix = vec![vec![0.0; width]; width];
        for i in 0..width {
            for j in 0..=i {
                let terms = ranks[i].iter().zip(&ranks[j]).zip(&weights);
                let sum: f64 = terms.map(|((a, b), &w)| a * b * w as f64).sum();
                matrix[i][j] = sum;
                matrix[j][i] = sum;
            }
        }
        Gram { matrix, count: weights.iter().sum::<u64>() as usize }
    }
}

/// Sums of products of variables over `count` observations.
struct Gram {
    matrix: Vec<Vec<f64>>,
    count: usize,
}

/// Takes every variable but the first two out of the others, as far as something is left of it, and returns how many
/// were taken out.
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
