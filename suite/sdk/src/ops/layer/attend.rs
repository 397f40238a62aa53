//! Everything of a layer but its keys and values: queries, attention, output projection, feed-forward part.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::{DOWN, FEED_FORWARD_NORM, GATE_UP, INPUT_NORM, Layer, LayerPass, LayerWeights, OUTPUT, QUERY_KEY_VALUE};
use crate::ops::attention::{AttentionPlan, WIDEST_HEAD, causal_attention};
use crate::ops::cpu::{self, Real, dispatch};
use crate::ops::product::{Matrix, multiplied, multiply, project, project_onto};
use crate::ops::rope::{self, Rotation, Turn};
use crate::ops::rows::{gathered, scatter};
use crate::ops::{attention_kernel, rms_norm, swiglu};

pub(super) fn apply(
    pass: &LayerPass,
    states: &Tensor,
    keys_values: &Tensor,
    positions: &Arc<Vec<u32>>,
    plan: &Arc<AttentionPlan>,
    differentiated: Option<&Arc<[u32]>>,
) -> Result<Tensor> {
    let layer = &pass.layer;
    let expected = (vec![plan.queries(), layer.d_model], vec![plan.rows(), 2 * layer.d_model]);
    if (states.dims(), keys_values.dims()) != (&expected.0, &expected.1) || positions.len() != plan.queries() {
        candle_core::bail!(
            "layer: expected states {:?} and keys and values {:?}, found {:?} and {:?}",
            expected.0,
            expected.1,
            states.dims(),
            keys_values.dims()
        );
    }
    if !cpu::fused(states) || layer.d_model / layer.heads > WIDEST_HEAD {
        return composed(layer, states, keys_values, positions, plan);
    }
    let tracked = states.track_op() || keys_values.track_op() || pass.token.track_op();
    let operation = Attend {
        layer: layer.clone(),
        positions: positions.clone(),
        rotation: layer.rope.rotation(positions),
        plan: plan.clone(),
        differentiated: differentiated.filter(|places| places.len() < plan.queries()).cloned(),
        tracked,
        kept: Mutex::new(None),
    };
    states.contiguous()?.apply_op3(&keys_values.contiguous()?, &pass.token, operation)
}

pub(super) fn composed(
    layer: &Layer,
    states: &Tensor,
    keys_values: &Tensor,
    positions: &Arc<Vec<u32>>,
    plan: &Arc<AttentionPlan>,
) -> Result<Tensor> {
    let weights = &layer.weights;
    let normed = rms_norm::rms_norm(states, &weights.input_norm, layer.epsilon)?;
    let query = normed.matmul(&weights.query_key_value.narrow(0, 0, layer.d_model)?.t()?)?;
    let query = rope::rope(&query, positions, &layer.rope)?;
    let attended = causal_attention(&query, keys_values, layer.heads, plan)?;
    let middle = (states + attended.matmul(&weights.output.t()?)?)?;
    let normed = rms_norm::rms_norm(&middle, &weights.feed_forward_norm, layer.epsilon)?;
    let hidden = swiglu::swiglu(&normed.matmul(&weights.gate_up.t()?)?)?;
    &middle + hidden.matmul(&weights.down.t()?)?
}

struct Attend {
    layer: Arc<Layer>,
    positions: Arc<Vec<u32>>,
    rotation: Rotation,
    plan: Arc<AttentionPlan>,
    /// Places of the rows that the backward pass works on; `None` stands for all.
    differentiated: Option<Arc<[u32]>>,
    tracked: bool,
    kept: Mutex<Option<Box<dyn Any + Send>>>,
}

/// What the backward pass cannot cheaply compute again, for the rows that it works on.
struct Kept<T> {
    query: Vec<T>,
    attended: Vec<T>,
    middle: Vec<T>,
    gate_up: Vec<T>,
}

impl Attend {
    /// The rows that the backward pass works on, of rows as wide as `width`.
    fn differentiated<T: Real>(&self, values: Vec<T>, width: usize) -> Vec<T> {
        match &self.differentiated {
            Some(places) => gathered(&values, places, width),
            None => values,
        }
    }

