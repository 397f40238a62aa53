//! Cross-tabulation of two ordered variables, and the rank statistics that depend on its counts alone.
//!
//! The levels and cells are found once; leaving out observations only changes the counts of cells. A rank correlation
//! of the remaining observations then costs one pass over observations and one over cells, without sorting.

use crate::ranks::{Levels, centred_ranks};
use crate::reason::Reason;

/// The pairs of levels of two variables that occur, and the pair of every observation.
#[derive(Debug, Clone)]
pub struct CrossTable {
    cells: Vec<(usize, usize)>,
    cell_of: Vec<usize>,
    x_levels: usize,
    y_levels: usize,
}

/// Numbers of pairs of observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairCounts {
    /// All pairs, n (n - 1) / 2.
    pub pairs: i128,
    /// Pairs tied in x, whether or not they are tied in y.
    pub tied_x: i128,
    /// Pairs tied in y, whether or not they are tied in x.
    pub tied_y: i128,
    /// Concordant minus discordant pairs.
    pub concordance: i128,
}

impl CrossTable {
    /// Table of two variables with one value per observation. [`Reason::Mismatched`] if their lengths differ,
    /// [`Reason::NotFinite`] if a value is infinite or NaN.
    pub fn of(x: &[f64], y: &[f64]) -> Result<Self, Reason> {
        if x.len() != y.len() {
            return Err(Reason::Mismatched);
        }
        let (x, y) = (Levels::of(x)?, Levels::of(y)?);
        let mut order: Vec<(usize, usize, usize)> =
            x.codes().iter().zip(y.codes()).enumerate().map(|(row, (&a, &b))| (a, b, row)).collect();
        order.sort_unstable();
        let mut cells: Vec<(usize, usize)> = Vec::new();
        let mut cell_of = vec![0; order.len()];
        for (a, b, row) in order {
            if cells.last() != Some(&(a, b)) {
                cells.push((a, b));
            }
            if let Some(cell) = cell_of.get_mut(row) {
                *cell = cells.len() - 1;
            }
        }
        Ok(CrossTable { cells, cell_of, x_levels: x.count(), y_levels: y.count() })
    }

    /// Number of observations in each cell if observation i occurs `weight(i)` times.
    pub fn tally(&self, weight: impl Fn(usize) -> u32) -> Vec<u64> {
        let mut tally = vec![0; self.cells.len()];
        for (row, &cell) in self.cell_of.iter().enumerate() {
            if let Some(n) = tally.get_mut(cell) {
                *n += u64::from(weight(row));
            }
        }
        tally
    }

    /// Spearman's rank correlation: Pearson's correlation of average ranks. Errors: [`Reason::Empty`],
    /// [`Reason::TooFew`] below two observations, [`Reason::Constant`].
    pub fn spearman(&self, tally: &[u64]) -> Result<f64, Reason> {
        let (x, y) = self.margins(tally);
        check(&x, &y)?;
        let (rx, ry) = (centred_ranks(&x), centred_ranks(&y));
        let square = |ranks: &[i64], margin: &[u64]| -> i128 {
            ranks.iter().zip(margin).map(|(&r, &n)| i128::from(n) * i128::from(r) * i128::from(r)).sum()
        };
        let product: i128 = self
            .cells
            .iter()
            .zip(tally)
            .filter_map(|(&(a, b), &n)| Some(i128::from(n) * i128::from(*rx.get(a)?) * i128::from(*ry.get(b)?)))
            .sum();
        ratio(product, square(&rx, &x), square(&ry, &y))
    }

    /// Kendall's tau-b, (C - D) / sqrt((n0 - n1)(n0 - n2)). Errors as for [`CrossTable::spearman`].
    pub fn tau_b(&self, tally: &[u64]) -> Result<f64, Reason> {
        let (x, y) = self.margins(tally);
        check(&x, &y)?;
        let counts = self.pair_counts(tally);
        ratio(counts.concordance, counts.pairs - counts.tied_x, counts.pairs - counts.tied_y)
    }

