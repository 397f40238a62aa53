//! Entropies and divergences of predicted distributions.

use haltbench_sdk::prelude::*;

/// KL(p || q) of each row, in nats, from log p and log q `[rows, vocabulary]`, with 0 log 0 = 0.
///
/// # Errors
/// If the shapes differ.
pub fn divergences(log_p: &Tensor, log_q: &Tensor) -> Result<Vec<f64>> {
    sums(&log_p.exp()?, &(log_p - log_q)?)
}

/// [`divergences`] of the distributions at the last check from those at this one, `log_p` `[rows, vocabulary]`. Before the first
/// check the distribution is uniform.
///
/// # Errors
/// If a tensor operation fails.
pub fn changes(log_p: &Tensor, memory: &mut RowMemory) -> Result<Vec<f64>> {
    let before = match memory.replace("log p", log_p) {
        Some(before) => before,
        None => (log_p.zeros_like()? - (log_p.dim(1)? as f64).ln())?,
    };
    divergences(&before, log_p)
}

/// The entropy of each row, in nats, from log p `[rows, vocabulary]`, with 0 log 0 = 0.
///
/// # Errors
/// If a tensor operation fails.
pub fn entropies(log_p: &Tensor) -> Result<Vec<f64>> {
    sums(&log_p.exp()?, &log_p.neg()?)
}

/// The sum of p times `values` in each row, without the terms where p is 0.
fn sums(p: &Tensor, values: &Tensor) -> Result<Vec<f64>> {
    let terms = (p * values)?;
    let sums: Vec<f64> = terms.sum(1)?.to_vec1()?;
    if !sums.iter().any(|sum| sum.is_nan()) {
        return Ok(sums);
    }
    // Logits of minus infinity are rare, and a mask over the vocabulary is not cheap.
    Ok(p.ne(0.0)?.where_cond(&terms, &p.zeros_like()?)?.sum(1)?.to_vec1()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// log p with minus infinity where p is 0, and what SciPy's `entropy(p, q)` gives.
    #[test]
    fn a_token_without_probability_adds_nothing() {
        let log = |p: [f64; 3]| Tensor::new(&[p.map(f64::ln)], &Device::Cpu).unwrap();
        let divergence = |p, q| divergences(&log(p), &log(q)).unwrap()[0];
        assert!((divergence([0.5, 0.5, 0.0], [0.25, 0.75, 0.0]) - 0.143_841_036_225_890_4).abs() < 1e-15);
        assert!((divergence([0.5, 0.5, 0.0], [0.25, 0.25, 0.5]) - 2.0f64.ln()).abs() < 1e-15);
        assert_eq!(divergence([0.5, 0.25, 0.25], [0.5, 0.5, 0.0]), f64::INFINITY);
        assert!((entropies(&log([0.5, 0.5, 0.0])).unwrap()[0] - 2.0f64.ln()).abs() < 1e-15);
        assert_eq!(entropies(&log([1.0, 0.0, 0.0])).unwrap(), [0.0]);
    }
}
