//! Attention of any subset of queries over packed sequences, causal or over whole sequences as the plan says.

mod grid;
pub(super) mod kernel;
mod plan;
mod softmax;

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use self::grid::composed;
use self::kernel::{backward, forward};
pub(super) use self::plan::Part;
pub use self::plan::{AttentionPlan, Sequences};
use super::cpu::{self, dispatch};
use crate::operands;

/// softmax(q kᵀ / sqrt(head_dim)) v per head. `q` is `[queries, heads * head_dim]`; `keys_values` holds keys and values
/// side by side for all tokens of the batch, `[rows, 2 * heads * head_dim]`; the result is like `q`.
///
/// # Errors
/// If shapes or types do not agree with each other and the plan.
pub fn causal_attention(q: &Tensor, keys_values: &Tensor, heads: usize, plan: &Arc<AttentionPlan>) -> Result<Tensor> {
    let (queries, width) = operands::matrix("q of causal_attention", q)?;
    if queries != plan.queries() {
        let expected = format!("a row for each of the plan's {} queries", plan.queries());
        return Err(operands::unfit("q of causal_attention", expected, queries));
    }
    operands::expect("keys_values of causal_attention", keys_values, &[plan.rows(), 2 * width], q.dtype())?;
    if heads == 0 || !width.is_multiple_of(heads) {
        return Err(operands::unfit(
            "heads of causal_attention",
            format!("a number that divides the width {width}"),
            heads,
        ));
    }
    if let Some(visible) = plan.visible.as_ref().filter(|visible| visible.len() != plan.rows()) {
        let expected = format!("one for each of {} rows", plan.rows());
        return Err(operands::unfit("visible of causal_attention", expected, visible.len()));
    }
    if width == 0 {
        return Ok(q.clone());
    }
    if cpu::fused(q) {
        let attention = Attention { plan: plan.clone(), heads };
        return q.contiguous()?.apply_op2(&keys_values.contiguous()?, attention);
    }
    composed(q, keys_values, heads, plan)
}

struct Attention {
    plan: Arc<AttentionPlan>,
    heads: usize,
}

