//! p values adjusted for their number. Entry i of the result belongs to entry i of the input.
//!
//! Errors: [`Reason::Empty`] without p values, [`Reason::NotFinite`] if one is NaN or infinite, [`Reason::OutOfRange`]
//! if one is below 0 or above 1.

use crate::reason::Reason;

/// Holm's adjusted p values (Scandinavian Journal of Statistics 6 (1979) 65-70): calling those below α significant makes
/// any error with probability at most α, under any dependence.
pub fn holm(p: &[f64]) -> Result<Vec<f64>, Reason> {
    let order = ascending(p)?;
    let mut adjusted = vec![0.0; p.len()];
    let mut largest = 0.0_f64;
    for (rank, &place) in order.iter().enumerate() {
        largest = largest.max((p.len() - rank) as f64 * p[place]).min(1.0);
        adjusted[place] = largest;
    }
    Ok(adjusted)
}

/// Benjamini and Hochberg's adjusted p values (Journal of the Royal Statistical Society B 57 (1995) 289-300): of those
/// called significant below α, at most a share α is expected to be wrong, if the tests are independent or positively
/// dependent.
pub fn benjamini_hochberg(p: &[f64]) -> Result<Vec<f64>, Reason> {
    let order = ascending(p)?;
    let mut adjusted = vec![0.0; p.len()];
    let mut smallest = 1.0_f64;
    for (rank, &place) in order.iter().enumerate().rev() {
        smallest = smallest.min(p.len() as f64 * p[place] / (rank + 1) as f64);
        adjusted[place] = smallest;
    }
    Ok(adjusted)
}

/// Places of the p values, the smallest one first.
fn ascending(p: &[f64]) -> Result<Vec<usize>, Reason> {
    if p.is_empty() {
        return Err(Reason::Empty);
    }
    if p.iter().any(|own| !own.is_finite()) {
        return Err(Reason::NotFinite);
    }
    if p.iter().any(|own| !(0.0..=1.0).contains(own)) {
        return Err(Reason::OutOfRange);
    }
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    Ok(order)
}
