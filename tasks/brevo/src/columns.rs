//! The per-token columns: declarations and computation.

use haltbench_sdk::nodes::{LONGEST, Names, shared};
use haltbench_sdk::task::{Columns, ComplexitySpec, FeatureKind, FeatureSpec};

use crate::graph::Graph;
use crate::measure::{Step, steps};
use crate::order::Search;

/// The complexities.
pub const COMPLEXITIES: [ComplexitySpec; 5] = [
    ComplexitySpec {
        name: "c_first",
        documentation: "Fewest edges from the query to a node without predecessors that it depends on: how far one \
                        has to look before anything can be printed; at the first node of the answer.",
    },
    ComplexitySpec {
        name: "c_front",
        documentation: "Width: answer nodes that could be printed here; 1 at `<eos>`, which only compares.",
    },
    ComplexitySpec {
        name: "c_dfs",
        documentation: "Depth of the node in the depth-first tree from the query, which has 0; 1 at `<eos>`.",
    },
    ComplexitySpec {
        name: "c_height",
        documentation: "Edges of the longest chain of predecessors that had to be printed before; 1 at `<eos>`.",
    },
    ComplexitySpec {
        name: "c_new",
        documentation: "Answer nodes that can be printed here and could not one node earlier, all of them at the first \
                        node: seen before the node is printed, unlike `newly_enabled`; 1 at `<eos>`.",
    },
];

/// The complexity of multi-token names.
pub const SPELLING: ComplexitySpec = ComplexitySpec {
    name: "c_spelling",
    documentation: "Answer nodes that could be printed here and whose names start as the tokens printed of this one; \
                    at all tokens of a name but the first.",
};

/// The features.
pub const FEATURES: [FeatureSpec; 14] = [
    FeatureSpec { name: "size", kind: FeatureKind::Static, documentation: "Nodes of the graph, N." },
    FeatureSpec { name: "edges", kind: FeatureKind::Static, documentation: "Edges of the graph." },
    FeatureSpec {
        name: "position",
        kind: FeatureKind::Static,
        documentation: "Place of the node in the answer, from 1 on; one more at `<eos>`.",
    },
    FeatureSpec {
        name: "out_degree",
        kind: FeatureKind::Static,
        documentation: "Dependents of the node, 4 for a hub; not known before it is printed.",
    },
    FeatureSpec {
        name: "in_degree",
        kind: FeatureKind::Static,
        documentation: "Predecessors of the node; not known before it is printed.",
    },
    FeatureSpec {
        name: "previous_out_degree",
        kind: FeatureKind::Static,
        documentation: "Dependents of the node printed before; also at `<eos>`.",
    },
    FeatureSpec {
        name: "previous_in_degree",
        kind: FeatureKind::Static,
        documentation: "Predecessors of the node printed before; also at `<eos>`.",
    },
    FeatureSpec {
        name: "frontier",
        kind: FeatureKind::State,
        documentation: "Answer nodes not yet printed whose predecessors all are, the node included.",
    },
    FeatureSpec {
        name: "newly_enabled",
        kind: FeatureKind::State,
        documentation: "Answer nodes not yet printed whose last missing predecessor is the node.",
    },
    FeatureSpec {
        name: "dfs_depth",
        kind: FeatureKind::State,
        documentation: "Depth in the depth-first tree from the query, which has 0; predecessors are visited in \
                        ascending order, with order = any in the order of the prompt.",
    },
    FeatureSpec {
        name: "query_distance",
        kind: FeatureKind::State,
        documentation: "Fewest edges from the node to the query.",
    },
    FeatureSpec {
        name: "height",
        kind: FeatureKind::State,
        documentation: "Edges of the longest chain of predecessors that ends at the node.",
    },
    FeatureSpec {
        name: "remaining",
        kind: FeatureKind::State,
        documentation: "Answer nodes left to print, the node included.",
    },
    FeatureSpec {
        name: "lag",
        kind: FeatureKind::State,
        documentation: "Places back to the last printed predecessor, 1 for the node printed before; undefined for \
                        nodes without predecessors.",
    },
];

/// The feature of paired instances.
pub const PAIRED: FeatureSpec = FeatureSpec {
    name: "paired",
    kind: FeatureKind::Static,
    documentation: "1 at the node that both instances of the pair print at this place in different states, 0 at the \
                    other nodes of the answer.",
};

/// An answer and its place in the sequence.
pub struct Layout<'a> {
    /// The nodes of the answer.
    pub answer: &'a [u16],
    /// Number of tokens of the sequence.
    pub length: usize,
    /// Token of the answer's first name.
    pub start: usize,
    /// Index in the answer of the node that the pair shares.
    pub paired: Option<usize>,
}

