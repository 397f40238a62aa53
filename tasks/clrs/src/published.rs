//! The thirty algorithms as data: their texts, published sizes, and their merge into the paper's 23 tasks.

/// An algorithm of the benchmark.
#[allow(missing_docs, reason = "the names are the benchmark's, see TABLE")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    ActivitySelector,
    ArticulationPoints,
    BellmanFord,
    Bfs,
    BinarySearch,
    Bridges,
    BubbleSort,
    DagShortestPaths,
    Dfs,
    Dijkstra,
    FindMaximumSubarrayKadane,
    FloydWarshall,
    GrahamScan,
    Heapsort,
    InsertionSort,
    JarvisMarch,
    KmpMatcher,
    LcsLength,
    MatrixChainOrder,
    Minimum,
    MstKruskal,
    MstPrim,
    NaiveStringMatcher,
    OptimalBst,
    Quickselect,
    Quicksort,
    SegmentsIntersect,
    StronglyConnectedComponents,
    TaskScheduling,
    TopologicalSort,
}

/// The format of an input: its fields in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `key`.
    Keys,
    /// `key` ascending, `target`.
    Search,
    /// `p`, the dimensions of matrices.
    Dimensions,
    /// `p`, padded with a 0, and `q`.
    Probabilities,
    /// `s`, `f`.
    Activities,
    /// `d` as whole numbers, and `w`.
    Tasks,
    /// `string`, which says to which of the two strings a letter belongs, and `key`, the letters.
    Strings,
    /// `x`, `y`.
    Points,
    /// `A`.
    Graph(Edges),
    /// `s`, the source, and `A`.
    SourcedGraph(Edges),
}

/// The entries of a graph's matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edges {
    /// Written without a point.
    pub whole: bool,
    /// Weights other than 0 and 1 are allowed.
    pub weighted: bool,
    /// Every edge has an equal one in the other direction.
    pub undirected: bool,
    /// There is no cycle.
    pub acyclic: bool,
}

/// The format of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// This many separate numbers.
    Numbers(usize),
    /// A list with one entry per node.
    Vector,
    /// A list with one entry per pair of nodes.
    Matrix,
    /// A list of the keys in an order.
    Keys,
    /// A list with one entry per node, then a node.
    VectorAndNode,
}

/// One algorithm.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The algorithm's id.
    pub algorithm: Algorithm,
    /// The benchmark's name, which starts questions.
    pub name: &'static str,
    /// Format of the input.
    pub form: Form,
    /// Names of the outputs, which end questions.
    pub outputs: &'static str,
    /// Format of the answer.
    pub layout: Layout,
    /// Published training sizes.
    pub training: &'static [u32],
    /// Largest published evaluation size; the smallest is [`SMALLEST`].
    pub evaluation: u32,
    /// The paper's task, which may merge several algorithms.
    pub merged: &'static str,
}

/// The smallest published size.
pub const SMALLEST: u32 = 4;
/// The largest published size.
pub const LARGEST: u32 = 64;

const ALL: &[u32] = &[4, 5, 10, 11, 12, 15, 19, 23, 28, 31];
const TO_28: &[u32] = &[4, 5, 10, 11, 12, 15, 19, 23, 28];
const TO_23: &[u32] = &[4, 5, 10, 11, 12, 15, 19, 23];
const TO_19: &[u32] = &[4, 5, 10, 11, 12, 15, 19];
const TO_15: &[u32] = &[4, 5, 10, 11, 12, 15];
const TO_12: &[u32] = &[4, 5, 10, 11, 12];
const TO_10: &[u32] = &[4, 5, 10];
const TO_5: &[u32] = &[4, 5];

const PLAIN: Edges = Edges { whole: true, weighted: false, undirected: false, acyclic: false };
const DIRECTED: Form = Form::Graph(PLAIN);
const COMPONENTS: Form = Form::Graph(Edges { whole: false, ..PLAIN });
const ACYCLIC: Form = Form::Graph(Edges { acyclic: true, ..PLAIN });
const UNDIRECTED: Form = Form::Graph(Edges { undirected: true, ..PLAIN });
const SOURCED: Form = Form::SourcedGraph(PLAIN);
const REAL: Edges = Edges { whole: false, weighted: true, undirected: false, acyclic: false };
const WEIGHTED: Form = Form::Graph(REAL);
const WEIGHTED_UNDIRECTED: Form = Form::Graph(Edges { undirected: true, ..REAL });
const SOURCED_WEIGHTED: Form = Form::SourcedGraph(REAL);
const SOURCED_UNDIRECTED: Form = Form::SourcedGraph(Edges { undirected: true, ..REAL });
const SOURCED_ACYCLIC: Form = Form::SourcedGraph(Edges { acyclic: true, ..REAL });

