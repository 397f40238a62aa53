use candle_core::{DType, Device, Tensor};

use super::{AdamWStep, CHUNK, Memory, Moments, square_sum};
use crate::testing::values;

const STEP: AdamWStep = AdamWStep {
    rate: 0.1,
    beta1: 0.9,
    beta2: 0.99,
    epsilon: 1e-8,
    decay: 0.05,
    correction1: 0.19,
    correction2: 0.0199,
    scale: 0.5,
};

fn flat(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_vec1::<f64>().unwrap()
}

#[test]
fn a_step_is_that_of_the_equations() {
    let (weight, gradient) = (values(&[3, 7], 1), values(&[3, 7], 2));
    let (first, second) = (values(&[3, 7], 3), values(&[3, 7], 4).sqr().unwrap());
    let (w, g, m, v) = (flat(&weight), flat(&gradient), flat(&first), flat(&second));
    let mut moments = Moments::new(vec![weight.clone()]).unwrap();
    moments.set(0, [&first, &second]).unwrap();
    moments.step(&[Some(&gradient)], |_| STEP).unwrap();
    let [first, second] = moments.get(0).unwrap();
    let moved = (flat(&weight), flat(&first), flat(&second));
    for index in 0..w.len() {
        let g = g[index] * 0.5;
        let (m, v) = (0.9 * m[index] + 0.1 * g, 0.99 * v[index] + 0.01 * g * g);
        let expected = w[index] * 0.95 - 0.1 * (m / 0.19) / ((v / 0.0199).sqrt() + 1e-8);
        for (found, expected) in [(moved.0[index], expected), (moved.1[index], m), (moved.2[index], v)] {
            assert!((found - expected).abs() < 1e-12);
        }
    }
    let sum: f64 = g.iter().map(|g| g * g).sum();
    assert!((square_sum(&gradient).unwrap() - sum).abs() < 1e-12);
    assert!((square_sum(&gradient.to_dtype(DType::F32).unwrap()).unwrap() - sum).abs() < 1e-5);
}

/// Weights of several shapes and a missing gradient: the same bits as one number after the other, with the operations in
/// the order of the equations, wherever in the memory of all moments a weight's are.
#[test]
fn all_weights_move_as_each_would_alone() {
    let shapes: [&[usize]; 5] = [&[], &[3, 7], &[0, 4], &[2, CHUNK / 2 + 9], &[5]];
    let single = |seed: u64| {
        let tensor = move |shape: &&[usize]| values(shape, seed).to_dtype(DType::F32).unwrap();
        shapes.iter().map(tensor).collect::<Vec<Tensor>>()
    };
    let (weights, gradients) = (single(1), single(2));
    let (first, second) = (single(3), single(4).iter().map(|second| second.sqr().unwrap()).collect::<Vec<_>>());
    let numbers = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let before: Vec<[Vec<f32>; 4]> = (0..shapes.len())
        .map(|which| [&weights, &gradients, &first, &second].map(|tensors| numbers(&tensors[which])))
        .collect();
    let mut moments = Moments::new(weights.clone()).unwrap();
    assert!(matches!(moments.memory, Memory::F32(_)));
    for which in 0..shapes.len() {
        moments.set(which, [&first[which], &second[which]]).unwrap();
    }
    let mut given: Vec<Option<&Tensor>> = gradients.iter().map(Some).collect();
    given[4] = None;
    let decay = |weight: &Tensor| if weight.rank() == 2 { 0.05 } else { 0.0 };
    moments.step(&given, |weight| AdamWStep { decay: decay(weight), ..STEP }).unwrap();
    for (which, [w, g, m, v]) in before.iter().enumerate() {
        let [first, second] = moments.get(which).unwrap();
        let moved = [&weights[which], &first, &second].map(numbers);
        let kept = (1.0 - decay(&weights[which])) as f32;
        for index in 0..w.len() {
            let g = if which == 4 { 0.0 } else { g[index] * 0.5 };
            let m = m[index] * 0.9 + g * (1.0f64 - 0.9) as f32;
            let v = v[index] * 0.99 + (g * g) * (1.0f64 - 0.99) as f32;
            let (rate, unbias) = ((0.1f64 / 0.19) as f32, (1.0f64 / 0.0199) as f32);
            let w = w[index] * kept - (rate * m) / ((v * unbias).sqrt() + 1e-8);
            assert_eq!([moved[0][index], moved[1][index], moved[2][index]], [w, m, v], "{which}, {index}");
        }
    }
}

/// Weights that are not in one piece of memory, or of several types, move by themselves.
#[test]
fn what_cannot_be_flat_moves_all_the_same() {
    let wide = values(&[3, 4], 1);
    let weights = [wide.t().unwrap(), Tensor::ones(2, DType::F32, &Device::Cpu).unwrap()];
    let mut apart = Moments::new(weights.to_vec()).unwrap();
    assert!(matches!(apart.memory, Memory::Tensors(_)));
    let alone = weights[0].contiguous().unwrap();
    let mut together = Moments::new(vec![alone.clone()]).unwrap();
    let gradient = values(&[4, 3], 2);
    apart.step(&[Some(&gradient), None], |_| STEP).unwrap();
    together.step(&[Some(&gradient)], |_| STEP).unwrap();
    for (found, expected) in flat(&weights[0]).into_iter().zip(flat(&alone)) {
        assert!((found - expected).abs() < 1e-12);
    }
}
