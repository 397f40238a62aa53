//! One number for a whole frontier.

use super::Frontier;
use crate::reason::Reason;

/// How costs are weighted in an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CostScale {
    /// All costs alike.
    Linear,
    /// Every doubling of the cost alike; costs have to be positive.
    Logarithmic,
}

impl Frontier {
    /// Mean accuracy of the frontier between two costs: the area below it, divided by its width.
    ///
    /// [`Reason::OutsideFrontier`] if `low` is below the cheapest point, [`Reason::OutOfRange`] unless `low` is below
    /// `high`, and positive on a logarithmic scale; [`Reason::NotFinite`] if one is infinite or NaN.
    pub fn mean_accuracy(&self, low: f64, high: f64, scale: CostScale) -> Result<f64, Reason> {
        if !low.is_finite() || !high.is_finite() {
            return Err(Reason::NotFinite);
        }
        if low >= high || (scale == CostScale::Logarithmic && low <= 0.0) {
            return Err(Reason::OutOfRange);
        }
        let between = self.points().iter().map(|point| point.0).filter(|cost| *cost > low && *cost < high);
        let costs: Vec<f64> = [low].into_iter().chain(between).chain([high]).collect();
        let mut area = 0.0;
        for pair in costs.windows(2) {
            let (start, end) = (pair[0], pair[1]);
            let (from, to) = (self.accuracy_at(start)?, self.accuracy_at(end)?);
            // The frontier is straight in the cost between its vertices.
            area += match scale {
                CostScale::Linear => f64::midpoint(from, to) * (end - start),
                CostScale::Logarithmic => {
                    let slope = (to - from) / (end - start);
                    (from - slope * start) * (end / start).ln() + slope * (end - start)
                }
            };
        }
        Ok(area
            / match scale {
                CostScale::Linear => high - low,
                CostScale::Logarithmic => (high / low).ln(),
            })
    }
}

/// Hypervolume of points (cost, accuracy): the area of all (cost, accuracy) that are no better than one of the points and
/// no worse than the reference, such as the largest cost and the accuracy of a guess (Zitzler and Thiele 1998). Unlike
/// the frontier it mixes no points. Points that are not better than the reference in both add nothing.
///
/// [`Reason::Empty`] without points, [`Reason::NotFinite`] if a number is infinite or NaN.
pub fn hypervolume(points: &[(f64, f64)], reference: (f64, f64)) -> Result<f64, Reason> {
    if points.iter().chain([&reference]).any(|(cost, accuracy)| !cost.is_finite() || !accuracy.is_finite()) {
        return Err(Reason::NotFinite);
    }
    if points.is_empty() {
        return Err(Reason::Empty);
    }
    let mut order: Vec<(f64, f64)> = points.to_vec();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut volume, mut best) = (0.0, reference.1);
    for (cost, accuracy) in order {
        if cost < reference.0 && accuracy > best {
            volume += (reference.0 - cost) * (accuracy - best);
            best = accuracy;
        }
    }
    Ok(volume)
}
