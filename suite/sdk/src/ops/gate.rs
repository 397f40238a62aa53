//! Gates of the paper's unroll (§3.2.2-3): what decides is hard forward and soft backward.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Tensor};

use super::cpu::{self, ROWS, Real, dispatch};
use crate::threads;

/// The straight-through estimator: `hard` forward, the gradient of `soft` backward. Both of one shape.
///
/// # Errors
/// If shapes or types do not agree.
pub fn straight_through(hard: &Tensor, soft: &Tensor) -> Result<Tensor> {
    super::expect("hard of straight_through", hard, soft.dims(), soft.dtype())?;
    if cpu::fused(soft) {
        return soft.contiguous()?.apply_op1(StraightThrough { hard: hard.contiguous()?.detach() });
    }
    (hard - soft)?.detach() + soft
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

/// Passthrough: h(d) = a R(h(d-1)) + (1 - a) h(d-1), row by row.
///
/// Forward the gate is `open` (the rows that run); backward its gradient is that of `soft` `[rows]`:
/// dL/da = <dL/dh(d), R(h(d-1)) - h(d-1)>. `candidate` and `previous` are `[rows, d_model]`.
///
/// # Errors
/// If shapes or types do not agree.
pub fn passthrough(candidate: &Tensor, previous: &Tensor, soft: &Tensor, open: &Arc<Vec<bool>>) -> Result<Tensor> {
    let (rows, width) = super::matrix("candidate of passthrough", candidate)?;
    super::expect("previous of passthrough", previous, &[rows, width], candidate.dtype())?;
    super::expect("soft of passthrough", soft, &[rows], candidate.dtype())?;
    if open.len() != rows {
        return Err(super::unfit("open of passthrough", format!("one for each of {rows} rows"), open.len()));
    }
    if cpu::fused(candidate) {
        let gate = Passthrough { open: open.clone() };
        return candidate.contiguous()?.apply_op3(&previous.contiguous()?, &soft.contiguous()?, gate);
    }
    composed(candidate, previous, soft, open)
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
            let (candidate, previous) = (cpu::slice::<T>(c, cl)?, cpu::slice::<T>(p, pl)?);
            let width = candidate.len() / self.open.len().max(1);
            let row = |row: usize| row * width..(row + 1) * width;
            let mut y = Vec::with_capacity(candidate.len());
            for (index, open) in self.open.iter().enumerate() {
                y.extend_from_slice(if *open { &candidate[row(index)] } else { &previous[row(index)] });
            }
            Ok(cpu::stored(y, cl.shape().clone()))
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
        dispatch!("passthrough", c.dtype(), T => {
            let [dc, dp, ds] = cpu::with_all::<T, _, 3>([c, p, grad], |[candidate, previous, grad]| {
                Ok(backward(candidate, previous, grad, &self.open))
            })?;
            Ok((cpu::gradient(dc, c)?, cpu::gradient(dp, p)?, cpu::gradient(ds, s)?))
        })
    }
}

fn backward<T: Real>(candidate: &[T], previous: &[T], grad: &[T], open: &[bool]) -> [Vec<T>; 3] {
    let width = (candidate.len() / open.len().max(1)).max(1);
    let mut dcandidate: Vec<T> = threads::zeros(candidate.len());
    let mut dprevious: Vec<T> = threads::zeros(candidate.len());
    let mut dsoft = vec![T::zero(); open.len()];
    let gradients = dcandidate.chunks_mut(ROWS * width).zip(dprevious.chunks_mut(ROWS * width));
    let inputs = candidate.chunks(ROWS * width).zip(previous.chunks(ROWS * width)).zip(grad.chunks(ROWS * width));
    let chunks: Vec<_> = gradients.zip(inputs).zip(dsoft.chunks_mut(ROWS).zip(open.chunks(ROWS))).collect();
    threads::for_each(
        chunks,
        #[inline(always)]
        |(((dcandidate, dprevious), ((candidate, previous), grad)), (dsoft, open))| {
            let mut moved = vec![T::zero(); width];
            for (row, (dsoft, open)) in dsoft.iter_mut().zip(open).enumerate() {
                let range = row * width..(row + 1) * width;
                let kept: &mut [T] = if *open { dcandidate } else { dprevious };
                kept[range.clone()].copy_from_slice(&grad[range.clone()]);
                for ((moved, candidate), previous) in
                    moved.iter_mut().zip(&candidate[range.clone()]).zip(&previous[range.clone()])
                {
                    *moved = *candidate - *previous;
                }
                *dsoft = cpu::dot(&grad[range], &moved);
            }
        },
    );
    [dcandidate, dprevious, dsoft]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candle_core::{Device, Tensor, Var};

    use super::{composed, passthrough, straight_through};
    use crate::ops::tests::{agree_without_differences, values};

    #[test]
    fn equals_its_composition() {
        let open = Arc::new(vec![true, false, true, false, false]);
        let inputs = [values(&[5, 7], 5), values(&[5, 7], 6), values(&[5], 7)];
        agree_without_differences(
            &inputs,
            |x| passthrough(&x[0], &x[1], &x[2], &open),
            |x| composed(&x[0], &x[1], &x[2], &open),
        );
    }

    #[test]
    fn with_a_gate_free_to_move_the_gradient_is_that_of_the_mixture() {
        // L = sum(w (a c + (1 - a) p)) is linear in a, so its finite difference in a is exact.
        let open = [true, false, true];
        let (c, p, w) = (values(&[3, 4], 8), values(&[3, 4], 9), values(&[3, 4], 10));
        let soft = Var::new(&open.map(|open| f64::from(u8::from(open))), &Device::Cpu).unwrap();
        let out = passthrough(&c, &p, soft.as_tensor(), &Arc::new(open.to_vec())).unwrap();
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
