//! Dynamic programs. The entries of an answer are a table of decisions, row by row.

use crate::trace::Trace;

/// Splits of matrix products: one step per round, in which every product is improved from what the previous round knew
/// of its parts. The last round changes no cost.
///
/// A product of `n` matrices has its least cost after `n - 1` rounds, so there are never more rounds than dimensions.
pub fn matrix_chain_order(dimensions: &[f64]) -> Trace {
    let count = dimensions.len();
    let cell = |from: usize, to: usize| from * count + to;
    let mut trace = Trace::new(vec![0; count * count]);
    let mut costs = vec![0.0; count * count];
    let mut known = vec![false; count * count];
    for matrix in 1..count {
        known[cell(matrix, matrix)] = true;
    }
    for _ in 0..=count {
        let (before, known_before) = (costs.clone(), known.clone());
        trace.snapshot();
        for from in 1..count {
            for to in from + 1..count {
                let here = cell(from, to);
                let mut split = trace.index(here);
                for middle in from..to {
                    let (left, right) = (cell(from, middle), cell(middle + 1, to));
                    if !known_before[left] || !known_before[right] {
                        continue;
                    }
                    let product = dimensions[from - 1] * dimensions[middle] * dimensions[to];
                    let cost = before[left] + before[right] + product;
                    if !known[here] || cost < costs[here] {
                        costs[here] = cost;
                        split = middle;
                    }
                    known[here] = true;
                }
                trace.set(here, split);
            }
        }
        if costs == before {
            break;
        }
    }
    trace
}

/// In the table of [`lcs_length`]: the letters match.
const MATCH: i32 = 0;
/// The longest common subsequence does not need the last letter of the first string.
const UP: i32 = 1;
/// It does not need the last letter of the second string.
const LEFT: i32 = 2;
/// Not a pair of letters of the two strings.
const BLANK: i32 = -1;

/// Backward pointers of the longest common subsequence, in a matrix over the letters of both strings: one step per
/// round, in which every cell is computed from its neighbours of the previous round. Borders are computed at the start.
pub fn lcs_length(first: &[u8], second: &[u8]) -> Trace {
    let (rows, columns) = (first.len(), second.len());
    let side = rows + columns;
    let at = |row: usize, column: usize| row * side + rows + column;
    let mut entries = vec![BLANK; side * side];
    let mut lengths = vec![0u32; rows * columns];
    for row in 0..rows {
        entries[at(row, 0)..=at(row, columns - 1)].fill(0);
    }
    for (column, letter) in second.iter().enumerate() {
        let before = if column > 0 { lengths[column - 1] } else { 0 };
        let matches = first[0] == *letter;
        lengths[column] = u32::from(matches).max(before);
        entries[at(0, column)] = match (matches, before) {
            (true, _) => MATCH,
            (false, 0) => UP,
            (false, _) => LEFT,
        };
    }
    for row in 1..rows {
        let matches = first[row] == second[0];
        lengths[row * columns] = u32::from(matches).max(lengths[(row - 1) * columns]);
        entries[at(row, 0)] = if matches { MATCH } else { UP };
    }
    let mut trace = Trace::new(entries);
    loop {
        let before = lengths.clone();
        trace.snapshot();
        for row in 1..rows {
            for column in 1..columns {
                let (up, left) = (before[(row - 1) * columns + column], before[row * columns + column - 1]);
                let (length, pointer) = if first[row] == second[column] {
                    (before[(row - 1) * columns + column - 1] + 1, MATCH)
                } else if up >= left {
                    (up, UP)
                } else {
                    (left, LEFT)
                };
                lengths[row * columns + column] = length;
                trace.put(at(row, column), pointer);
            }
        }
        if lengths == before {
            return trace;
        }
    }
}

/// Roots of optimal binary search trees: one step per number of keys. `keys` ends with a 0 that is not a key.
pub fn optimal_bst(keys: &[f64], gaps: &[f64]) -> Trace {
    let side = gaps.len();
    let cell = |from: usize, to: usize| from * side + to;
    let mut trace = Trace::started(vec![0; side * side]);
    let (mut costs, mut weights) = (vec![0.0; side * side], vec![0.0; side * side]);
    for (gap, probability) in gaps.iter().enumerate() {
        costs[cell(gap, gap)] = *probability;
        weights[cell(gap, gap)] = *probability;
    }
    for length in 1..side {
        for from in 0..side - length {
            let to = from + length;
            let weight = weights[cell(from, to - 1)] + keys[to - 1] + gaps[to];
            weights[cell(from, to)] = weight;
            let (mut best, mut root) = (1e9, 0);
            for middle in from..to {
                let cost = costs[cell(from, middle)] + costs[cell(middle + 1, to)] + weight;
                if cost < best {
                    best = cost;
                    root = middle;
                }
            }
            costs[cell(from, to)] = best;
            trace.set(cell(from, to), root);
        }
        trace.snapshot();
    }
    trace
}
