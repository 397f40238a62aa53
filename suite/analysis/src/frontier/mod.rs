//! The fixed-depth frontier, and the gain of adaptive depth over it at the same cost.

mod area;

use crate::crossed::Crossed;
use crate::reason::Reason;

pub use area::{CostScale, hypervolume};

/// The best mean accuracy that mixtures of fixed depths reach at a mean cost: the upper concave hull of their points,
/// flat beyond the best one.
///
/// Every point on the line between two depths can be reached by running one depth on a random share of the inputs and
/// the other on the rest, so a policy has to beat the hull, not only the points. Costs and accuracies may have any
/// units, as long as all policies use the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Frontier {
    points: Vec<(f64, f64)>,
    places: Vec<usize>,
}

/// Position of a cost on the frontier: between two vertices.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Edge {
    /// Vertex below.
    below: usize,
    /// Vertex above; the same as `below` where the frontier is flat.
    above: usize,
    /// Weight of the vertex above, from 0 to 1.
    weight: f64,
    /// Accuracy gained per unit of cost.
    slope: f64,
}

impl Frontier {
    /// Frontier of points (cost, accuracy) in any order. [`Reason::NoFrontier`] without points, [`Reason::NotFinite`]
    /// if one is infinite or NaN.
    pub fn new(points: &[(f64, f64)]) -> Result<Self, Reason> {
        if points.is_empty() {
            return Err(Reason::NoFrontier);
        }
        if points.iter().any(|(cost, accuracy)| !cost.is_finite() || !accuracy.is_finite()) {
            return Err(Reason::NotFinite);
        }
        let mut order: Vec<usize> = (0..points.len()).collect();
        order.sort_by(|&a, &b| points[a].0.total_cmp(&points[b].0).then(points[b].1.total_cmp(&points[a].1)));
        // Andrew's monotone chain over the points that are better than all cheaper ones.
        let mut places: Vec<usize> = Vec::new();
        let mut best = f64::NEG_INFINITY;
        for place in order {
            let (cost, accuracy) = points[place];
            if accuracy <= best {
                continue;
            }
            best = accuracy;
            while let [.., a, b] = places[..] {
                let (first, middle) = (points[a], points[b]);
                let is_below = (middle.1 - first.1) * (cost - first.0) <= (accuracy - first.1) * (middle.0 - first.0);
                if !is_below {
                    break;
                }
                places.pop();
            }
            places.push(place);
        }
        Ok(Frontier { points: places.iter().map(|&place| points[place]).collect(), places })
    }

    /// The vertices (cost, accuracy), both strictly ascending.
    pub fn points(&self) -> &[(f64, f64)] {
        &self.points
    }

    /// Indices of the original points that are vertices, in the order of cost.
    pub fn places(&self) -> &[usize] {
        &self.places
    }

    /// Accuracy of the frontier at a cost. [`Reason::OutsideFrontier`] below the cheapest point, [`Reason::NotFinite`]
    /// if the cost is infinite or NaN.
    pub fn accuracy_at(&self, cost: f64) -> Result<f64, Reason> {
        let edge = self.edge(cost)?;
        let (below, above) = (self.points[edge.below].1, self.points[edge.above].1);
        Ok(below + edge.weight * (above - below))
    }

    fn edge(&self, cost: f64) -> Result<Edge, Reason> {
        if !cost.is_finite() {
            return Err(Reason::NotFinite);
        }
        let above = self.points.partition_point(|point| point.0 <= cost);
        let below = above.checked_sub(1).ok_or(Reason::OutsideFrontier)?;
        let Some(next) = self.points.get(above) else {
            return Ok(Edge { below, above: below, weight: 0.0, slope: 0.0 });
        };
        let own = self.points[below];
        let width = next.0 - own.0;
        Ok(Edge { below, above, weight: (cost - own.0) / width, slope: (next.1 - own.1) / width })
    }
}

/// Cost and accuracy of one policy or one fixed depth, as tables over the same seeds and problems.
#[derive(Debug, Clone, PartialEq)]
pub struct CostAccuracy {
    /// The cost.
    pub cost: Crossed,
    /// The accuracy.
    pub accuracy: Crossed,
}

