//! The per-token columns: their declarations and values.

use std::ops::Range;

use haltbench_sdk::nodes::Names;
use haltbench_sdk::task::{Columns, ComplexitySpec, FeatureKind, FeatureSpec};

use crate::cycle::{Cycle, Query};

/// The complexities.
pub const COMPLEXITIES: [ComplexitySpec; 4] = [
    ComplexitySpec {
        name: "hops",
        documentation: "Hops asked for; at an answer's first token, and at those after it as long as several nodes \
                        share the tokens before; 1 at the others, which only copy.",
    },
    ComplexitySpec {
        name: "hops_mod",
        documentation: "Hops modulo the nodes of the cycle: the fewest forwards; at the same tokens.",
    },
    ComplexitySpec {
        name: "hops_bidir",
        documentation: "Fewest hops forwards or backwards, for a model that also follows edges backwards; at the same \
                        tokens.",
    },
    ComplexitySpec {
        name: "parallel",
        documentation: "Rounds of doubling the successor function, 1 + floor(log2 hops_mod), or 0 where the answer is \
                        the start; at the same tokens.",
    },
];

/// The complexity of multi-token names.
pub const SPELLING: ComplexitySpec = ComplexitySpec {
    name: "spelling",
    documentation: "Nodes whose names start as the tokens printed of the answer, all at its first token.",
};

/// The features.
pub const FEATURES: [FeatureSpec; 10] = [
    FeatureSpec { name: "size", kind: FeatureKind::Static, documentation: "Nodes of the cycle, N." },
    FeatureSpec { name: "length", kind: FeatureKind::Static, documentation: "Tokens of the edges." },
    FeatureSpec {
        name: "query_index",
        kind: FeatureKind::Static,
        documentation: "Place of the question in its sequence, from 1 on.",
    },
    FeatureSpec { name: "printed_hops", kind: FeatureKind::Static, documentation: "Hops asked for, as printed." },
    FeatureSpec {
        name: "edge_position",
        kind: FeatureKind::Static,
        documentation: "Place among the printed edges of the one that leaves the start, from 1 on.",
    },
    FeatureSpec {
        name: "edge_distance",
        kind: FeatureKind::Static,
        documentation: "Printed edges from the one that leaves the start to the one that follows it on the cycle; \
                        negative if that stands before it.",
    },
    FeatureSpec {
        name: "wraps",
        kind: FeatureKind::State,
        documentation: "How often the walk comes back to its start.",
    },
    FeatureSpec {
        name: "answer_position",
        kind: FeatureKind::State,
        documentation: "Place among the printed edges of the one that leads to the answer, from 1 on.",
    },
    FeatureSpec {
        name: "walk_distance",
        kind: FeatureKind::State,
        documentation: "Mean number of printed edges between two edges that follow each other on the walk; undefined \
                        for a single hop.",
    },
    FeatureSpec {
        name: "backward_hops",
        kind: FeatureKind::State,
        documentation: "Hops whose edge is printed before that of the hop before.",
    },
];

/// Positions of the edges and answers.
pub struct Layout {
    /// Number of tokens of the sequence.
    pub length: usize,
    /// Number of tokens of the edges.
    pub edges: usize,
    /// First token of every answer.
    pub answers: Vec<usize>,
}

/// Fills the complexities and features of a sequence; features are at the first tokens of answers.
pub fn fill(cycle: &Cycle, names: &Names, layout: &Layout, [complexities, features]: [&mut Columns; 2]) {
    let is_spelled = names.longest() > 1;
    let first = layout.answers.first().copied().unwrap_or(layout.length);
    complexities.reset(COMPLEXITIES.len() + usize::from(is_spelled), first..layout.length);
    features.reset(FEATURES.len(), first..layout.length);
    let mut positions = vec![0; cycle.size()];
    for (position, start) in (1..).zip(&cycle.printed) {
        positions[*start as usize] = position;
    }
    let drawn = if is_spelled { Drawn::new(&cycle.nodes, names) } else { Drawn::default() };
    for (index, (query, token)) in (1..).zip(cycle.queries.iter().zip(&layout.answers)) {
        let (start, answer) = (query.start as usize, cycle.answer(query));
        let walk = Walk::new(cycle, &positions, query);
        let hops = complexity(query.hops, cycle.size() as u32);
        complexities.write(*token, 0, &hops);
        let counted = [cycle.size() as f32, layout.edges as f32, index as f32, query.hops as f32];
        let next = positions[(start + 1) % cycle.size()];
        features.write(*token, 0, &counted);
        let edges = [positions[start] as f32, (next - positions[start]) as f32];
        features.write(*token, 4, &edges);
        let last = positions[(answer + cycle.size() - 1) % cycle.size()];
        let state = [(query.hops / cycle.size() as u32) as f32, last as f32, walk.distance, walk.backward];
        features.write(*token, 6, &state);
        if is_spelled {
            let answer = cycle.nodes[answer];
            for place in 0..names.get(answer).length {
                let sharing = drawn.count(names.alike(answer, place));
                let values = if sharing > 1 || place == 0 { hops } else { [1.0; 4] };
                complexities.write(token + place, 0, &values);
                complexities.write(token + place, COMPLEXITIES.len(), &[sharing as f32]);
            }
        }
    }
}

/// The values of [`COMPLEXITIES`] for a number of hops on a cycle.
fn complexity(hops: u32, size: u32) -> [f32; 4] {
    let forwards = hops % size;
    let rounds = forwards.checked_ilog2().map_or(0, |rounds| rounds + 1);
    [hops, forwards, forwards.min(size - forwards), rounds].map(|number| number as f32)
}

/// The names of a cycle, as a bit set.
#[derive(Default)]
struct Drawn(Vec<u64>);

impl Drawn {
    fn new(nodes: &[u32], names: &Names) -> Self {
        let mut bits = vec![0; names.alike(0, 0).end as usize / 64 + 1];
        nodes.iter().for_each(|name| bits[*name as usize / 64] |= 1 << (name % 64));
        Self(bits)
    }

    /// Number of names in a range of ids.
    fn count(&self, numbers: Range<u32>) -> u32 {
        let below = |bit: u32| (1_u64 << (bit % 64)) - 1;
        let (first, last) = (numbers.start as usize / 64, numbers.end as usize / 64);
        let all: u32 = self.0[first..last].iter().map(|word| word.count_ones()).sum();
        all + (self.0[last] & below(numbers.end)).count_ones() - (self.0[first] & below(numbers.start)).count_ones()
    }
}

/// The edges that a walk follows, in the order of the prompt.
struct Walk {
    distance: f32,
    backward: f32,
}

impl Walk {
    fn new(cycle: &Cycle, positions: &[i32], query: &Query) -> Self {
        let size = cycle.size();
        let (mut total, mut backward) = (0, 0);
        let mut place = query.start as usize;
        for _ in 1..query.hops {
            let next = if place + 1 == size { 0 } else { place + 1 };
            total += (positions[next] - positions[place]).unsigned_abs();
            backward += u32::from(positions[next] < positions[place]);
            place = next;
        }
        let pairs = query.hops - 1;
        let distance = if pairs > 0 { total as f32 / pairs as f32 } else { f32::NAN };
        Self { distance, backward: backward as f32 }
    }
}
