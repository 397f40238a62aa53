//! Inner loops of attention over a cache: sums over keys in groups of [`LANES`] numbers; rows are padded to whole
//! groups.
//!
//! They are written for vector registers in f32, and as plain loops in f64, which only checks use.

use pulp::{Simd, WithSimd};

use super::cpu::{LANES, Real};

/// Keys that are processed at the same time.
const KEYS: usize = 4;
/// Groups of the result that are processed at the same time.
const GROUPS: usize = 8;

/// Keys and values that one query sees.
pub(super) struct Sums<'a, T> {
    /// Keys and values side by side, of equal width.
    pub rows: &'a [&'a [T]],
    /// Period, in groups, with which lanes belong to the same heads again; each key has this many groups of scores.
    pub period: usize,
}

/// The sums for one type.
pub(super) trait LaneSums: Real {
    /// For every key, the products of the groups of `query` with its own, summed over the groups of one phase.
    fn products(sums: Sums<Self>, query: &[[Self; LANES]], scores: &mut [[Self; LANES]]);

    /// The values weighted by `weights` and summed over the keys.
    fn mixture(sums: Sums<Self>, weights: &[[Self; LANES]], mixed: &mut [[Self; LANES]]);
}

impl LaneSums for f64 {
    fn products(sums: Sums<Self>, query: &[[Self; LANES]], scores: &mut [[Self; LANES]]) {
        for (row, scores) in sums.rows.iter().zip(scores.chunks_exact_mut(sums.period)) {
            scores.fill([0.0; LANES]);
            for (group, (query, key)) in query.iter().zip(row.chunks_exact(LANES)).enumerate() {
                accumulate(&mut scores[group % sums.period], query, key);
            }
        }
    }

    fn mixture(sums: Sums<Self>, weights: &[[Self; LANES]], mixed: &mut [[Self; LANES]]) {
        mixed.fill([0.0; LANES]);
        for (row, weights) in sums.rows.iter().zip(weights.chunks_exact(sums.period)) {
            let values = row[mixed.len() * LANES..].chunks_exact(LANES);
            for (group, (mixed, values)) in mixed.iter_mut().zip(values).enumerate() {
                accumulate(mixed, &weights[group % sums.period], values);
            }
        }
    }
}

fn accumulate(sum: &mut [f64; LANES], left: &[f64; LANES], right: &[f64]) {
    for ((sum, left), right) in sum.iter_mut().zip(left).zip(right) {
        *sum += *left * *right;
    }
}

impl LaneSums for f32 {
    fn products(sums: Sums<Self>, query: &[[Self; LANES]], scores: &mut [[Self; LANES]]) {
        dispatch(Products { sums, query, scores });
    }

    fn mixture(sums: Sums<Self>, weights: &[[Self; LANES]], mixed: &mut [[Self; LANES]]) {
        dispatch(Mixture { sums, weights, mixed });
    }
}

/// Runs `work` with registers that a group fills; wider registers would stay half empty.
fn dispatch(work: impl WithSimd) {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    if let Some(instructions) = pulp::x86::V3::try_new() {
        instructions.vectorize(InLanes(instructions, work));
        return;
    }
    pulp::Arch::new().dispatch(work);
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
struct InLanes<W>(pulp::x86::V3, W);

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
impl<W: WithSimd> pulp::NullaryFnOnce for InLanes<W> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.1.with_simd(self.0);
    }
}

/// Evaluates a call with the number of registers that a group takes.
macro_rules! with_registers {
    ($simd:ident, $registers:ident => $call:expr) => {
        match $simd::F32_LANES {
            8 => {
                const $registers: usize = 1;
                $call
            }
            4 => {
                const $registers: usize = 2;
                $call
            }
            2 => {
                const $registers: usize = 4;
                $call
            }
            1 => {
                const $registers: usize = 8;
                $call
            }
            _ => unreachable!("registers are as wide as a group at most"),
        }
    };
}