    fn forward<T: Real>(&self, states: &[T], keys_values: &[T]) -> Result<Vec<T>> {
        let Layer { d_model, d_ff, heads, epsilon, weights, .. } = &*self.layer;
        let (d_model, d_ff, epsilon) = (*d_model, *d_ff, T::from_f64(*epsilon));
        let LayerWeights { input_norm, query_key_value, output, feed_forward_norm, gate_up, down } = weights;
        let operands = [input_norm, query_key_value, output, feed_forward_norm, gate_up, down];
        cpu::with_all::<T, _, 6>(operands, |[input_norm, qkv, output, feed_forward_norm, gate_up, down]| {
            let normed = rms_norm::forward(states, input_norm, epsilon);
            let mut query = project(&normed, &qkv[..d_model * d_model], d_model);
            rope::rotate(&mut query, (d_model, d_model), &self.positions, &self.rotation, Turn::Forward);
            let attended = attention_kernel::forward(&self.plan, *heads, &query, keys_values, d_model);
            let mut middle = states.to_vec();
            project_onto(&mut middle, &attended, output, d_model);
            let normed = rms_norm::forward(&middle, feed_forward_norm, epsilon);
            let gate_up = project(&normed, gate_up, d_model);
            let hidden = swiglu::forward(&gate_up, d_ff);
            let mut result = middle.clone();
            project_onto(&mut result, &hidden, down, d_ff);
            let any = self.differentiated.as_ref().is_none_or(|places| !places.is_empty());
            if self.tracked && any {
                let kept = Kept {
                    query: self.differentiated(query, d_model),
                    attended: self.differentiated(attended, d_model),
                    middle: self.differentiated(middle, d_model),
                    gate_up: self.differentiated(gate_up, 2 * d_ff),
                };
                *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(kept));
            }
            Ok(result)
        })
    }

    /// Gradients of the states and of keys and values.
    fn backward<T: Real>(&self, states: &[T], keys_values: &[T], grad: &[T]) -> Result<(Vec<T>, Vec<T>)> {
        let d_model = self.layer.d_model;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = match (kept.as_ref().and_then(|kept| kept.downcast_ref::<Kept<T>>()), &self.differentiated) {
            (Some(kept), _) => kept,
            (None, Some(places)) if places.is_empty() => {
                return Ok((vec![T::zero(); states.len()], vec![T::zero(); keys_values.len()]));
            }
            (None, _) => candle_core::bail!("layer: nothing was kept for the backward pass"),
        };
        let Some(places) = &self.differentiated else {
            return self.backward_rows(kept, states, keys_values, grad, &self.plan, &self.positions);
        };
        let positions: Vec<u32> = places.iter().map(|place| self.positions[*place as usize]).collect();
        let (some, grad) = (gathered(states, places, d_model), gathered(grad, places, d_model));
        let plan = self.plan.subset(places);
        let (dsome, dkeys_values) = self.backward_rows(kept, &some, keys_values, &grad, &plan, &positions)?;
        let mut dstates = vec![T::zero(); states.len()];
        scatter(&mut dstates, places, &dsome, d_model);
        Ok((dstates, dkeys_values))
    }

    fn backward_rows<T: Real>(
        &self,
        kept: &Kept<T>,
        states: &[T],
        keys_values: &[T],
        grad: &[T],
        plan: &AttentionPlan,
        positions: &[u32],
    ) -> Result<(Vec<T>, Vec<T>)> {
        let Layer { d_model, d_ff, heads, epsilon, weights, sums, .. } = &*self.layer;
        let (d_model, d_ff, epsilon) = (*d_model, *d_ff, T::from_f64(*epsilon));
        let LayerWeights { input_norm, query_key_value, output, feed_forward_norm, gate_up, down } = weights;
        let operands = [input_norm, query_key_value, output, feed_forward_norm, gate_up, down];
        cpu::with_all::<T, _, 6>(operands, |[input_norm, qkv, output, feed_forward_norm, gate_up, down]| {
            let add = |which: usize, length: usize, outputs: Matrix<T>, inputs: Matrix<T>| {
                sums.add::<T>(which, length, |sum| {
                    multiply(&mut sum[..outputs.columns() * inputs.columns()], outputs.transposed(), inputs, true);
                });
            };
            // result = middle + hidden downᵀ
            let dresult = Matrix::new(grad, d_model);
            let dhidden = multiplied(dresult, Matrix::new(down, d_ff));
            let (hidden, dgate_up) = swiglu::backward(&kept.gate_up, &dhidden, d_ff);
            drop(dhidden);
            add(DOWN, down.len(), dresult, Matrix::new(&hidden, d_ff));
            drop(hidden);
            // gate_up = norm(middle) gate_upᵀ
            let normed = rms_norm::forward(&kept.middle, feed_forward_norm, epsilon);
            let dgates = Matrix::new(&dgate_up, 2 * d_ff);
            add(GATE_UP, gate_up.len(), dgates, Matrix::new(&normed, d_model));
            let dnormed = multiplied(dgates, Matrix::new(gate_up, d_model));
            drop(dgate_up);
            let mut dmiddle = grad.to_vec();
            sums.add::<T>(FEED_FORWARD_NORM, d_model, |sum| {
                rms_norm::backward_onto(&mut dmiddle, sum, &kept.middle, feed_forward_norm, &dnormed, epsilon);
            });
            // middle = states + attended outputᵀ
            let dattended = multiplied(Matrix::new(&dmiddle, d_model), Matrix::new(output, d_model));
            add(OUTPUT, output.len(), Matrix::new(&dmiddle, d_model), Matrix::new(&kept.attended, d_model));
            let (mut dquery, dkeys_values) =
                attention_kernel::backward(plan, *heads, &kept.query, keys_values, &dattended, d_model);
            rope::rotate(&mut dquery, (d_model, d_model), positions, &self.rotation, Turn::Backward);
            // query = norm(states) query_weightᵀ
            let normed = rms_norm::forward(states, input_norm, epsilon);
            let dqueries = Matrix::new(&dquery, d_model);
            add(QUERY_KEY_VALUE, qkv.len(), dqueries, Matrix::new(&normed, d_model));
            let dnormed = multiplied(dqueries, Matrix::new(&qkv[..d_model * d_model], d_model));
            let mut dstates = dmiddle;
            sums.add::<T>(INPUT_NORM, d_model, |sum| {
                rms_norm::backward_onto(&mut dstates, sum, states, input_norm, &dnormed, epsilon);
            });
            Ok((dstates, dkeys_values))
        })
    }
}

impl CustomOp3 for Attend {
    fn name(&self) -> &'static str {
        "layer-attend"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        kv: &CpuStorage,
        kvl: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        dispatch!("layer-attend", x.dtype(), T => {
            let result = self.forward(cpu::slice::<T>(x, xl)?, cpu::slice::<T>(kv, kvl)?)?;
            Ok(cpu::stored(result, xl.shape().clone()))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        kv: &Tensor,
        token: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        dispatch!("layer-attend", x.dtype(), T => {
            let (dx, dkv) =
                cpu::with_all::<T, _, 3>([x, kv, grad], |[x, kv, grad]| self.backward(x, kv, grad))?;
            Ok((cpu::gradient(dx, x)?, cpu::gradient(dkv, kv)?, Some(token.zeros_like()?)))
        })
    }
}
