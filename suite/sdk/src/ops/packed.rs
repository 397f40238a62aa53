//! Products with a weight that is laid out once for many of them, for rows that are few: x wᵀ in f32 on the CPU.
//!
//! Every number of a result is one sum over the inputs in their order, so a row's result depends neither on how many rows
//! there are nor on how the work is divided.

use std::array;
use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use crate::threads;

/// Outputs that lie side by side.
const PANEL: usize = 16;
/// Rows whose sums fit into the registers together.
const ROWS: usize = 6;
/// A product with fewer multiplications than this is not worth dividing.
const WORTH_DIVIDING: usize = 1 << 17;

/// A weight `[outputs, inputs]` in panels: for every input, the weights of `PANEL` outputs side by side.
pub(super) struct PackedMatrix {
    panels: Vec<f32>,
    outputs: usize,
    inputs: usize,
}

/// Whether a product replaces what is there or is added to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Into {
    Replaced,
    Added,
}

impl PackedMatrix {
    /// Lays out a row-major weight with this many inputs.
    pub fn new(weight: &[f32], inputs: usize) -> Self {
        let outputs = weight.len() / inputs.max(1);
        let mut panels = vec![0.0; outputs.div_ceil(PANEL) * PANEL * inputs];
        let parts = panels.chunks_mut((PANEL * inputs).max(1)).zip(weight.chunks((PANEL * inputs).max(1))).collect();
        threads::for_each(
            parts,
            #[inline(always)]
            |(panel, rows): (&mut [f32], &[f32])| {
                for (output, row) in rows.chunks_exact(inputs).enumerate() {
                    for (place, weight) in panel.chunks_exact_mut(PANEL).zip(row) {
                        place[output] = *weight;
                    }
                }
            },
        );
        Self { panels, outputs, inputs }
    }

    /// Numbers in a row of a result.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// x wᵀ into `into` `[rows, outputs]`, from `x` `[rows, inputs]`. With `divided` the outputs are shared among threads.
    pub fn multiply(&self, x: &[f32], into: &mut [f32], mode: Into, divided: bool) {
        let rows = x.len() / self.inputs.max(1);
        assert!(x.len() == rows * self.inputs && into.len() == rows * self.outputs);
        if rows == 0 || self.outputs == 0 {
            return;
        }
        let panels = self.outputs.div_ceil(PANEL);
        let threads = rayon::current_num_threads();
        let divided = divided && threads > 1 && rows * self.outputs * self.inputs >= WORTH_DIVIDING;
        let each = if divided { panels.div_ceil(threads) } else { panels };
        let mut parts: Vec<Part> = (0..panels)
            .step_by(each)
            .map(|first| Part { matrix: self, x, panels: first..(first + each).min(panels), into: Vec::new(), mode })
            .collect();
        for row in into.chunks_exact_mut(self.outputs) {
            for (part, columns) in parts.iter_mut().zip(row.chunks_mut(each * PANEL)) {
                part.into.push(columns);
            }
        }
        if parts.len() == 1 {
            parts.into_iter().for_each(|part| Arch::new().dispatch(part));
        } else {
            threads::for_each(parts, |part| Arch::new().dispatch(part));
        }
    }
}

/// The outputs of some panels.
struct Part<'a> {
    matrix: &'a PackedMatrix,
    x: &'a [f32],
    panels: Range<usize>,
    /// These columns of every row of the result.
    into: Vec<&'a mut [f32]>,
    mode: Into,
}

impl WithSimd for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, 1>(simd),
            8 => self.run::<S, 2>(simd),
            4 => self.run::<S, 4>(simd),
            2 => self.run::<S, 8>(simd),
            _ => self.run::<S, 16>(simd),
        }
    }
}

impl<'a> Part<'a> {
    /// `N` vectors make a panel.
    #[inline(always)]
    fn run<S: Simd, const N: usize>(mut self, simd: S) {
        assert!(S::F32_LANES * N == PANEL);
        let rows = self.into.len();
        // Few rows leave most registers free for other panels, which hides how long a sum takes.
        match rows {
            1 => self.blocks::<S, N, 1, 4>(simd),
            2 => self.blocks::<S, N, 2, 3>(simd),
            3 => self.blocks::<S, N, 3, 2>(simd),
            _ => {
                let count = rows.div_ceil(ROWS);
                for panel in self.panels.clone() {
                    let mut row = 0;
                    for block in 0..count {
                        // Blocks of nearly the same size: one of few rows would be slow.
                        let end = rows * (block + 1) / count;
                        match end - row {
                            3 => self.block::<S, N, 3, 1>(simd, row, panel),
                            4 => self.block::<S, N, 4, 1>(simd, row, panel),
                            5 => self.block::<S, N, 5, 1>(simd, row, panel),
                            6 => self.block::<S, N, 6, 1>(simd, row, panel),
                            _ => (row..end).for_each(|row| self.block::<S, N, 1, 1>(simd, row, panel)),
                        }
                        row = end;
                    }
                }
            }
        }
    }

