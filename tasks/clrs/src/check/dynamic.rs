//! Checks of tables of dynamic programs.

use super::{close, compare};

/// Pointers of the longest common subsequence. Lengths of prefixes come from thresholds (Hunt and Szymanski): the k-th
/// is the shortest prefix of the second string with a common subsequence of k letters.
pub fn subsequence(first: &[u8], second: &[u8], given: &[i64]) -> Result<(), String> {
    let (rows, columns) = (first.len(), second.len());
    let side = rows + columns;
    let mut expected = vec![-1; side * side];
    let mut thresholds: Vec<usize> = Vec::new();
    for (row, letter) in first.iter().enumerate() {
        let above = thresholds.clone();
        for column in (0..columns).rev().filter(|column| second[*column] == *letter) {
            match thresholds.iter().position(|threshold| *threshold >= column) {
                Some(place) => thresholds[place] = column,
                None => thresholds.push(column),
            }
        }
        for column in 0..columns {
            let up = above.iter().filter(|threshold| **threshold <= column).count();
            let left = thresholds.iter().filter(|threshold| **threshold < column).count();
            expected[row * side + rows + column] = match second[column] == *letter {
                true => 0,
                false if up >= left => 1,
                false => 2,
            };
        }
    }
    compare(&expected, given)
}

/// Splits of products: each costs no more than any other split of its parts. Ties go to the split that reaches this
/// cost first when the products are computed in rounds.
pub fn splits(dimensions: &[f64], given: &[i64]) -> Result<(), String> {
    let count = dimensions.len();
    let product = |from: usize, middle: usize, to: usize| dimensions[from - 1] * dimensions[middle] * dimensions[to];
    // Bottom up by length, in the order of dependence.
    let mut best = vec![vec![0.0; count]; count];
    for length in 1..count {
        for from in 1..count.saturating_sub(length) {
            let to = from + length;
            let costs = (from..to).map(|k| best[from][k] + best[k + 1][to] + product(from, k, to));
            best[from][to] = costs.fold(f64::INFINITY, f64::min);
        }
    }
    // A product is known one round after its parts; rounds end when no cost changes, and each finalises the costs of
    // products with one more matrix.
    let mut costs: Vec<Vec<Option<(f64, usize)>>> = vec![vec![None; count]; count];
    (1..count).for_each(|matrix| costs[matrix][matrix] = Some((0.0, 0)));
    for _ in 0..=count {
        let mut next = costs.clone();
        for (from, line) in costs.iter().enumerate().skip(1) {
            for to in from + 1..count {
                let offers =
                    (from..to).filter_map(|k| Some((line[k]?.0 + costs[k + 1][to]?.0 + product(from, k, to), k)));
                // Ties go to the first offer, and to the known one before new ones.
                next[from][to] = line[to].into_iter().chain(offers).reduce(|a, b| if b.0 < a.0 { b } else { a });
            }
        }
        let cost = |entry: &Option<(f64, usize)>| entry.map_or(0.0, |(cost, _)| cost);
        let same = next.iter().flatten().zip(costs.iter().flatten()).all(|(new, old)| cost(new) == cost(old));
        costs = next;
        if same {
            break;
        }
    }
    for (from, line) in costs.iter().enumerate().skip(1) {
        for (to, entry) in line.iter().enumerate() {
            if let Some((cost, _)) = entry
                && !close(*cost, best[from][to])
                && dimensions.iter().all(|dimension| *dimension > 0.0)
            {
                return Err(format!("the product from {from} to {to} costs {cost} and not {}", best[from][to]));
            }
        }
    }
    let expected: Vec<i64> = costs.iter().flatten().map(|entry| entry.map_or(0, |(_, split)| split as i64)).collect();
    compare(&expected, given)
}

/// Roots of search trees, top down: the first root with the least cost, with sums rounded in the benchmark's order.
pub fn roots(keys: &[f64], gaps: &[f64], given: &[i64]) -> Result<(), String> {
    let mut table = Trees { keys, gaps, known: vec![vec![None; gaps.len()]; gaps.len()] };
    table.cost(0, gaps.len() - 1);
    let mut expected = Vec::with_capacity(given.len());
    for from in 0..gaps.len() {
        expected.extend((0..gaps.len()).map(|to| match table.known[from][to] {
            Some((_, root)) if from < to => root as i64,
            _ => 0,
        }));
    }
    compare(&expected, given)
}

/// Optimal trees over the keys between two gaps, computed on demand.
struct Trees<'a> {
    keys: &'a [f64],
    gaps: &'a [f64],
    known: Vec<Vec<Option<(f64, usize)>>>,
}

impl Trees<'_> {
    fn weight(&self, from: usize, to: usize) -> f64 {
        (from + 1..=to).fold(self.gaps[from], |sum, gap| sum + self.keys[gap - 1] + self.gaps[gap])
    }

    fn cost(&mut self, from: usize, to: usize) -> f64 {
        if let Some((cost, _)) = self.known[from][to] {
            return cost;
        }
        let weight = self.weight(from, to);
        let mut best = (if from == to { weight } else { f64::INFINITY }, from);
        for root in (from..to).rev() {
            let cost = self.cost(from, root) + self.cost(root + 1, to) + weight;
            if cost <= best.0 {
                best = (cost, root);
            }
        }
        self.known[from][to] = Some(best);
        best.0
    }
}
