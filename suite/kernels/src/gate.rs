//! Gates of the paper's unroll (§3.2.2-3): hard in the forward pass, soft in the backward pass.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Tensor};

use super::cpu::{self, ROWS, Real, dispatch};
use super::rows::{replace_rows, split};
use crate::operands;
use crate::threads;

/// The straight-through estimator: `hard` in the forward pass, the gradient of `soft` in the backward pass. Both have
/// the same shape.
///
/// # Errors
/// If shapes or types do not agree.
pub fn straight_through(hard: &Tensor, soft: &Tensor) -> Result<Tensor> {
    operands::expect("hard of straight_through", hard, soft.dims(), soft.dtype())?;
    if cpu::fused(soft) {
        return soft.contiguous()?.apply_op1(StraightThrough { hard: hard.contiguous()?.detach() });
    }
    operands::unless_empty(soft, soft.shape(), || (hard - soft)?.detach() + soft)
}

struct StraightThrough {
    hard: Tensor,
}

impl CustomOp1 for StraightThrough {
    fn name(&self) -> &'static str {
        "straight-through"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let _ = storage;
        dispatch!("straight-through", self.hard.dtype(), T => {
            cpu::with::<T, _>(&self.hard, |hard| Ok(cpu::stored(hard.to_vec(), layout.shape().clone())))
        })
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad.clone()))
    }
}

/// Candidates of a step; some may come from earlier steps.
#[derive(Debug, Clone)]
pub struct Candidates {
    /// R(h(d-1)) of the rows that this step computed, `[computed, d_model]`.
    pub computed: Tensor,
    /// Candidates of the other rows, if there are any.
    pub earlier: Option<EarlierCandidates>,
}

impl Candidates {
    /// Candidates of a step that computed all rows.
    pub fn of_all(computed: &Tensor) -> Self {
        Self { computed: computed.clone(), earlier: None }
    }
}

/// Candidates that no later step changes.
#[derive(Debug, Clone)]
pub struct EarlierCandidates {
    /// The rows that the step computed, ascending.
    pub computed: Arc<[u32]>,
    /// `[rows, d_model]`, valid in all other rows, and still valid in the backward pass. Receives no gradient.
    pub candidates: Tensor,
}

/// Passthrough: h(d) = a R(h(d-1)) + (1 - a) h(d-1), row by row.
///
/// In the forward pass, the gate is `open` (the running rows, all of which are computed); in the backward pass, `soft`
/// `[rows]` receives its gradient dL/da = <dL/dh(d), R(h(d-1)) - h(d-1)>. `previous` is h(d-1), `[rows, d_model]`.
///
/// # Errors
/// If shapes or types do not agree, or a running row was not computed.
pub fn passthrough(candidates: &Candidates, previous: &Tensor, soft: &Tensor, open: &Arc<Vec<bool>>) -> Result<Tensor> {
    let Candidates { computed, earlier } = candidates;
    let (count, width) = operands::matrix("candidates of passthrough", computed)?;
    let rows = earlier.as_ref().map_or(count, |_| open.len());
    operands::expect("previous of passthrough", previous, &[rows, width], computed.dtype())?;
    operands::expect("soft of passthrough", soft, &[rows], computed.dtype())?;
    if open.len() != rows {
        return Err(operands::unfit("open of passthrough", format!("one for each of {rows} rows"), open.len()));
    }
    if let Some(earlier) = earlier {
        operands::expect("candidates of passthrough", computed, &[earlier.computed.len(), width], computed.dtype())?;
        operands::expect("earlier candidates of passthrough", &earlier.candidates, &[rows, width], computed.dtype())?;
        check(&earlier.computed, open)?;
    }
    if cpu::fused(previous) {
        let gate = Passthrough { open: open.clone(), earlier: earlier.clone() };
        return computed.contiguous()?.apply_op3(&previous.contiguous()?, &soft.contiguous()?, gate);
    }
    operands::unless_empty(previous, previous.shape(), || {
        let candidate = match earlier {
            Some(earlier) => replace_rows(&earlier.candidates.detach(), &earlier.computed, computed)?,
            None => computed.clone(),
        };
        composed(&candidate, previous, soft, open)
    })
}

/// Refuses `computed` rows that do not ascend, do not exist, or lack a running row.
fn check(computed: &[u32], open: &[bool]) -> Result<()> {
    let ascend = computed.windows(2).all(|pair| pair[0] < pair[1]);
    if !ascend || computed.last().is_some_and(|last| *last as usize >= open.len()) {
        let expected = format!("numbers below {} that ascend", open.len());
        return Err(operands::unfit("computed rows of passthrough", expected, format!("{computed:?}")));
    }
    let mut lacking = open.to_vec();
    computed.iter().for_each(|row| lacking[*row as usize] = false);
    if lacking.contains(&true) {
        return Err(operands::unfit("computed rows of passthrough", "all rows that run", "some of them"));
    }
    Ok(())
}

