//! Matrix products on slices, whose result for a row does not depend on how many rows there are.

use std::ops::Range;
use std::sync::Arc;

use super::cpu::Real;
use crate::threads;

/// A matrix in a slice: `rows` times `columns`, row-major, or the transpose of such a matrix.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a, T> {
    values: &'a [T],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// `values` as rows of `columns` numbers.
    pub fn new(values: &'a [T], columns: usize) -> Self {
        debug_assert!(values.len().is_multiple_of(columns.max(1)));
        Self { values, rows: values.len() / columns.max(1), columns, row_stride: columns, column_stride: 1 }
    }

    /// The transpose.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// Some of its columns, which must lie side by side in memory.
    fn columns_in(self, columns: Range<usize>) -> Self {
        debug_assert!(columns.end <= self.columns && self.column_stride == 1);
        let values = if self.rows == 0 { &[] } else { &self.values[columns.start..] };
        Self { values, columns: columns.len(), ..self }
    }

    fn fits(&self) -> bool {
        self.rows == 0
            || self.columns == 0
            || (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride < self.values.len()
    }
}

/// Fewest rows for which gemm 0.19 takes the same path as for any larger number.
///
/// Products of at most 256 results use a dot-product kernel, and those of at most 64 rows and columns block the
/// inner dimension differently; both round otherwise. Operands with fewer rows are padded, so that a token's state
/// never depends on how many other tokens still run.
pub(crate) fn fewest_rows(outputs: usize) -> usize {
    let beyond_dot_products = 256 / outputs.max(1) + 1;
    if outputs <= 64 { beyond_dot_products.max(65) } else { beyond_dot_products.max(8) }
}

/// `into` (row-major, as wide as `right`) = left · right, or += if `accumulate`.
pub(super) fn multiply<T: Real>(into: &mut [T], left: Matrix<T>, right: Matrix<T>, accumulate: bool) {
    assert!(left.columns == right.rows && into.len() == left.rows * right.columns && left.fits() && right.fits());
    // SAFETY: the product writes into.len() numbers, which is the shape asserted above.
    unsafe { product(into.as_mut_ptr(), left, right, accumulate) }
}

/// Rows of a sum of products that one thread works on at a time.
const BLOCK: usize = 128;

/// Sums of outer products, each over the chunks of a batch in their order: `into` += Σ leftᵀ · right.
pub(super) struct OuterProducts<'a, T> {
    /// Where to add, row-major, as wide as the right operands.
    pub into: &'a mut [T],
    /// The operands of each chunk.
    pub terms: Vec<[Matrix<'a, T>; 2]>,
}

/// Adds all the sums, in parallel over blocks of their rows.
pub(super) fn add_outer_products<T: Real>(sums: Vec<OuterProducts<T>>) {
    let mut blocks = Vec::new();
    for OuterProducts { into, terms } in sums {
        let Some([_, right]) = terms.first() else { continue };
        let width = right.columns;
        let terms = Arc::new(terms);
        for (number, into) in into.chunks_mut(BLOCK * width.max(1)).enumerate() {
            let first = number * BLOCK;
            let columns = first..first + into.len() / width.max(1);
            blocks.push((into, columns, terms.clone()));
        }
    }
    threads::for_each(blocks, |(into, columns, terms)| {
        for [left, right] in terms.iter().filter(|[left, _]| left.rows > 0) {
            multiply(into, left.columns_in(columns.clone()).transposed(), *right, true);
        }
    });
}

/// left · right as a new vector, row-major.
pub(super) fn multiplied<T: Real>(left: Matrix<T>, right: Matrix<T>) -> Vec<T> {
    assert!(left.columns == right.rows && left.fits() && right.fits());
    let length = left.rows * right.columns;
    if left.columns == 0 {
        return vec![T::zero(); length];
    }
    let mut result = Vec::with_capacity(length);
    // SAFETY: the capacity is that of the product, which writes every number of it without reading any, since it does
    // not accumulate and the inner dimension is not empty.
    unsafe {
        product(result.as_mut_ptr(), left, right, false);
        result.set_len(length);
    }
    result
}