    /// Somers' D of y given x, (C - D) / (n0 - n1): concordant minus discordant pairs, as a share of the pairs that
    /// differ in x. A constant y gives [`Reason::Constant`], not 0; other errors as for [`CrossTable::spearman`].
    pub fn somers_d(&self, tally: &[u64]) -> Result<f64, Reason> {
        let (x, y) = self.margins(tally);
        check(&x, &y)?;
        let counts = self.pair_counts(tally);
        let untied = counts.pairs - counts.tied_x;
        ratio(counts.concordance, untied, untied)
    }

    /// Numbers of pairs, in O(n log n). Cells are visited in the order of x, then y, as in Knight (1966), with a
    /// Fenwick tree over y instead of the merge sort, so that cells may hold any number of observations.
    pub fn pair_counts(&self, tally: &[u64]) -> PairCounts {
        let (x, y) = self.margins(tally);
        let tied = |margin: &[u64]| margin.iter().map(|&n| i128::from(n) * (i128::from(n) - 1) / 2).sum();
        let total: i128 = x.iter().map(|&n| i128::from(n)).sum();
        let mut seen = Fenwick::new(self.y_levels);
        let mut seen_total = 0;
        let mut concordance = 0;
        let rows: Vec<(usize, usize, u64)> = self.cells.iter().zip(tally).map(|(&(a, b), &n)| (a, b, n)).collect();
        for group in rows.chunk_by(|p, q| p.0 == q.0) {
            for &(_, b, n) in group {
                let below = seen.below(b);
                let above = seen_total - seen.below(b + 1);
                concordance += i128::from(n) * (i128::from(below) - i128::from(above));
            }
            for &(_, b, n) in group {
                seen.add(b, n);
                seen_total += n;
            }
        }
        PairCounts { pairs: total * (total - 1) / 2, tied_x: tied(&x), tied_y: tied(&y), concordance }
    }

    /// Number of observations per level of x and of y.
    fn margins(&self, tally: &[u64]) -> (Vec<u64>, Vec<u64>) {
        let (mut x, mut y) = (vec![0; self.x_levels], vec![0; self.y_levels]);
        for (&(a, b), &n) in self.cells.iter().zip(tally) {
            if let (Some(p), Some(q)) = (x.get_mut(a), y.get_mut(b)) {
                *p += n;
                *q += n;
            }
        }
        (x, y)
    }
}

/// Checks that both margins have at least two observations on at least two levels.
fn check(x: &[u64], y: &[u64]) -> Result<(), Reason> {
    let found = x.iter().sum::<u64>() as usize;
    let constant = |margin: &[u64]| margin.iter().filter(|&&n| n > 0).count() < 2;
    match found {
        0 => Err(Reason::Empty),
        1 => Err(Reason::TooFew { needed: 2, found }),
        _ if constant(x) || constant(y) => Err(Reason::Constant),
        _ => Ok(()),
    }
}

/// a / sqrt(b c), within [-1, 1].
fn ratio(a: i128, b: i128, c: i128) -> Result<f64, Reason> {
    if b <= 0 || c <= 0 {
        return Err(Reason::Constant);
    }
    let scale = if b == c { b as f64 } else { (b as f64).sqrt() * (c as f64).sqrt() };
    Ok((a as f64 / scale).clamp(-1.0, 1.0))
}

/// Running totals over positions, updated and read in O(log n).
struct Fenwick(Vec<u64>);

impl Fenwick {
    fn new(len: usize) -> Self {
        Fenwick(vec![0; len + 1])
    }

    fn add(&mut self, position: usize, n: u64) {
        let mut node = position + 1;
        while let Some(total) = self.0.get_mut(node) {
            *total += n;
            node += node & node.wrapping_neg();
        }
    }

    /// Total of all positions below `end`.
    fn below(&self, end: usize) -> u64 {
        let mut node = end;
        let mut sum = 0;
        while node > 0 {
            sum += self.0.get(node).copied().unwrap_or(0);
            node &= node - 1;
        }
        sum
    }
}
