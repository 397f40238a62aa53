//! Norms and cosines of states of any size.

use haltbench_sdk::prelude::*;

/// Norms whose squares, and sums of squares, keep their digits in f64.
const SQUARABLE: std::ops::Range<f64> = 1e-140..1e140;

/// Euclidean norm of each row of `rows` `[rows, width]` in f64.
pub fn norms(rows: &Tensor) -> Result<Vec<f64>> {
    let mut norms: Vec<f64> = rows.sqr()?.sum(1)?.sqrt()?.to_vec1()?;
    for (row, norm) in norms.iter_mut().enumerate().filter(|(_, norm)| !SQUARABLE.contains(norm)) {
        let (size, scaled) = scaled(rows, row)?;
        *norm = size * scaled.iter().map(|value| value * value).sum::<f64>().sqrt();
    }
    Ok(norms)
}

/// |h(d) - h(d-1)| / |h(d)| of each row of `states` and `previous`, `[rows, width]`; NaN or infinite where h(d) is 0.
pub fn relative_steps(states: &Tensor, previous: &Tensor) -> Result<Vec<f64>> {
    let (states, previous) = (states.to_dtype(DType::F64)?, previous.to_dtype(DType::F64)?);
    let (steps, sizes) = (norms(&(&states - previous)?)?, norms(&states)?);
    Ok(steps.iter().zip(sizes).map(|(step, size)| step / size).collect())
}

/// The cosine of each row of two tensors `[rows, width]` in f64; NaN where a row is 0.
pub fn cosines(a: &Tensor, b: &Tensor) -> Result<Vec<f64>> {
    let of_a: Vec<f64> = a.sqr()?.sum(1)?.sqrt()?.to_vec1()?;
    let of_b: Vec<f64> = b.sqr()?.sum(1)?.sqrt()?.to_vec1()?;
    let mut products: Vec<f64> = (a * b)?.sum(1)?.to_vec1()?;
    for (row, (product, (of_a, of_b))) in products.iter_mut().zip(of_a.into_iter().zip(of_b)).enumerate() {
        if SQUARABLE.contains(&of_a) && SQUARABLE.contains(&of_b) {
            *product = (*product / (of_a * of_b)).clamp(-1.0, 1.0);
            continue;
        }
        let ((_, a), (_, b)) = (scaled(a, row)?, scaled(b, row)?);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        *product = (dot(&a, &b) / (dot(&a, &a).sqrt() * dot(&b, &b).sqrt())).clamp(-1.0, 1.0);
    }
    Ok(products)
}

/// The largest magnitude in a row, and the row divided by it; a row of zeros stays as it is.
fn scaled(rows: &Tensor, row: usize) -> Result<(f64, Vec<f64>)> {
    let values: Vec<f64> = rows.get(row)?.to_vec1()?;
    let size = values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    Ok(if size > 0.0 { (size, values.iter().map(|value| value / size).collect()) } else { (1.0, values) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_do_not_depend_on_the_size_of_the_states() {
        for size in [1.0, 1e-300, 1e-170, 1e160, 1e300] {
            let row = |values: [f64; 2]| Tensor::new(&[values.map(|value| value * size)], &Device::Cpu).unwrap();
            assert!((norms(&row([3.0, -4.0])).unwrap()[0] / size - 5.0).abs() < 1e-14, "{size}");
            let cosine = cosines(&row([1.0, 0.0]), &row([1.0, 1.0])).unwrap()[0];
            assert!((cosine - 0.5f64.sqrt()).abs() < 1e-15, "{size}: {cosine}");
        }
        let row = |values: [f64; 2]| Tensor::new(&[values], &Device::Cpu).unwrap();
        assert_eq!(norms(&row([0.0, 0.0])).unwrap(), [0.0]);
        assert!(cosines(&row([0.0, 0.0]), &row([1.0, 1.0])).unwrap()[0].is_nan());
    }
}