/// # Safety
/// `into` points to room for left.rows · right.columns numbers, initialised if `accumulate`; both operands fit.
unsafe fn product<T: Real>(into: *mut T, left: Matrix<T>, right: Matrix<T>, accumulate: bool) {
    let threads = if threads::is_working() { 1 } else { rayon::current_num_threads() };
    let parallelism = if threads > 1 { gemm::Parallelism::Rayon(threads) } else { gemm::Parallelism::None };
    // SAFETY: strides and sizes describe memory within the operands' slices, which `fits` has been asserted for, and
    // within `into`, which the caller vouches for. The operands are shared borrows and cannot overlap `into`.
    unsafe {
        gemm::gemm(
            left.rows,
            right.columns,
            left.columns,
            into,
            1,
            right.columns as isize,
            accumulate,
            left.values.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.values.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            T::one(),
            T::one(),
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// x wᵀ for `x` `[rows, inputs]` and `weight` `[outputs, inputs]`: `[rows, outputs]`, the same for a row however many
/// there are.
pub(super) fn project<T: Real>(x: &[T], weight: &[T], inputs: usize) -> Vec<T> {
    let (x, weight) = (Matrix::new(x, inputs), Matrix::new(weight, inputs));
    let (rows, outputs) = (x.rows, weight.rows);
    let needed = fewest_rows(outputs);
    if rows >= needed || rows == 0 {
        return multiplied(x, weight.transposed());
    }
    let mut padded = Vec::with_capacity(needed * inputs);
    padded.extend_from_slice(x.values);
    padded.resize(needed * inputs, T::zero());
    let mut result = multiplied(Matrix::new(&padded, inputs), weight.transposed());
    result.truncate(rows * outputs);
    result
}

/// `into` = x wᵀ, the same for a row however many there are.
pub(super) fn project_into<T: Real>(into: &mut [T], x: &[T], weight: &[T], inputs: usize) {
    let (left, weights) = (Matrix::new(x, inputs), Matrix::new(weight, inputs));
    if left.rows >= fewest_rows(weights.rows) {
        return multiply(into, left, weights.transposed(), false);
    }
    into.copy_from_slice(&project(x, weight, inputs));
}

/// `into` += x wᵀ, the same for a row however many there are.
pub(super) fn project_onto<T: Real>(into: &mut [T], x: &[T], weight: &[T], inputs: usize) {
    let (left, weights) = (Matrix::new(x, inputs), Matrix::new(weight, inputs));
    let needed = fewest_rows(weights.rows);
    if left.rows >= needed || left.rows == 0 {
        return multiply(into, left, weights.transposed(), true);
    }
    let padded = |values: &[T], width: usize| {
        let mut padded = values.to_vec();
        padded.resize(needed * width, T::zero());
        padded
    };
    let mut sums = padded(into, weights.rows);
    multiply(&mut sums, Matrix::new(&padded(x, inputs), inputs), weights.transposed(), true);
    into.copy_from_slice(&sums[..into.len()]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    fn values(count: usize, seed: u64) -> Vec<f64> {
        let mut stream = Stream::new(seed, "test", &[]);
        (0..count).map(|_| stream.normal()).collect()
    }

    fn entry(matrix: &Matrix<f64>, row: usize, column: usize) -> f64 {
        matrix.values[row * matrix.row_stride + column * matrix.column_stride]
    }

    #[test]
    fn products_are_those_of_the_definition() {
        for (rows, inner, columns) in [(1, 1, 1), (3, 5, 2), (70, 9, 33), (0, 3, 2), (4, 0, 3)] {
            let (a, b) = (values(rows * inner, 1), values(inner * columns, 2));
            let (at, bt) = (values(inner * rows, 3), values(columns * inner, 4));
            let lefts = [Matrix::new(&a, inner), Matrix { rows: inner, ..Matrix::new(&at, rows) }.transposed()];
            let rights = [Matrix { rows: inner, ..Matrix::new(&b, columns) }, Matrix::new(&bt, inner).transposed()];
            for left in lefts.into_iter().map(|left| Matrix { rows, columns: inner, ..left }) {
                for right in rights.iter().map(|right| Matrix { rows: inner, columns, ..*right }) {
                    let found = multiplied(left, right);
                    let mut sum = values(rows * columns, 5);
                    let before = sum.clone();
                    multiply(&mut sum, left, right, true);
                    for index in 0..rows * columns {
                        let (row, column) = (index / columns, index % columns);
                        let product: f64 = (0..inner).map(|k| entry(&left, row, k) * entry(&right, k, column)).sum();
                        assert!((found[index] - product).abs() < 1e-12);
                        assert!((sum[index] - before[index] - product).abs() < 1e-12);
                    }
                }
            }
        }
    }

    /// Invariant 7: batch composition never changes a row.
    #[test]
    fn invariant_7_a_row_does_not_depend_on_how_many_rows_there_are() {
        let values = |count, seed| values(count, seed).into_iter().map(|x| x as f32).collect::<Vec<f32>>();
        let shapes = [
            (32, 32),
            (32, 96),
            (32, 256),
            (128, 32),
            (256, 512),
            (256, 3328),
            (1664, 256),
            (1664, 14),
            (256, 14),
            (64, 1),
            (16, 16),
            (2048, 512),
        ];
        for (inputs, outputs) in shapes {
            let (weight, x) = (values(inputs * outputs, 1), values(300 * inputs, 2));
            let start = values(300 * outputs, 3);
            let all = project(&x, &weight, inputs);
            let mut all_onto = start.clone();
            project_onto(&mut all_onto, &x, &weight, inputs);
            for rows in [1, 2, 3, 5, 8, 9, 17, 64, 65, 200, 257, 299] {
                let from = 300 - rows;
                let some = project(&x[from * inputs..], &weight, inputs);
                assert_eq!(some, all[from * outputs..], "{rows} rows of {inputs}x{outputs}");
                let mut onto = start[from * outputs..].to_vec();
                project_onto(&mut onto, &x[from * inputs..], &weight, inputs);
                assert_eq!(onto, all_onto[from * outputs..], "{rows} rows added to {inputs}x{outputs}");
            }
        }
    }
}
