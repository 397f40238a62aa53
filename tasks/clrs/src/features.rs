//! Features and complexities of every token of an instance.

use std::ops::Range;

use haltbench_sdk::task::{Columns, ComplexitySpec, FeatureKind, FeatureSpec};

use crate::input::Input;
use crate::published::{Algorithm, Row};
use crate::trace::Trace;

/// The complexities of the task.
pub const COMPLEXITIES: [ComplexitySpec; 3] = [
    ComplexitySpec {
        name: "settled",
        documentation: "Step of the algorithm from which on this entry of the answer has its final value, 0 if it \
                        starts with it; at the characters of entries.",
    },
    ComplexitySpec { name: "steps", documentation: "Steps of the algorithm; at the characters of entries." },
    ComplexitySpec {
        name: "chain",
        documentation: "Pointers from this node to the one that points at itself; at the characters of entries that \
                        are predecessors or links of an order, undefined elsewhere.",
    },
];

/// The features of the task.
pub const FEATURES: [FeatureSpec; 8] = [
    FeatureSpec { name: "size", kind: FeatureKind::Static, documentation: "The size N." },
    FeatureSpec { name: "algorithm", kind: FeatureKind::Static, documentation: "Number of the algorithm, from 0." },
    FeatureSpec { name: "length", kind: FeatureKind::Static, documentation: "Characters of the question." },
    FeatureSpec {
        name: "position",
        kind: FeatureKind::Static,
        documentation: "Place of the token in the sequence; `<bos>` is 0.",
    },
    FeatureSpec {
        name: "entry",
        kind: FeatureKind::Static,
        documentation: "Number of the entry within the answer, from 0; at the characters of entries.",
    },
    FeatureSpec {
        name: "digit",
        kind: FeatureKind::Static,
        documentation: "Place of the character within its entry, from 0; at the characters of entries.",
    },
    FeatureSpec {
        name: "changes",
        kind: FeatureKind::State,
        documentation: "How often the algorithm changed this entry; at the characters of entries.",
    },
    FeatureSpec {
        name: "settled_together",
        kind: FeatureKind::State,
        documentation: "Entries that are settled in the same step as this one, itself included; at the characters of \
                        entries.",
    },
];

/// An instance without its columns.
pub struct Measured<'a> {
    /// The algorithm.
    pub row: &'a Row,
    /// The requested size.
    pub size: u32,
    /// The algorithm's input.
    pub input: &'a Input,
    /// The algorithm's trace.
    pub trace: &'a Trace,
    /// Number of tokens of the question, without `<bos>`.
    pub question: usize,
    /// The token range of each entry.
    pub entries: &'a [Range<usize>],
    /// Number of tokens of the instance.
    pub tokens: usize,
}

impl Measured<'_> {
    /// The columns of [`COMPLEXITIES`].
    pub fn complexities(&self) -> Columns {
        let chains = self.chains();
        let steps = self.trace.steps() as f32;
        let mut columns = Columns::undefined(COMPLEXITIES.len(), self.question + 1..self.tokens);
        for (entry, tokens) in self.entries.iter().enumerate() {
            let chain = chains.get(entry).copied().unwrap_or(f32::NAN);
            let entries = [self.trace.settled[entry] as f32, steps, chain];
            tokens.clone().for_each(|token| columns.write(token, 0, &entries));
        }
        columns
    }

    /// The columns of [`FEATURES`].
    pub fn features(&self) -> Columns {
        let last = self.trace.settled.iter().max().copied().unwrap_or_default() as usize;
        let mut together = vec![0; last + 1];
        self.trace.settled.iter().for_each(|step| together[*step as usize] += 1);
        let mut columns = Columns::undefined(FEATURES.len(), 0..self.tokens);
        for token in 0..self.tokens {
            let everywhere = [self.size as f32, self.row.algorithm as u8 as f32, self.question as f32, token as f32];
            columns.write(token, 0, &everywhere);
        }
        for (entry, tokens) in self.entries.iter().enumerate() {
            let changes = self.trace.changes[entry] as f32;
            let together = together[self.trace.settled[entry] as usize] as f32;
            for (digit, token) in tokens.clone().enumerate() {
                columns.write(token, 4, &[entry as f32, digit as f32, changes, together]);
            }
        }
        columns
    }

    /// Lengths of pointer chains, if entries are pointers.
    fn chains(&self) -> Vec<f32> {
        use Algorithm as A;
        let pointers = &self.trace.entries;
        match (self.row.algorithm, self.input) {
            (
                A::Dfs | A::Bfs | A::BellmanFord | A::Dijkstra | A::DagShortestPaths | A::MstPrim | A::TopologicalSort,
                Input::Graph(graph),
            ) => (0..graph.nodes).map(|node| chain(&pointers[..graph.nodes], node)).collect(),
            (A::FloydWarshall, Input::Graph(graph)) => {
                let rows = pointers.chunks(graph.nodes).enumerate();
                rows.flat_map(|(from, row)| (0..graph.nodes).map(move |to| path(row, from, to))).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Number of pointers from `node` to a node that points at itself.
fn chain(pointers: &[i32], node: usize) -> f32 {
    let mut node = node;
    let mut length = 0;
    while pointers[node] as usize != node {
        node = pointers[node] as usize;
        length += 1;
    }
    length as f32
}

/// Number of edges of the path from `from` to `to`, 0 if it does not leave its start or does not exist.
fn path(row: &[i32], from: usize, to: usize) -> f32 {
    let mut node = to;
    let mut length = 0;
    // A cycle back to its start has at most as many edges as there are nodes.
    while length < row.len() && (node != from || (length == 0 && row[node] as usize != from)) {
        node = row[node] as usize;
        length += 1;
    }
    length as f32
}