/// The algorithms, in the order of [`Algorithm`].
///
/// Algorithms that share `merged` have the same kind of input and, except for ties, the same answer. The paper counts
/// them as one task; the first algorithm with the most training sizes represents it. The paper does not list its merge:
/// merging sorts, matchers, hulls and single-source shortest paths gives its 23 tasks.
pub static TABLE: [Row; 30] = {
    use Algorithm as A;
    use Layout as L;
    [
        row(A::ActivitySelector, "activity_selector", Form::Activities, "selected", L::Vector, ALL, 40),
        row(A::ArticulationPoints, "articulation_points", UNDIRECTED, "is_cut", L::Vector, TO_19, 19),
        row(A::BellmanFord, "bellman_ford", SOURCED_WEIGHTED, "pi", L::Vector, ALL, 32).merged("shortest_paths"),
        row(A::Bfs, "bfs", SOURCED, "pi", L::Vector, ALL, 41),
        row(A::BinarySearch, "binary_search", Form::Search, "return", L::Numbers(1), ALL, 64),
        row(A::Bridges, "bridges", UNDIRECTED, "is_bridge", L::Matrix, TO_5, 7),
        row(A::BubbleSort, "bubble_sort", Form::Keys, "pred", L::Keys, TO_10, 11).merged("sort"),
        row(A::DagShortestPaths, "dag_shortest_paths", SOURCED_ACYCLIC, "pi", L::Vector, TO_19, 19)
            .merged("shortest_paths"),
        row(A::Dfs, "dfs", DIRECTED, "pi", L::Vector, TO_23, 20),
        row(A::Dijkstra, "dijkstra", SOURCED_WEIGHTED, "pi", L::Vector, TO_28, 25).merged("shortest_paths"),
        row(
            A::FindMaximumSubarrayKadane,
            "find_maximum_subarray_kadane",
            Form::Keys,
            "start, end",
            L::Numbers(2),
            ALL,
            64,
        ),
        row(A::FloydWarshall, "floyd_warshall", WEIGHTED, "Pi", L::Matrix, TO_10, 11),
        row(A::GrahamScan, "graham_scan", Form::Points, "in_hull", L::Vector, ALL, 31).merged("convex_hull"),
        row(A::Heapsort, "heapsort", Form::Keys, "pred", L::Keys, TO_10, 11).merged("sort"),
        row(A::InsertionSort, "insertion_sort", Form::Keys, "pred", L::Keys, ALL, 25).merged("sort"),
        row(A::JarvisMarch, "jarvis_march", Form::Points, "in_hull", L::Vector, TO_12, 13).merged("convex_hull"),
        row(A::KmpMatcher, "kmp_matcher", Form::Strings, "match", L::Numbers(1), ALL, 64).merged("string_matcher"),
        row(A::LcsLength, "lcs_length", Form::Strings, "b", L::Matrix, TO_10, 12),
        row(A::MatrixChainOrder, "matrix_chain_order", Form::Dimensions, "s", L::Matrix, TO_10, 12),
        row(A::Minimum, "minimum", Form::Keys, "min", L::Numbers(1), ALL, 64),
        row(A::MstKruskal, "mst_kruskal", WEIGHTED_UNDIRECTED, "in_mst", L::Matrix, TO_10, 10),
        row(A::MstPrim, "mst_prim", SOURCED_UNDIRECTED, "pi", L::Vector, TO_28, 26),
        row(A::NaiveStringMatcher, "naive_string_matcher", Form::Strings, "match", L::Numbers(1), ALL, 64)
            .merged("string_matcher"),
        row(A::OptimalBst, "optimal_bst", Form::Probabilities, "root", L::Matrix, TO_10, 10),
        row(A::Quickselect, "quickselect", Form::Keys, "median", L::Numbers(1), ALL, 64),
        row(A::Quicksort, "quicksort", Form::Keys, "pred", L::Keys, TO_10, 12).merged("sort"),
        row(A::SegmentsIntersect, "segments_intersect", Form::Points, "intersect", L::Numbers(1), ALL, 64),
        row(
            A::StronglyConnectedComponents,
            "strongly_connected_components",
            COMPONENTS,
            "scc_id",
            L::Vector,
            TO_15,
            16,
        ),
        row(A::TaskScheduling, "task_scheduling", Form::Tasks, "selected", L::Vector, ALL, 41),
        row(A::TopologicalSort, "topological_sort", ACYCLIC, "topo, topo_head", L::VectorAndNode, TO_23, 21),
    ]
};

const fn row(
    algorithm: Algorithm,
    name: &'static str,
    form: Form,
    outputs: &'static str,
    layout: Layout,
    training: &'static [u32],
    evaluation: u32,
) -> Row {
    Row { algorithm, name, form, outputs, layout, training, evaluation, merged: name }
}

impl Row {
    const fn merged(self, merged: &'static str) -> Self {
        Self { merged, ..self }
    }

    /// Whether this algorithm represents its task of the paper.
    pub fn represents(&self) -> bool {
        let variants = || TABLE.iter().filter(|row| row.merged == self.merged);
        let most = variants().map(|row| row.training.len()).max();
        variants().find(|row| Some(row.training.len()) == most).is_some_and(|row| row.name == self.name)
    }

    /// Whether `size` is a published evaluation size.
    pub fn evaluates(&self, size: u32) -> bool {
        (SMALLEST..=self.evaluation).contains(&size)
    }
}

impl Algorithm {
    /// The row of this algorithm.
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}
