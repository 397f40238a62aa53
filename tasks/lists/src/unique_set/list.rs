//! Random lists, and how many have how many distinct elements.

use haltbench_sdk::random::Stream;

use crate::elements::Elements;

/// A list and the places of its first occurrences.
#[derive(Debug, Clone)]
pub struct List {
    /// Ids of the elements.
    pub elements: Vec<u32>,
    /// Places, from 0 on, of the elements that occur for the first time.
    pub firsts: Vec<usize>,
}

impl List {
    /// Draws a list: one of independent elements, or with `stirling` one whose number of distinct elements is uniform.
    pub fn draw(length: usize, elements: Elements, stirling: Option<&Stirling>, stream: &mut Stream) -> Self {
        let count = elements.count as usize;
        let Some(stirling) = stirling else {
            let elements: Vec<u32> = (0..length).map(|_| stream.below(count as u64) as u32).collect();
            return Self { firsts: first_places(&elements, count), elements };
        };
        let distinct = 1 + stream.below(length.min(count) as u64) as usize;
        let firsts = stirling.draw_firsts(length, distinct, stream);
        // Every element that is new is drawn among those that are left, every other one among those before.
        let mut order: Vec<u32> = (0..elements.count).collect();
        let mut drawn = Vec::with_capacity(length);
        let mut used = 0;
        for place in 0..length {
            let chosen = if firsts.get(used) == Some(&place) {
                let chosen = used + stream.below((count - used) as u64) as usize;
                order.swap(used, chosen);
                used += 1;
                used - 1
            } else {
                stream.below(used as u64) as usize
            };
            drawn.push(order[chosen]);
        }
        Self { elements: drawn, firsts }
    }

    /// The distinct elements in order of first occurrence.
    pub fn answer(&self) -> Vec<u32> {
        self.firsts.iter().map(|place| self.elements[*place]).collect()
    }
}

/// Places of the elements that occur for the first time; all ids are below `count`.
fn first_places(elements: &[u32], count: usize) -> Vec<usize> {
    let mut is_seen = vec![false; count];
    let is_new = |place: &usize| !std::mem::replace(&mut is_seen[elements[*place] as usize], true);
    (0..elements.len()).filter(is_new).collect()
}

/// Logarithms of the Stirling numbers of the second kind: of the ways in which n places have k distinct elements,
/// whatever these are.
#[derive(Debug, Clone)]
pub struct Stirling {
    /// By the number of places, then of distinct elements.
    logarithms: Vec<Vec<f64>>,
}

impl Stirling {
    /// The numbers up to this number of places, from S(n, k) = k S(n - 1, k) + S(n - 1, k - 1).
    pub fn new(largest: usize) -> Self {
        let mut logarithms = vec![vec![0.0]];
        for places in 1..=largest {
            let before: &Vec<f64> = &logarithms[places - 1];
            let of = |distinct: usize| before.get(distinct).copied().unwrap_or(f64::NEG_INFINITY);
            let number = |distinct: usize| match distinct {
                0 => f64::NEG_INFINITY,
                _ => sum_of_exponentials((distinct as f64).ln() + of(distinct), of(distinct - 1)),
            };
            logarithms.push((0..=places).map(number).collect());
        }
        Self { logarithms }
    }

    /// ln S(places, distinct).
    pub fn logarithm(&self, places: usize, distinct: usize) -> f64 {
        self.logarithms[places].get(distinct).copied().unwrap_or(f64::NEG_INFINITY)
    }

    /// Draws the places of the first occurrences in a list with this number of distinct elements, all such lists equally
    /// likely. The last of n places repeats one of k elements in k S(n - 1, k) of S(n, k) cases.
    fn draw_firsts(&self, places: usize, distinct: usize, stream: &mut Stream) -> Vec<usize> {
        let mut firsts = vec![0; distinct];
        let mut left = distinct;
        for places in (1..=places).rev() {
            let repeats = (left as f64).ln() + self.logarithm(places - 1, left) - self.logarithm(places, left);
            if left > 0 && stream.uniform() >= repeats.exp() {
                left -= 1;
                firsts[left] = places - 1;
            }
        }
        firsts
    }
}

/// ln(e^a + e^b).
fn sum_of_exponentials(a: f64, b: f64) -> f64 {
    let (low, high) = (a.min(b), a.max(b));
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}