/// The `N` registers of group number `group`.
#[inline(always)]
fn registers<S: Simd, const N: usize>(row: &[f32], group: usize) -> [S::f32s; N] {
    S::as_simd_f32s(&row[group * LANES..][..LANES]).0.as_chunks::<N>().0[0]
}

struct Products<'a> {
    sums: Sums<'a, f32>,
    query: &'a [[f32; LANES]],
    scores: &'a mut [[f32; LANES]],
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        with_registers!(S, N => self.run::<S, N>(simd));
    }
}

impl Products<'_> {
    #[inline(always)]
    fn run<S: Simd, const N: usize>(mut self, simd: S) {
        let count = self.sums.rows.len();
        for phase in 0..self.sums.period {
            let mut first = 0;
            while first + KEYS <= count {
                self.block::<S, N, KEYS>(simd, first, phase);
                first += KEYS;
            }
            for first in first..count {
                self.block::<S, N, 1>(simd, first, phase);
            }
        }
    }

    /// `K` keys from `first` on.
    #[inline(always)]
    fn block<S: Simd, const N: usize, const K: usize>(&mut self, simd: S, first: usize, phase: usize) {
        let width = self.query.len() * LANES;
        let keys: [&[f32]; K] = std::array::from_fn(|key| &self.sums.rows[first + key][..width]);
        let query = self.query.as_flattened();
        let mut sums = [[simd.splat_f32s(0.0); N]; K];
        for group in (phase..self.query.len()).step_by(self.sums.period) {
            let query = registers::<S, N>(query, group);
            for (sums, key) in sums.iter_mut().zip(&keys) {
                for ((sum, query), key) in sums.iter_mut().zip(query).zip(registers::<S, N>(key, group)) {
                    *sum = simd.mul_add_e_f32s(query, key, *sum);
                }
            }
        }
        for (key, sums) in sums.iter().enumerate() {
            let into = &mut self.scores[(first + key) * self.sums.period + phase];
            S::as_mut_simd_f32s(into).0.copy_from_slice(sums);
        }
    }
}

struct Mixture<'a> {
    sums: Sums<'a, f32>,
    weights: &'a [[f32; LANES]],
    mixed: &'a mut [[f32; LANES]],
}

impl WithSimd for Mixture<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        with_registers!(S, N => self.run::<S, N>(simd));
    }
}

impl Mixture<'_> {
    #[inline(always)]
    fn run<S: Simd, const N: usize>(mut self, simd: S) {
        let groups = self.mixed.len();
        let mut first = 0;
        // Adjacent groups have the same weights only if the period is 1.
        while self.sums.period == 1 && first + GROUPS <= groups {
            self.block::<S, N, GROUPS>(simd, first);
            first += GROUPS;
        }
        for first in first..groups {
            self.block::<S, N, 1>(simd, first);
        }
    }

    /// `G` groups from `first` on.
    #[inline(always)]
    fn block<S: Simd, const N: usize, const G: usize>(&mut self, simd: S, first: usize) {
        let (width, phase) = (self.mixed.len() * LANES, first % self.sums.period);
        let mut sums = [[simd.splat_f32s(0.0); N]; G];
        let weights = self.weights.iter().skip(phase).step_by(self.sums.period);
        for (row, weights) in self.sums.rows.iter().zip(weights) {
            let weights = registers::<S, N>(weights, 0);
            let values = &row[width + first * LANES..][..G * LANES];
            for (group, sums) in sums.iter_mut().enumerate() {
                for ((sum, weight), value) in sums.iter_mut().zip(weights).zip(registers::<S, N>(values, group)) {
                    *sum = simd.mul_add_e_f32s(weight, value, *sum);
                }
            }
        }
        for (into, sums) in self.mixed[first..].iter_mut().zip(&sums) {
            S::as_mut_simd_f32s(into).0.copy_from_slice(sums);
        }
    }
}