    /// All panels for the only `R` rows, `P` panels at a time.
    #[inline(always)]
    fn blocks<S: Simd, const N: usize, const R: usize, const P: usize>(&mut self, simd: S) {
        let (mut panel, end) = (self.panels.start, self.panels.end);
        while panel + P <= end {
            self.block::<S, N, R, P>(simd, 0, panel);
            panel += P;
        }
        for panel in panel..end {
            self.block::<S, N, R, 1>(simd, 0, panel);
        }
    }

    /// `R` rows from `row` on times `P` panels from `panel` on.
    #[inline(always)]
    fn block<S: Simd, const N: usize, const R: usize, const P: usize>(&mut self, simd: S, row: usize, panel: usize) {
        let inputs = self.matrix.inputs;
        let x: [&[f32]; R] = array::from_fn(|place| &self.x[(row + place) * inputs..][..inputs]);
        let panels: [&[[S::f32s; N]]; P] = array::from_fn(|place| {
            let weights = &self.matrix.panels[(panel + place) * PANEL * inputs..][..PANEL * inputs];
            &S::as_simd_f32s(weights).0.as_chunks::<N>().0[..inputs]
        });
        let mut sums = [[[simd.splat_f32s(0.0); N]; R]; P];
        for input in 0..inputs {
            for (sums, panel) in sums.iter_mut().zip(&panels) {
                let weights = panel[input];
                for (sums, x) in sums.iter_mut().zip(&x) {
                    let value = simd.splat_f32s(x[input]);
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = simd.mul_add_e_f32s(value, weight, *sum);
                    }
                }
            }
        }
        for (place, sums) in sums.iter().enumerate() {
            let first = (panel + place - self.panels.start) * PANEL;
            for (into, sums) in self.into[row..].iter_mut().zip(sums) {
                let end = into.len().min(first + PANEL);
                let into = &mut into[first..end];
                let mut values = [0f32; PANEL];
                S::as_mut_simd_f32s(&mut values).0.copy_from_slice(sums);
                match self.mode {
                    Into::Replaced => into.copy_from_slice(&values[..into.len()]),
                    Into::Added => into.iter_mut().zip(values).for_each(|(into, value)| *into += value),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    fn values(count: usize, seed: u64) -> Vec<f32> {
        let mut stream = Stream::new(seed, "test", &[]);
        (0..count).map(|_| stream.normal() as f32).collect()
    }

    /// Every number of rows in a block, panels that are not full, and divided work.
    #[test]
    fn products_are_those_of_the_definition_and_of_each_row_alone() {
        for (inputs, outputs) in [(1, 1), (7, 16), (16, 33), (48, 80), (300, 700)] {
            let weight = values(inputs * outputs, 1);
            let packed = PackedMatrix::new(&weight, inputs);
            for rows in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 19, 48] {
                let (x, before) = (values(rows * inputs, 2), values(rows * outputs, 3));
                let (mut found, mut added) = (before.clone(), before.clone());
                packed.multiply(&x, &mut found, Into::Replaced, true);
                packed.multiply(&x, &mut added, Into::Added, false);
                for row in 0..rows {
                    let x = &x[row * inputs..][..inputs];
                    let mut alone = vec![0.0; outputs];
                    packed.multiply(x, &mut alone, Into::Replaced, false);
                    for output in 0..outputs {
                        let products = x.iter().zip(&weight[output * inputs..]);
                        let expected: f64 = products.map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
                        let place = row * outputs + output;
                        assert_eq!(found[place], alone[output], "{rows} rows of {inputs}x{outputs}");
                        assert_eq!(added[place], before[place] + alone[output]);
                        assert!((f64::from(found[place]) - expected).abs() < 1e-4 * (inputs as f64).sqrt());
                    }
                }
            }
        }
    }
}
