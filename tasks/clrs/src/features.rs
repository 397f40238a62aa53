//! What is known about every token of an instance: features and complexities.

use std::ops::Range;

use haltbench_sdk::task::{ComplexitySpec, FeatureKind, FeatureSpec};

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

/// One instance before its columns are made.
pub struct Measured<'a> {
    /// The algorithm.
    pub row: &'a Row,
    /// The size asked for.
    pub size: u32,
    /// What the algorithm was given.
    pub input: &'a Input,
    /// Its run.
    pub trace: &'a Trace,
    /// Tokens of the question, `<bos>` not counted.
    pub question: usize,
    /// The tokens of each entry.
    pub entries: &'a [Range<usize>],
    /// Tokens of the instance.
    pub tokens: usize,
}

impl Measured<'_> {
    /// The columns of [`COMPLEXITIES`].
    pub fn complexities(&self) -> Vec<Vec<f32>> {
        let chains = self.chains();
        vec![
            self.column(|entry, _| self.trace.settled[entry] as f32),
            self.column(|_, _| self.trace.steps() as f32),
            self.column(|entry, _| chains.get(entry).copied().unwrap_or(f32::NAN)),
        ]
    }

    /// The columns of [`FEATURES`].
    pub fn features(&self) -> Vec<Vec<f32>> {
        let last = self.trace.settled.iter().max().copied().unwrap_or_default() as usize;
        let mut together = vec![0; last + 1];
        self.trace.settled.iter().for_each(|step| together[*step as usize] += 1);
        let everywhere = |value: f32| vec![value; self.tokens];
        vec![
            everywhere(self.size as f32),
            everywhere(self.row.algorithm as u8 as f32),
            everywhere(self.question as f32),
            (0..self.tokens).map(|place| place as f32).collect(),
            self.column(|entry, _| entry as f32),
            self.column(|_, digit| digit as f32),
            self.column(|entry, _| self.trace.changes[entry] as f32),
            self.column(|entry, _| together[self.trace.settled[entry] as usize] as f32),
        ]
    }

    /// A column that is defined at the characters of entries, from the entry and the place within it.
    fn column(&self, value: impl Fn(usize, usize) -> f32) -> Vec<f32> {
        let mut column = vec![f32::NAN; self.tokens];
        for (entry, tokens) in self.entries.iter().enumerate() {
            for (digit, place) in column[tokens.clone()].iter_mut().enumerate() {
                *place = value(entry, digit);
            }
        }
        column
    }

    /// Lengths of the chains of pointers, where entries are such.
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

/// Pointers to follow from `node` until one points at its own node.
fn chain(pointers: &[i32], node: usize) -> f32 {
    let mut node = node;
    let mut length = 0;
    while pointers[node] as usize != node {
        node = pointers[node] as usize;
        length += 1;
    }
    length as f32
}

/// Edges of the path from `from` to `to`, 0 where it does not leave its start or there is none.
fn path(row: &[i32], from: usize, to: usize) -> f32 {
    let mut node = to;
    let mut length = 0;
    // A way round that comes back to its start has at most as many edges as there are nodes.
    while length < row.len() && (node != from || (length == 0 && row[node] as usize != from)) {
        node = row[node] as usize;
        length += 1;
    }
    length as f32
}
