use super::*;
use crate::instructions::{Best, Portable};
use crate::testing::normals as values;

const SHAPES: [(usize, usize, usize); 8] =
    [(1, 1, 1), (3, 5, 2), (70, 9, 33), (7, 16, 16), (133, 3, 17), (0, 3, 2), (4, 0, 3), (2, 3, 0)];

#[test]
fn products_are_those_of_the_definition() {
    for (rows, inner, columns) in SHAPES {
        let (left, right, start) = (values(rows * inner, 1), values(inner * columns, 2), values(rows * columns, 5));
        let transposed: Vec<f64> =
            (0..columns * inner).map(|index| right[index % inner.max(1) * columns + index / inner.max(1)]).collect();
        let mut panels = vec![Panels::of(&right, columns)];
        if columns > 0 && inner > 0 {
            panels.push(Panels::of_transposed(&transposed, inner));
        }
        for panels in panels.iter().filter(|panels| (panels.inner, panels.columns) == (inner, columns)) {
            let mut sum = start.clone();
            multiply(&mut sum, &left, panels, true);
            let mut product = start.clone();
            multiply(&mut product, &left, panels, false);
            for (index, start) in start.iter().enumerate() {
                let (row, column) = (index / columns, index % columns);
                let expected: f64 = (0..inner).map(|k| left[row * inner + k] * right[k * columns + column]).sum();
                assert!((product[index] - expected).abs() < 1e-12);
                assert!((sum[index] - start - expected).abs() < 1e-12);
            }
        }
    }
}

#[test]
fn outer_products_are_those_of_the_definition() {
    for (width, columns) in [(1, 1), (5, 2), (97, 33), (200, 16), (11, 300)] {
        let parts = [(7, 1), (0, 2), (1, 3), (130, 4)];
        let lefts: Vec<Vec<f64>> = parts.iter().map(|(rows, seed)| values(rows * width, *seed)).collect();
        let left_panels: Vec<Panels<f64, TALL>> = lefts.iter().map(|left| Panels::of(left, width)).collect();
        let rights: Vec<Vec<f64>> = parts.iter().map(|(rows, seed)| values(rows * columns, seed + 10)).collect();
        let panels: Vec<Panels<f64>> = rights.iter().map(|right| Panels::of(right, columns)).collect();
        let start = values(width * columns, 20);
        let mut into = start.clone();
        let terms = left_panels.iter().zip(&panels).map(|(left, right)| Term { left, right }).collect();
        add_outer_products(vec![OuterProducts { into: &mut into, terms }]);
        for (index, start) in start.iter().enumerate() {
            let (row, column) = (index / columns, index % columns);
            let mut expected = *start;
            for (left, right) in lefts.iter().zip(&rights) {
                for (left, right) in left.chunks(width).zip(right.chunks(columns)) {
                    expected += left[row] * right[column];
                }
            }
            assert!((into[index] - expected).abs() < 1e-11);
        }
    }
}

/// Invariant 7: batch composition never changes a row.
#[test]
fn invariant_7_a_row_does_not_depend_on_how_many_rows_there_are() {
    let values = |count, seed| values(count, seed).into_iter().map(|x| x as f32).collect::<Vec<f32>>();
    for (inputs, outputs) in [(32, 32), (32, 96), (128, 32), (256, 512), (1664, 256), (1664, 14), (64, 1), (16, 16)] {
        let (weight, x) = (Panels::of_transposed(&values(inputs * outputs, 1), inputs), values(300 * inputs, 2));
        let start = values(300 * outputs, 3);
        let all = multiplied(&x, &weight);
        let mut all_added = start.clone();
        multiply(&mut all_added, &x, &weight, true);
        for rows in [1, 2, 3, 5, 8, 9, 17, 64, 65, 200, 257, 299] {
            let from = 300 - rows;
            assert_eq!(*multiplied(&x[from * inputs..], &weight), all[from * outputs..], "{rows} rows");
            let mut added = start[from * outputs..].to_vec();
            multiply(&mut added, &x[from * inputs..], &weight, true);
            assert_eq!(added, all_added[from * outputs..], "{rows} rows added to");
        }
    }
}

/// Invariant 7 across machines: a sum is in the order of the inner dimension, each product added with one rounding.
#[test]
fn wide_registers_change_no_bit() {
    let values = |count, seed| values(count, seed).into_iter().map(|x| x as f32).collect::<Vec<f32>>();
    for (rows, inner, columns) in [(1, 5, 3), (29, 500, 100), (6, 64, 64), (13, 7, 48), (30, 33, 17), (25, 400, 250)] {
        let (left, start) = (values(rows * inner, 1), values(rows * columns, 3));
        let right = Panels::of(&values(inner * columns, 2), columns);
        let across = Panels::of(&left, inner);
        let (outer_start, outer_right) = (values(inner * columns, 4), Panels::of(&start, columns));
        let mut found = Vec::new();
        let mut with = |instructions: Best| {
            let (mut product, mut outer) = (start.clone(), outer_start.clone());
            let panels = 0..columns.div_ceil(WIDE);
            let work = Product { left: &left, right: &right, panels, into: places(&mut product), add: true };
            let terms = Arc::new(vec![Term { left: &across, right: &outer_right }]);
            let block = Block { into: &mut outer, columns, panels: 0..inner.div_ceil(TALL), terms };
            let fused = match instructions {
                #[cfg(target_arch = "x86_64")]
                Best::V4(instructions) => computed(instructions, work, block),
                #[cfg(target_arch = "x86_64")]
                Best::V3(instructions) => computed(instructions, work, block),
                Best::Portable(instructions) => computed(instructions, work, block),
            };
            found.push((fused, product, outer));
        };
        with(Best::Portable(Portable));
        #[cfg(target_arch = "x86_64")]
        if let Some(instructions) = pulp::x86::V3::try_new() {
            with(Best::V3(instructions));
        }
        with(Best::new());
        let by_definition = |fused: bool| {
            let step = |sum: f32, (x, y): (f32, f32)| if fused { x.mul_add(y, sum) } else { x * y + sum };
            let right = |k: usize, column: usize| right.groups()[column / WIDE * inner + k][column % WIDE];
            let product = (0..rows * columns).map(|at| {
                let (row, column) = (at / columns, at % columns);
                (0..inner).fold(start[at], |sum, k| step(sum, (left[row * inner + k], right(k, column))))
            });
            let outer = (0..inner * columns).map(|at| {
                let (k, column) = (at / columns, at % columns);
                let pairs = (0..rows).map(|row| (left[row * inner + k], start[row * columns + column]));
                pairs.fold(outer_start[at], step)
            });
            (product.collect::<Vec<f32>>(), outer.collect::<Vec<f32>>())
        };
        for (fused, product, outer) in found {
            assert_eq!((product, outer), by_definition(fused), "{rows} {inner} {columns}");
        }
    }
}

/// Computes both; whether the instructions are fused.
fn computed<I: Instructions>(instructions: I, product: Product<f32>, block: Block<f32>) -> bool {
    product.compute(instructions);
    block.compute(instructions);
    I::FUSED
}