fn composed(candidate: &Tensor, previous: &Tensor, soft: &Tensor, open: &[bool]) -> Result<Tensor> {
    let mask: Vec<f64> = open.iter().map(|open| f64::from(u8::from(*open))).collect();
    let hard = Tensor::from_vec(mask, open.len(), soft.device())?.to_dtype(soft.dtype())?;
    let gate = straight_through(&hard, soft)?.unsqueeze(1)?;
    let kept = gate.affine(-1.0, 1.0)?;
    candidate.broadcast_mul(&gate)? + previous.broadcast_mul(&kept)?
}

struct Passthrough {
    open: Arc<Vec<bool>>,
    earlier: Option<EarlierCandidates>,
}

impl Passthrough {
    /// The rows that were computed.
    fn computed(&self) -> Cow<'_, [u32]> {
        match &self.earlier {
            Some(earlier) => Cow::Borrowed(&earlier.computed),
            None => Cow::Owned((0..self.open.len() as u32).collect()),
        }
    }

    /// Gradients of the computed candidates, of the states before, and of the soft gates.
    fn backward<T: Real>(&self, [candidates, earlier, previous, grad]: [&[T]; 4]) -> [Vec<T>; 3] {
        let rows = self.open.len();
        let width = previous.len().checked_div(rows).unwrap_or_default();
        let (mut dcandidates, mut dprevious) = (threads::zeros(candidates.len()), threads::zeros(previous.len()));
        let mut dsoft = vec![T::zero(); rows];
        let computed = self.computed();
        let chunk = |start: usize| start..(start + ROWS).min(rows);
        let place = |row: usize| computed.partition_point(|computed| (*computed as usize) < row);
        let places = |rows: Range<usize>| place(rows.start)..place(rows.end);
        let starts = || (0..rows).step_by(ROWS);
        let of_candidates = split(&mut dcandidates, starts().map(|start| places(chunk(start))), width);
        let of_previous = split(&mut dprevious, starts().map(chunk), width);
        let gradients = of_candidates.into_iter().zip(of_previous).zip(dsoft.chunks_mut(ROWS));
        let chunks: Vec<_> = starts().zip(gradients).collect();
        threads::for_each(
            chunks,
            #[inline(always)]
            |(start, ((dcandidates, dprevious), dsoft))| {
                let rows = chunk(start);
                let mut places = places(rows.clone()).peekable();
                let first = places.peek().copied().unwrap_or_default();
                let mut moved = vec![T::zero(); width];
                for (row, dsoft) in rows.clone().zip(dsoft) {
                    let range = row * width..(row + 1) * width;
                    let grad = &grad[range.clone()];
                    let place = places.next_if(|place| computed[*place] as usize == row);
                    let kept = match place.filter(|_| self.open[row]) {
                        Some(place) => &mut dcandidates[(place - first) * width..][..width],
                        None => &mut dprevious[(row - start) * width..][..width],
                    };
                    kept.copy_from_slice(grad);
                    let candidate = match place {
                        Some(place) => &candidates[place * width..][..width],
                        None => &earlier[range.clone()],
                    };
                    for ((moved, candidate), previous) in moved.iter_mut().zip(candidate).zip(&previous[range]) {
                        *moved = *candidate - *previous;
                    }
                    *dsoft = cpu::dot(grad, &moved);
                }
            },
        );
        [dcandidates, dprevious, dsoft]
    }
}

