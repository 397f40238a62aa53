//! Random DAGs as the released generator draws them.

use crate::draws::Draws;
use crate::names::{Name, Names};

/// Most predecessors and most dependents of a node.
pub const DEGREE: usize = 4;

/// Up to four neighbours of a node.
#[derive(Debug, Clone, Copy, Default)]
pub struct Neighbours {
    nodes: [u16; DEGREE],
    length: u8,
}

impl Neighbours {
    /// The neighbours.
    pub fn nodes(&self) -> &[u16] {
        &self.nodes[..usize::from(self.length)]
    }

    fn push(&mut self, node: u16) {
        self.nodes[usize::from(self.length)] = node;
        self.length += 1;
    }

    /// Adds a neighbour to ascending ones.
    fn insert(&mut self, node: u16) {
        let mut place = usize::from(self.length);
        while place > 0 && self.nodes[place - 1] > node {
            self.nodes[place] = self.nodes[place - 1];
            place -= 1;
        }
        self.nodes[place] = node;
        self.length += 1;
    }
}

/// Which node is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryRule {
    /// The node drawn last.
    Last,
    /// Any of the last quarter.
    LastQuarter,
}

/// A DAG with the order in which its edges are printed. A node's number is the place of its name among all names.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Names, ascending.
    pub names: Vec<Name>,
    /// Edges (predecessor, dependent) in the order of the prompt.
    pub edges: Vec<[u16; 2]>,
    /// Predecessors of every node, ascending.
    pub predecessors: Vec<Neighbours>,
    /// Dependents of every node, ascending.
    pub dependents: Vec<Neighbours>,
    /// The node that is asked about.
    pub query: u16,
}

impl Graph {
    /// Draws a graph of `size` nodes, of which those that nothing touches are not printed.
    pub fn draw(size: usize, names: &Names, rule: QueryRule, draws: &mut Draws) -> Self {
        let drawn = names.draw(size, draws);
        let mut edges = grow(size, draws);
        let query = match rule {
            QueryRule::Last => size - 1,
            QueryRule::LastQuarter => {
                let start = 3 * size / 4;
                start + draws.below(size - start)
            }
        };
        draws.shuffle(&mut edges);
        let mut order: Vec<(u64, u16)> = (0..).zip(&drawn).map(|(node, name)| (names.key(name), node)).collect();
        order.sort_unstable();
        let mut places = vec![0; size];
        for (place, (_, node)) in (0..).zip(&order) {
            places[usize::from(*node)] = place;
        }
        for edge in &mut edges {
            *edge = edge.map(|node| places[usize::from(node)]);
        }
        let names = order.iter().map(|(_, node)| drawn[usize::from(*node)]).collect();
        Self::new(names, edges, places[query])
    }

    /// A graph of given edges; no node may have more than four neighbours of a kind.
    pub fn new(names: Vec<Name>, edges: Vec<[u16; 2]>, query: u16) -> Self {
        let mut predecessors = vec![Neighbours::default(); names.len()];
        let mut dependents = predecessors.clone();
        for [from, to] in &edges {
            predecessors[usize::from(*to)].insert(*from);
            dependents[usize::from(*from)].insert(*to);
        }
        Self { names, edges, predecessors, dependents, query }
    }

    /// Number of nodes.
    pub fn size(&self) -> usize {
        self.names.len()
    }

    /// Predecessors of every node in the order of the prompt.
    pub fn prompt_predecessors(&self) -> Vec<Neighbours> {
        let mut predecessors = vec![Neighbours::default(); self.size()];
        for [from, to] in &self.edges {
            predecessors[usize::from(*to)].push(*from);
        }
        predecessors
    }
}

/// The edges of a graph of `size` nodes, ordered by their dependents; every edge leads from a lower to a higher number.
fn grow(size: usize, draws: &mut Draws) -> Vec<[u16; 2]> {
    let leaves = 1 + draws.below((size - 1) / 4 + 1);
    let mut degrees = vec![0; size];
    // Nodes that may get one more dependent; their order has no influence on the law.
    let mut open: Vec<u16> = Vec::with_capacity(size);
    open.extend(0..leaves as u16);
    let mut edges = Vec::with_capacity(DEGREE * size);
    for node in leaves..size {
        let count = 1 + draws.below(open.len().min(DEGREE));
        for place in 0..count {
            let chosen = place + draws.below(open.len() - place);
            open.swap(place, chosen);
            edges.push([open[place], node as u16]);
        }
        // From the end, because what is swapped in comes from behind.
        for place in (0..count).rev() {
            let degree = &mut degrees[usize::from(open[place])];
            *degree += 1;
            if *degree == DEGREE {
                open.swap_remove(place);
            }
        }
        open.push(node as u16);
    }
    edges
}