impl CustomOp2 for Attention {
    fn name(&self) -> &'static str {
        "causal-attention"
    }

    fn cpu_fwd(&self, q: &CpuStorage, ql: &Layout, kv: &CpuStorage, kvl: &Layout) -> Result<(CpuStorage, Shape)> {
        let width = ql.dims()[1];
        dispatch!("causal-attention", candle_core::backend::BackendStorage::dtype(q), T => {
            let (q, kv) = (cpu::slice::<T>(q, ql)?, cpu::slice::<T>(kv, kvl)?);
            let mut result = vec![0 as T; q.len()];
            forward(&mut result, &self.plan, self.heads, (q, kv), width);
            Ok(cpu::stored(result, ql.shape().clone()))
        })
    }

    fn bwd(&self, q: &Tensor, kv: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let width = q.dim(1)?;
        dispatch!("causal-attention", q.dtype(), T => {
            let (dq, dkv) = cpu::with_all::<T, _, 3>([q, kv, grad], |[q, kv, grad]| {
                let (mut dq, mut dkv) = (vec![0 as T; q.len()], vec![0 as T; kv.len()]);
                backward(&mut dq, &self.plan, self.heads, (q, kv, grad), (&mut dkv, 0), width);
                Ok((dq, dkv))
            })?;
            Ok((cpu::gradient(dq, q)?, cpu::gradient(dkv, kv)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{AttentionPlan, causal_attention, composed};
    use crate::testing::{agree, agree_without_differences, rows_where, starts, values};

    #[test]
    fn equals_its_composition_and_finite_differences() {
        let starts = starts(&[3, 1, 5]);
        let some = vec![1, 2, 4, 7, 8];
        let hidden = Arc::new(vec![true, false, true, true, false, true, false, true, false]);
        for (rows, visible) in
            [(rows_where([true; 9]), None), (some.clone(), None), (some, Some(&hidden)), (Vec::new(), None)]
        {
            let plan = AttentionPlan::new(&starts[..], &rows, visible);
            if rows.is_empty() {
                assert_eq!(plan.pairs(), 0);
                continue;
            }
            let inputs = [values(&[rows.len(), 8], 20), values(&[9, 16], 21)];
            agree(&inputs, |x| causal_attention(&x[0], &x[1], 2, &plan), |x| composed(&x[0], &x[1], 2, &plan));
        }
    }

    #[test]
    fn whole_sequences_equal_the_composition_and_finite_differences() {
        let starts = starts(&[3, 1, 20]);
        let hidden = Arc::new((0..24).map(|row| row % 3 != 1).collect::<Vec<bool>>());
        for (rows, visible) in
            [(rows_where([true; 24]), None), (vec![0, 3, 4, 6, 21], None), (vec![1, 2, 5, 7, 22], Some(&hidden))]
        {
            let plan = AttentionPlan::whole(&starts[..], &rows, visible);
            let inputs = [values(&[rows.len(), 8], 20), values(&[24, 16], 21)];
            agree(&inputs, |x| causal_attention(&x[0], &x[1], 2, &plan), |x| composed(&x[0], &x[1], 2, &plan));
        }
    }

    /// The first query of a sequence reads the last key.
    #[test]
    fn a_query_over_a_whole_sequence_reads_the_keys_after_it() {
        let starts = starts(&[3]);
        let (q, kv) = (values(&[3, 4], 1), values(&[3, 8], 2));
        let first = |plan: &Arc<AttentionPlan>| {
            causal_attention(&q, &kv, 1, plan).unwrap().to_vec2::<f64>().unwrap()[0].clone()
        };
        let rows = |x: &candle_core::Tensor| x.to_vec2::<f64>().unwrap();
        let (q, kv) = (rows(&q), rows(&kv));
        let score = |key: usize| ((0..4).map(|i| q[0][i] * kv[key][i]).sum::<f64>() / 2.0).exp();
        let total: f64 = (0..3).map(score).sum();
        let expected = (0..4).map(|i| (0..3).map(|key| score(key) / total * kv[key][4 + i]).sum::<f64>());
        let found = first(&AttentionPlan::whole(&starts[..], &[0, 1, 2], None));
        assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12), "{found:?}");
        assert_ne!(found, first(&AttentionPlan::new(&starts[..], &[0, 1, 2], None)));
    }

    #[test]
    fn long_sequences_and_wide_heads_equal_the_composition() {
        for (length, width, heads) in
            [(37, 16, 2), (70, 32, 2), (20, 64, 2), (9, 128, 2), (33, 6, 1), (10, 300, 2), (10, 300, 1)]
        {
            let rows: Vec<u32> = (0..length as u32 + 3).collect();
            let plan = AttentionPlan::new(&starts(&[length as u32, 3])[..], &rows, None);
            let inputs = [values(&[length + 3, width], 23), values(&[length + 3, 2 * width], 24)];
            agree_without_differences(
                &inputs,
                |x| causal_attention(&x[0], &x[1], heads, &plan),
                |x| composed(&x[0], &x[1], heads, &plan),
            );
        }
    }

    /// Sequences of one to seventeen queries: groups of heads side by side, and a smaller last group; some keys are
    /// hidden.
    #[test]
    fn few_queries_of_several_heads_equal_the_composition() {
        let starts = starts(&[1, 2, 3, 5, 9, 17, 30]);
        let rows = rows_where((0..67).map(|row| row < 37 || row % 7 == 0));
        let hidden = Arc::new((0..67).map(|row| row % 5 != 1).collect::<Vec<bool>>());
        for (heads, head_dim) in [(1, 8), (3, 10), (6, 4), (7, 16), (8, 8), (12, 2), (5, 33), (2, 130), (3, 300)] {
            for visible in [None, Some(&hidden)] {
                let plan = AttentionPlan::new(&starts[..], &rows, visible);
                let width = heads * head_dim;
                agree_without_differences(
                    &[values(&[rows.len(), width], 25), values(&[67, 2 * width], 26)],
                    |x| causal_attention(&x[0], &x[1], heads, &plan),
                    |x| composed(&x[0], &x[1], heads, &plan),
                );
            }
        }
    }
}