/// Computes the complexities and the features of a sequence.
pub fn fill(
    graph: &Graph,
    names: &Names,
    search: &Search,
    layout: &Layout,
    [complexities, features]: [&mut Columns; 2],
) {
    let tokens = layout.start..layout.length;
    complexities.reset(COMPLEXITIES.len() + usize::from(names.longest() > 1), tokens.clone());
    features.reset(FEATURES.len() + usize::from(layout.paired.is_some()), tokens);
    let steps = steps(graph, layout.answer);
    let degrees = |node: u16| {
        let node = graph.node(node);
        [&node.dependents, &node.predecessors].map(|neighbours| neighbours.nodes().len() as f32)
    };
    let (size, edges) = (graph.size() as f32, graph.edges.len() as f32);
    let mut token = layout.start;
    let mut previous = [f32::NAN; 2];
    for (place, step) in steps.iter().enumerate() {
        let found = &search.nodes[usize::from(step.node)];
        let [depth, height, distance] = [found.depth, found.height, found.distance].map(f32::from);
        let [frontier, newly, unlocks] = [step.frontier, step.newly, step.unlocks].map(|count| count as f32);
        let first = if place == 0 { nearest_leaf(graph, &steps, search) } else { f32::NAN };
        complexities.write(token, 0, &[first, frontier, depth, height, newly]);
        let lag = if step.lag > 0 { step.lag as f32 } else { f32::NAN };
        let [out_degree, in_degree] = degrees(step.node);
        let remaining = (steps.len() - place) as f32;
        let counted = [size, edges, (place + 1) as f32, out_degree, in_degree, previous[0], previous[1]];
        let state = [frontier, unlocks, depth, distance, height, remaining, lag];
        features.write(token, 0, &counted);
        features.write(token, counted.len(), &state);
        if let Some(paired) = layout.paired {
            features.write(token, FEATURES.len(), &[f32::from(u8::from(paired == place))]);
        }
        previous = [out_degree, in_degree];
        token += names.get(graph.node(step.node).name).length;
    }
    complexities.write(token, 0, &[f32::NAN, 1.0, 1.0, 1.0, 1.0]);
    let place = (steps.len() + 1) as f32;
    features.write(token, 0, &[size, edges, place, f32::NAN, f32::NAN, previous[0], previous[1]]);
    if names.longest() > 1 {
        spell(graph, names, &steps, layout.start, complexities);
    }
}

/// Fewest edges from the query to a node of the answer without predecessors.
fn nearest_leaf(graph: &Graph, steps: &[Step], search: &Search) -> f32 {
    let leaves = steps.iter().filter(|step| graph.node(step.node).predecessors.nodes().is_empty());
    leaves.map(|step| f32::from(search.nodes[usize::from(step.node)].distance)).fold(f32::INFINITY, f32::min)
}

/// Fills the column of [`SPELLING`].
fn spell(graph: &Graph, names: &Names, steps: &[Step], start: usize, complexities: &mut Columns) {
    let key = |node: u16| names.get(graph.node(node).name).key;
    let mut missing = vec![u16::MAX; graph.size() + 1];
    let mut frontier: Vec<u128> = vec![0; steps.len() + 1];
    let mut count = 0;
    for step in steps {
        let left = graph.node(step.node).predecessors.count();
        missing[usize::from(step.node)] = left as u16;
        frontier[count] = key(step.node);
        count += usize::from(left == 0);
    }
    let mut token = start;
    for step in steps {
        let own = names.get(graph.node(step.node).name);
        // How many names of the frontier share how many tokens with this one, and the index of this one.
        let (mut sharing, mut place) = ([0_u16; LONGEST + 1], 0);
        for (other, key) in frontier[..count].iter().enumerate() {
            let tokens = shared(own.key, *key);
            sharing[tokens] += 1;
            place = if tokens == LONGEST { other } else { place };
        }
        let mut all = sharing[own.length..].iter().sum::<u16>();
        for printed in (1..own.length).rev() {
            all += sharing[printed];
            complexities.write(token + printed, COMPLEXITIES.len(), &[f32::from(all)]);
        }
        token += own.length;
        count -= 1;
        frontier[place] = frontier[count];
        for dependent in graph.node(step.node).dependents.padded() {
            // Nodes outside the answer never count down to 0.
            let left = &mut missing[dependent];
            *left -= 1;
            if *left == 0 {
                frontier[count] = key(dependent as u16);
                count += 1;
            }
        }
    }
}
