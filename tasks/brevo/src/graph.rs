//! Random DAGs as the released generator draws them.

use haltbench_sdk::nodes::Names;
use haltbench_sdk::random::Draws;

/// Largest number of predecessors and of dependents of a node.
pub const DEGREE: usize = 4;

/// Up to four neighbours of a node.
#[derive(Debug, Clone, Copy)]
pub struct Neighbours {
    /// The neighbours, padded with the size of the graph.
    nodes: [u16; DEGREE],
    length: u8,
}

impl Neighbours {
    /// No neighbours, in a graph of `size` nodes.
    pub fn none(size: usize) -> Self {
        Self { nodes: [size as u16; DEGREE], length: 0 }
    }

    /// The neighbours.
    pub fn nodes(&self) -> &[u16] {
        &self.nodes[..usize::from(self.length)]
    }

    /// The neighbours, padded with the size of the graph. A loop over all four, into a buffer with one entry more than
    /// there are nodes, is faster than a loop over the actual number, which the CPU cannot predict.
    pub fn padded(&self) -> [usize; DEGREE] {
        self.nodes.map(usize::from)
    }

    /// Number of neighbours.
    pub fn count(&self) -> usize {
        usize::from(self.length)
    }

    /// Sorts the neighbours in ascending order. A loop over their actual number would be mispredicted for every node.
    fn sort(&mut self) {
        for [low, high] in [[0, 1], [2, 3], [0, 2], [1, 3], [1, 2]] {
            let [left, right] = [self.nodes[low], self.nodes[high]];
            (self.nodes[low], self.nodes[high]) = (left.min(right), left.max(right));
        }
    }

    /// Adds a neighbour; there must be fewer than four.
    pub fn push(&mut self, node: u16) {
        self.nodes[usize::from(self.length)] = node;
        self.length += 1;
    }
}

/// The choice of the queried node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryRule {
    /// The node drawn last.
    Last,
    /// A random node of the last quarter.
    LastQuarter,
}

/// One node of a graph.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// Id of its name.
    pub name: u32,
    /// Nodes that it depends on.
    pub predecessors: Neighbours,
    /// The same nodes in the order of the prompt.
    pub printed: Neighbours,
    /// Nodes that depend on it.
    pub dependents: Neighbours,
}

impl Node {
    /// Whether an edge touches the node.
    pub fn is_printed(&self) -> bool {
        self.predecessors.length + self.dependents.length > 0
    }
}

/// A DAG with the order in which its edges are printed. A node's number is the rank of its name among all names.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Nodes by ascending names, with ascending neighbours.
    pub nodes: Vec<Node>,
    /// Edges (predecessor, dependent) in the order of the prompt.
    pub edges: Vec<[u16; 2]>,
    /// The queried node.
    pub query: u16,
}

impl Graph {
    /// Draws a graph of `size` nodes; nodes without edges are not printed.
    pub fn draw(size: usize, names: &Names, rule: QueryRule, draws: &mut Draws) -> Self {
        let drawn = names.draw(size, draws);
        let mut edges = grow(size, draws);
        let mut query = match rule {
            QueryRule::Last => size - 1,
            QueryRule::LastQuarter => {
                let start = 3 * size / 4;
                start + draws.below(size - start)
            }
        };
        draws.shuffle(&mut edges);
        let places = ranks(&drawn);
        let mut ascending = vec![0; size];
        for (name, place) in drawn.iter().zip(&places) {
            ascending[usize::from(*place)] = *name;
        }
        for edge in &mut edges {
            *edge = edge.map(|node| places[usize::from(node)]);
        }
        query = usize::from(places[query]);
        Self::new(ascending.into_iter(), edges, query as u16)
    }

    /// A graph of given edges and ascending names; no node may have more than four predecessors or dependents.
    pub fn new(names: impl ExactSizeIterator<Item = u32>, edges: Vec<[u16; 2]>, query: u16) -> Self {
        let mut nodes: Vec<Node> = Vec::with_capacity(names.len());
        let none = Neighbours::none(names.len());
        nodes.extend(names.map(|name| Node { name, predecessors: none, printed: none, dependents: none }));
        for [from, to] in &edges {
            nodes[usize::from(*to)].printed.push(*from);
            nodes[usize::from(*from)].dependents.push(*to);
        }
        for node in &mut nodes {
            node.predecessors = node.printed;
            node.predecessors.sort();
            node.dependents.sort();
        }
        Self { nodes, edges, query }
    }

    /// The node with this number.
    pub fn node(&self, number: u16) -> &Node {
        &self.nodes[usize::from(number)]
    }

    /// The edges, ascending.
    pub fn sorted(&self) -> Vec<[u16; 2]> {
        // Each node writes four edges; the next node overwrites the missing ones.
        let mut edges = vec![[0; 2]; self.edges.len() + DEGREE];
        let mut length = 0;
        for (from, node) in (0..).zip(&self.nodes) {
            if let Some(room) = edges[length..].first_chunk_mut() {
                *room = node.dependents.nodes.map(|to| [from, to]);
            }
            length += usize::from(node.dependents.length);
        }
        edges.truncate(length);
        edges
    }

    /// Number of nodes.
    pub fn size(&self) -> usize {
        self.nodes.len()
    }
}

/// For each of the distinct `names`, how many are smaller. Sorting would take longer.
fn ranks(names: &[u32]) -> Vec<u16> {
    let largest = names.iter().fold(0, |largest, name| *name.max(&largest));
    // A bit set of names, with the number of names before each group of 64.
    let mut words = vec![(0_u64, 0_u16); largest as usize / 64 + 1];
    names.iter().for_each(|name| words[*name as usize / 64].0 |= 1 << (name % 64));
    let mut count = 0;
    for (bits, before) in &mut words {
        *before = count;
        count += bits.count_ones() as u16;
    }
    let rank = |name: &u32| {
        let (bits, before) = words[*name as usize / 64];
        before + (bits & ((1 << (name % 64)) - 1)).count_ones() as u16
    };
    names.iter().map(rank).collect()
}

/// The edges of a graph of `size` nodes, ordered by their dependents; every edge leads from a lower to a higher number.
fn grow(size: usize, draws: &mut Draws) -> Vec<[u16; 2]> {
    let leaves = 1 + draws.below((size - 1) / 4 + 1);
    // Nodes that may get another dependent, with their numbers of dependents; their order does not affect the
    // distribution.
    let mut open: Vec<(u16, u16)> = Vec::with_capacity(size);
    open.extend((0..leaves as u16).map(|node| (node, 0)));
    let mut edges = Vec::with_capacity(DEGREE * size);
    for node in leaves..size {
        let count = 1 + draws.below(open.len().min(DEGREE));
        for place in 0..count {
            let chosen = place + draws.below(open.len() - place);
            open.swap(place, chosen);
            edges.push([open[place].0, node as u16]);
        }
        // From the end, because `swap_remove` moves an entry from behind.
        for place in (0..count).rev() {
            open[place].1 += 1;
            if usize::from(open[place].1) == DEGREE {
                open.swap_remove(place);
            }
        }
        open.push((node as u16, 0));
    }
    edges
}