impl CustomOp3 for Passthrough {
    fn name(&self) -> &'static str {
        "passthrough"
    }

    fn cpu_fwd(
        &self,
        c: &CpuStorage,
        cl: &Layout,
        p: &CpuStorage,
        pl: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        dispatch!("passthrough", candle_core::backend::BackendStorage::dtype(c), T => {
            let (candidates, previous) = (cpu::slice::<T>(c, cl)?, cpu::slice::<T>(p, pl)?);
            let mut y = previous.to_vec();
            let width = pl.dims()[1];
            for (place, row) in self.computed().iter().enumerate() {
                let row = *row as usize;
                if self.open[row] {
                    y[row * width..][..width].copy_from_slice(&candidates[place * width..][..width]);
                }
            }
            Ok(cpu::stored(y, pl.shape().clone()))
        })
    }

    fn bwd(
        &self,
        c: &Tensor,
        p: &Tensor,
        s: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let earlier = self.earlier.as_ref().map_or(p, |earlier| &earlier.candidates);
        dispatch!("passthrough", c.dtype(), T => {
            let [dc, dp, ds] = cpu::with_all::<T, _, 4>([c, earlier, p, grad], |operands| {
                Ok(self.backward(operands))
            })?;
            Ok((cpu::gradient(dc, c)?, cpu::gradient(dp, p)?, cpu::gradient(ds, s)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candle_core::{Device, Tensor, Var};

    use super::{Candidates, EarlierCandidates, composed, passthrough, straight_through};
    use crate::testing::{agree_without_differences, values};

    #[test]
    fn equals_its_composition() {
        let open = Arc::new(vec![true, false, true, false, false]);
        let inputs = [values(&[5, 7], 5), values(&[5, 7], 6), values(&[5], 7)];
        agree_without_differences(
            &inputs,
            |x| passthrough(&Candidates::of_all(&x[0]), &x[1], &x[2], &open),
            |x| composed(&x[0], &x[1], &x[2], &open),
        );
    }

    #[test]
    fn rows_that_were_not_computed_have_the_gradients_of_their_earlier_candidates() {
        // More rows than a chunk, so that chunk boundaries fall between computed rows.
        let rows = 150;
        let computed: Arc<[u32]> = (0..rows as u32).filter(|row| row % 7 < 3 || (64..80).contains(row)).collect();
        let open: Vec<bool> = (0..rows).map(|row| computed.contains(&(row as u32)) && row % 2 == 0).collect();
        let (open, candidates) = (Arc::new(open), values(&[rows, 7], 4));
        let inputs = [values(&[computed.len(), 7], 5), values(&[rows, 7], 6), values(&[rows], 7)];
        agree_without_differences(
            &inputs,
            |x| {
                let candidates = candidates.to_dtype(x[0].dtype())?;
                let earlier = Some(EarlierCandidates { computed: computed.clone(), candidates });
                passthrough(&Candidates { computed: x[0].clone(), earlier }, &x[1], &x[2], &open)
            },
            |x| {
                let places = |row| computed.iter().position(|computed| *computed == row);
                let index: Vec<u32> =
                    (0..rows as u32).map(|row| places(row).unwrap_or(computed.len() + row as usize) as u32).collect();
                let index = Tensor::from_vec(index, rows, x[0].device())?;
                let candidates = candidates.to_dtype(x[0].dtype())?;
                composed(&Tensor::cat(&[&x[0], &candidates], 0)?.index_select(&index, 0)?, &x[1], &x[2], &open)
            },
        );
    }

    #[test]
    fn with_a_gate_free_to_move_the_gradient_is_that_of_the_mixture() {
        // L = sum(w (a c + (1 - a) p)) is linear in a, so its finite difference in a is exact.
        let open = [true, false, true];
        let (c, p, w) = (values(&[3, 4], 8), values(&[3, 4], 9), values(&[3, 4], 10));
        let soft = Var::new(&open.map(|open| f64::from(u8::from(open))), &Device::Cpu).unwrap();
        let out = passthrough(&Candidates::of_all(&c), &p, soft.as_tensor(), &Arc::new(open.to_vec())).unwrap();
        let gradient = (out * &w).unwrap().sum_all().unwrap().backward().unwrap();
        let found: Vec<f64> = gradient.get(&soft).unwrap().to_vec1().unwrap();
        let loss = |gate: &Tensor| -> f64 {
            let gate = gate.unsqueeze(1).unwrap();
            let rest = gate.affine(-1.0, 1.0).unwrap();
            let mixed = (c.broadcast_mul(&gate).unwrap() + p.broadcast_mul(&rest).unwrap()).unwrap();
            (mixed * &w).unwrap().sum_all().unwrap().to_scalar().unwrap()
        };
        for row in 0..3 {
            let mut up: Vec<f64> = soft.to_vec1().unwrap();
            let mut down = up.clone();
            up[row] += 0.5;
            down[row] -= 0.5;
            let tensor = |values: Vec<f64>| Tensor::from_vec(values, 3, &Device::Cpu).unwrap();
            assert!((loss(&tensor(up)) - loss(&tensor(down)) - found[row]).abs() < 1e-12);
        }
    }

    #[test]
    fn straight_through_is_hard_forward_and_soft_backward() {
        let soft = Var::new(&[0.3f64, 0.7], &Device::Cpu).unwrap();
        let hard = Tensor::new(&[0f64, 1.0], &Device::Cpu).unwrap();
        let gate = straight_through(&hard, soft.as_tensor()).unwrap();
        assert_eq!(gate.to_vec1::<f64>().unwrap(), [0.0, 1.0]);
        let weights = Tensor::new(&[2f64, 5.0], &Device::Cpu).unwrap();
        let gradient = (gate * weights).unwrap().sum_all().unwrap().backward().unwrap();
        assert_eq!(gradient.get(&soft).unwrap().to_vec1::<f64>().unwrap(), [2.0, 5.0]);
    }
}