impl CostAccuracy {
    fn point(&self) -> (f64, f64) {
        (self.cost.mean(), self.accuracy.mean())
    }
}

/// Accuracy above the fixed-depth frontier at the same cost; negative below it.
#[derive(Debug, Clone, PartialEq)]
pub enum Gain {
    /// The policy costs at least as much as the cheapest fixed depth.
    Exact(Crossed),
    /// The policy costs less, where the accuracy of fixed depths is unknown.
    Bounds {
        /// Accuracy above the cheapest fixed depth: the frontier is no higher at lower cost.
        lower: Crossed,
        /// Accuracy above a frontier that also mixes in a guess at no cost; `None` without a guess.
        upper: Option<Crossed>,
    },
}

impl Gain {
    /// The gain, or its lower bound.
    pub fn at_least(&self) -> &Crossed {
        match self {
            Gain::Exact(gain) => gain,
            Gain::Bounds { lower, .. } => lower,
        }
    }
}

/// Gain of a policy over fixed depths at the same cost; `guess` is the accuracy of an answer that costs nothing.
///
/// The interval comes from the delta method. Near the data the gain is linear in the mean costs and accuracies of the
/// policy and of the two vertices on either side of its cost:
/// accuracy - (1-w) accuracy₁ - w accuracy₂ - slope (cost - (1-w) cost₁ - w cost₂).
/// The table is this combination of their tables, so that policy and frontier stay paired. The interval ignores that
/// the data also choose the vertices; `tests/coverage/gain.rs` shows the effect.
///
/// [`Reason::NoFrontier`] without fixed depths, [`Reason::MissingCells`] if one of them was evaluated on other seeds or
/// problems than the policy.
pub fn adapt_gain(policy: &CostAccuracy, fixed: &[CostAccuracy], guess: Option<f64>) -> Result<Gain, Reason> {
    let points: Vec<(f64, f64)> = fixed.iter().map(CostAccuracy::point).collect();
    let frontier = Frontier::new(&points)?;
    let cost = policy.cost.mean();
    match frontier.edge(cost) {
        Ok(edge) => {
            let vertex = |place: usize| &fixed[frontier.places[place]];
            above(policy, edge, vertex(edge.below), vertex(edge.above)).map(Gain::Exact)
        }
        Err(Reason::OutsideFrontier) => {
            let cheapest = &fixed[frontier.places[0]];
            let lower = policy.accuracy.minus(&cheapest.accuracy)?;
            Ok(Gain::Bounds {
                lower,
                upper: guess.map(|guess| above_guess(policy, fixed, &points, guess)).transpose()?,
            })
        }
        Err(reason) => Err(reason),
    }
}

/// The policy's accuracy above an edge.
fn above(policy: &CostAccuracy, edge: Edge, below: &CostAccuracy, above: &CostAccuracy) -> Result<Crossed, Reason> {
    let Edge { weight, slope, .. } = edge;
    Crossed::combination(
        0.0,
        &[
            (1.0, &policy.accuracy),
            (weight - 1.0, &below.accuracy),
            (-weight, &above.accuracy),
            (-slope, &policy.cost),
            (slope * (1.0 - weight), &below.cost),
            (slope * weight, &above.cost),
        ],
    )
}

/// The policy's accuracy above the frontier of the fixed depths and a guess at no cost.
fn above_guess(
    policy: &CostAccuracy,
    fixed: &[CostAccuracy],
    points: &[(f64, f64)],
    guess: f64,
) -> Result<Crossed, Reason> {
    let mut with_guess = points.to_vec();
    with_guess.push((0.0, guess));
    let frontier = Frontier::new(&with_guess)?;
    let Edge { below, above, weight, slope } = frontier.edge(policy.cost.mean())?;
    // The vertex without a fixed depth is the guess, which is constant.
    let mut constant = 0.0;
    let mut terms = vec![(1.0, &policy.accuracy), (-slope, &policy.cost)];
    for (place, share) in [(below, 1.0 - weight), (above, weight)] {
        match fixed.get(frontier.places[place]) {
            Some(depth) => terms.extend([(-share, &depth.accuracy), (slope * share, &depth.cost)]),
            None => constant -= share * guess,
        }
    }
    Crossed::combination(constant, &terms)
}
