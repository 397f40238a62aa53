//! A perceptron that reads normed states: LayerNorm, a linear layer without bias, SiLU, a linear layer with bias.
//!
//! Hidden activations are several times as wide as a state, and cheap to compute. So a thread computes them for some
//! rows and uses them while they are in its cache; only the states are kept for the backward pass.

use std::sync::Arc;

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::cpu::{self, LEAST, ROWS, Real, accumulate, dispatch, number, sigmoid};
use super::product::{OuterProducts, Panels, TALL, Term, add_outer_products, multiplied, multiply};
use super::sums::{self, Sums};
use super::{layer_norm, linear, silu};
use crate::instructions::{Instructions, with_instructions};
use crate::operands;
use crate::threads;

/// The weights of a perceptron.
#[derive(Debug, Clone)]
pub struct PerceptronWeights {
    /// Weight of the LayerNorm, `[d_model]`.
    pub scale: Tensor,
    /// Bias of the LayerNorm, `[d_model]`.
    pub shift: Tensor,
    /// From a state to hidden activations, `[width, d_model]`.
    pub up: Tensor,
    /// From hidden activations to outputs, `[outputs, width]`.
    pub down: Tensor,
    /// Bias of the outputs, `[outputs]`.
    pub bias: Tensor,
}

impl PerceptronWeights {
    /// The weights in the order in which their gradients are summed.
    fn in_order(&self) -> [&Tensor; 5] {
        let Self { scale, shift, up, down, bias } = self;
        [scale, shift, up, down, bias]
    }
}

/// Outputs for `states` `[rows, d_model]`: `[rows, outputs]`. A row's outputs do not depend on the number of rows.
///
/// # Errors
/// If shapes or types do not agree.
pub fn perceptron(states: &Tensor, weights: &PerceptronWeights, epsilon: f64) -> Result<Tensor> {
    let (rows, d_model) = operands::matrix("states of perceptron", states)?;
    let (width, _) = operands::matrix("up of perceptron", &weights.up)?;
    let (outputs, _) = operands::matrix("down of perceptron", &weights.down)?;
    let shapes: [(&str, &[usize]); 5] = [
        ("scale of perceptron", &[d_model]),
        ("shift of perceptron", &[d_model]),
        ("up of perceptron", &[width, d_model]),
        ("down of perceptron", &[outputs, width]),
        ("bias of perceptron", &[outputs]),
    ];
    for (weight, (operand, shape)) in weights.in_order().into_iter().zip(shapes) {
        operands::expect(operand, weight, shape, states.dtype())?;
    }
    // Without anything to compute, nothing needs to be fused.
    if !cpu::fused(states) || [rows, d_model, width, outputs].contains(&0) {
        return composed(states, weights, epsilon);
    }
    let sums = Arc::new(Sums::default());
    let token = sums::token(weights.in_order(), &sums, &())?;
    let operation = Perceptron { weights: weights.clone(), epsilon, sums, sizes: [d_model, width, outputs] };
    states.contiguous()?.apply_op2(&token, operation)
}

fn composed(states: &Tensor, weights: &PerceptronWeights, epsilon: f64) -> Result<Tensor> {
    let normed = layer_norm::layer_norm(states, &weights.scale, &weights.shift, epsilon)?;
    let hidden = silu::silu(&linear::linear(&normed, &weights.up, None)?)?;
    linear::linear(&hidden, &weights.down, Some(&weights.bias))
}

struct Perceptron {
    weights: PerceptronWeights,
    epsilon: f64,
    sums: Arc<Sums<5>>,
    /// Widths of states, hidden activations and outputs.
    sizes: [usize; 3],
}

/// Contribution of a part of the rows to the gradients of the weights.
struct Share<T> {
    scale: Vec<T>,
    shift: Vec<T>,
    /// The operands of the product that is the gradient of `up`.
    by_hidden: Panels<T, TALL>,
    normed: Panels<T>,
    down: Vec<T>,
    bias: Vec<T>,
}

impl<T> Share<T> {
    fn term(&self) -> Term<'_, T> {
        Term { left: &self.by_hidden, right: &self.normed }
    }
}

impl Perceptron {
    fn with_weights<T: Real, R>(&self, work: impl FnOnce([&[T]; 5]) -> R) -> Result<R> {
        cpu::with_all::<T, _, 5>(self.weights.in_order(), |weights| Ok(work(weights)))
    }

    fn forward<T: Real>(&self, states: &[T]) -> Result<Vec<T>> {
        let ([d_model, width, outputs], epsilon) = (self.sizes, T::from_f64(self.epsilon));
        let rows = states.len() / d_model;
        let mut scores = vec![T::zero(); rows * outputs];
        let share = threads::even_share(rows, LEAST, ROWS);
        let work = scores.chunks_mut(share * outputs).zip(states.chunks(share * d_model)).collect();
        self.with_weights(|[scale, shift, up, down, bias]| {
            let (up, down) = (Panels::of_transposed(up, d_model), Panels::of_transposed(down, width));
            with_instructions!(instructions => threads::for_each_with(
                instructions,
                work,
                #[inline(always)]
                |(scores, states): (&mut [T], &[T])| {
                    let mut hidden = multiplied(&layer_norm::forward(states, scale, shift, epsilon), &up);
                    for x in &mut *hidden {
                        *x *= sigmoid(instructions, *x);
                    }
                    multiply(scores, &hidden, &down, false);
                    scores.chunks_exact_mut(outputs).for_each(|scores| accumulate(scores, bias));
                },
            ));
        })?;
        Ok(scores)
    }

