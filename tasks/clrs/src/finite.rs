//! Inputs that algorithms can compute with: their sums and products are finite.
//!
//! An infinite sum has no order, and infinity times 0 is NaN, which does not even equal itself.

/// The first of `terms` at which the running sum overflows.
pub fn sum_overflows(terms: &[f64]) -> Option<usize> {
    let mut sum = 0.0;
    terms.iter().position(|term| {
        sum += term.abs();
        !f64::is_finite(sum)
    })
}

/// The first of `dimensions` at which the cost of a matrix chain can overflow: a product multiplies three of them, in
/// an order in which small ones may come last, and there are two fewer products than dimensions.
pub fn product_overflows(dimensions: &[f64]) -> Option<usize> {
    let products = dimensions.len().saturating_sub(2).max(1) as f64;
    let mut largest = [1.0f64; 3];
    dimensions.iter().position(|dimension| {
        if *dimension > largest[0] {
            largest[0] = *dimension;
            largest.sort_unstable_by(f64::total_cmp);
        }
        !(largest[0] * largest[1] * largest[2] * products).is_finite()
    })
}

/// The first of `coordinates` at which areas can overflow: a difference of two is at most twice the larger one, and an
/// area is a difference of two products of differences.
pub fn area_overflows(coordinates: &[f64]) -> Option<usize> {
    coordinates.iter().position(|coordinate| !(8.0 * coordinate * coordinate).is_finite())
}
