//! Inputs of algorithms.

/// The input of one instance.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A list of keys.
    Keys(Vec<f64>),
    /// Ascending keys and a target.
    Search {
        /// The keys.
        keys: Vec<f64>,
        /// The key to search for.
        target: f64,
    },
    /// Two lists: coordinates, probabilities, starts and finishes, deadlines and weights.
    Pair(Vec<f64>, Vec<f64>),
    /// Two strings over 0 to 3.
    Strings {
        /// The first string; for matchers the haystack.
        first: Vec<u8>,
        /// The second string; for matchers the needle.
        second: Vec<u8>,
    },
    /// A graph.
    Graph(Graph),
}

/// A graph as a matrix of weights, where 0 means no edge.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// Number of nodes.
    pub nodes: usize,
    /// `weights[from * nodes + to]`.
    pub weights: Vec<f64>,
    /// The source; 0 if the algorithm has none.
    pub source: usize,
}

impl Graph {
    /// The weight of the edge between two nodes; 0 if there is none.
    pub fn weight(&self, from: usize, to: usize) -> f64 {
        self.weights[from * self.nodes + to]
    }

    /// Whether there is an edge between two nodes.
    pub fn has(&self, from: usize, to: usize) -> bool {
        self.weight(from, to) != 0.0
    }

    /// The end nodes of the edges from a node, ascending.
    pub fn successors(&self, from: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.nodes).filter(move |to| self.has(from, *to))
    }

    /// The graph with all edges reversed.
    pub fn reversed(&self) -> Self {
        let nodes = self.nodes;
        let weights = (0..nodes * nodes).map(|cell| self.weight(cell % nodes, cell / nodes)).collect();
        Self { nodes, weights, source: self.source }
    }

    /// A node on a cycle, if there is one: a node that remains after sources are removed repeatedly.
    pub fn on_cycle(&self) -> Option<usize> {
        let mut incoming: Vec<usize> =
            (0..self.nodes).map(|node| (0..self.nodes).filter(|from| self.has(*from, node)).count()).collect();
        let mut free: Vec<usize> = (0..self.nodes).filter(|node| incoming[*node] == 0).collect();
        let mut removed = vec![false; self.nodes];
        while let Some(node) = free.pop() {
            removed[node] = true;
            for next in self.successors(node) {
                incoming[next] -= 1;
                if incoming[next] == 0 {
                    free.push(next);
                }
            }
        }
        removed.iter().position(|gone| !gone)
    }

    /// Two nodes with an edge in one direction and a different edge, or none, in the other.
    pub fn asymmetry(&self) -> Option<(usize, usize)> {
        let cells = (0..self.nodes).flat_map(|from| (from + 1..self.nodes).map(move |to| (from, to)));
        cells.into_iter().find(|(from, to)| self.weight(*from, *to) != self.weight(*to, *from))
    }
}