    /// The gradient of the states.
    fn backward<T: Real>(&self, states: &[T], grad: &[T]) -> Result<Vec<T>> {
        let ([d_model, width, outputs], epsilon) = (self.sizes, T::from_f64(self.epsilon));
        let mut dstates = vec![T::zero(); states.len()];
        // The parts do not depend on the threads, because their contributions are added in order.
        let mut shares: Vec<Option<Share<T>>> = states.chunks(ROWS * d_model).map(|_| None).collect();
        let work = shares
            .iter_mut()
            .zip(dstates.chunks_mut(ROWS * d_model))
            .zip(states.chunks(ROWS * d_model).zip(grad.chunks(ROWS * outputs)))
            .collect();
        self.with_weights(|[scale, shift, up, down, _]| {
            let forward = Panels::of_transposed(up, d_model);
            let (up, down) = (Panels::of(up, d_model), Panels::of(down, width));
            type Work<'w, T> = ((&'w mut Option<Share<T>>, &'w mut [T]), (&'w [T], &'w [T]));
            with_instructions!(instructions => threads::for_each_with(
                instructions,
                work,
                #[inline(always)]
                |((share, dstates), (states, grad)): Work<T>| {
                    let normed = layer_norm::forward(states, scale, shift, epsilon);
                    let mut hidden = multiplied(&normed, &forward);
                    let mut by_hidden = multiplied(grad, &down);
                    differentiate(instructions, &mut hidden, &mut by_hidden);
                    let mut down = vec![T::zero(); outputs * width];
                    let (left, right) = (&Panels::of(grad, outputs), &Panels::of(&hidden, width));
                    add_outer_products(vec![OuterProducts { into: &mut down, terms: vec![Term { left, right }] }]);
                    let mut bias = vec![T::zero(); outputs];
                    grad.chunks_exact(outputs).for_each(|grad| accumulate(&mut bias, grad));
                    let by_normed = multiplied(&by_hidden, &up);
                    let [own, scale, shift] = layer_norm::backward(states, scale, &by_normed, epsilon);
                    dstates.copy_from_slice(&own);
                    let (by_hidden, normed) = (Panels::of(&by_hidden, width), Panels::of(&normed, d_model));
                    *share = Some(Share { scale, shift, by_hidden, normed, down, bias });
                },
            ));
        })?;
        let shares: Vec<Share<T>> = shares.into_iter().flatten().collect();
        self.sums.add::<T>(self.weights.in_order().map(Tensor::elem_count), |[scale, shift, up, down, bias]| {
            add_outer_products(vec![OuterProducts { into: up, terms: shares.iter().map(Share::term).collect() }]);
            for share in &shares {
                accumulate(scale, &share.scale);
                accumulate(shift, &share.shift);
                accumulate(down, &share.down);
                accumulate(bias, &share.bias);
            }
        });
        Ok(dstates)
    }
}

/// Turns numbers into their SiLU, and gradients of the SiLU into gradients of the numbers.
#[inline(always)]
fn differentiate<T: Real>(instructions: impl Instructions, numbers: &mut [T], gradients: &mut [T]) {
    for (x, gradient) in numbers.iter_mut().zip(gradients) {
        let sigmoid = sigmoid(instructions, *x);
        let silu = *x * sigmoid;
        *gradient *= sigmoid + silu * (number::<T>(1.0) - sigmoid);
        *x = silu;
    }
}

impl CustomOp2 for Perceptron {
    fn name(&self) -> &'static str {
        "perceptron"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        dispatch!("perceptron", x.dtype(), T => {
            let scores = self.forward(cpu::slice::<T>(x, xl)?)?;
            Ok(cpu::stored(scores, (xl.dims()[0], self.sizes[2])))
        })
    }

    fn bwd(&self, x: &Tensor, token: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        dispatch!("perceptron", x.dtype(), T => {
            let dx = cpu::with_all::<T, _, 2>([x, grad], |[x, grad]| self.backward(x, grad))?;
            Ok((cpu::gradient(dx, x)?, Some(token.zeros_like()?)))
        })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Result, Tensor};

    use super::{PerceptronWeights, composed, perceptron};
    use crate::testing::{agree, agree_without_differences, values};

    fn weights(x: &[Tensor]) -> PerceptronWeights {
        let [scale, shift, up, down, bias] = [1, 2, 3, 4, 5].map(|which| x[which].clone());
        PerceptronWeights { scale, shift, up, down, bias }
    }

    fn operands([rows, d_model, width, outputs]: [usize; 4]) -> Vec<Tensor> {
        let shapes: [&[usize]; 6] =
            [&[rows, d_model], &[d_model], &[d_model], &[width, d_model], &[outputs, width], &[outputs]];
        shapes.iter().zip(1..).map(|(shape, seed)| values(shape, seed)).collect()
    }

    #[test]
    fn equals_its_composition_and_finite_differences() {
        // One output, and more outputs than a panel; more rows than one thread processes at a time.
        for sizes in [[1, 2, 1, 1], [3, 5, 7, 2], [5, 8, 33, 4], [70, 6, 9, 1], [130, 4, 20, 18]] {
            let inputs = operands(sizes);
            agree(&inputs, |x| perceptron(&x[0], &weights(x), 1e-5), |x| composed(&x[0], &weights(x), 1e-5));
        }
    }

    /// Weights used several times receive the sum of their gradients.
    #[test]
    fn uses_add_up() {
        type Scores = fn(&Tensor, &PerceptronWeights, f64) -> Result<Tensor>;
        let twice = |x: &[Tensor], scores: Scores| -> Result<Tensor> {
            let weights = weights(x);
            let first = scores(&x[0], &weights, 1e-5)?;
            let moved = x[0].broadcast_mul(&first.narrow(1, 0, 1)?)?;
            first + scores(&moved, &weights, 1e-5)?
        };
        agree_without_differences(&operands([70, 5, 9, 2]), |x| twice(x, perceptron), |x| twice(x, composed));
    }
}
