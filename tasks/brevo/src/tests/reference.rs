//! Every column again, from the texts alone and straight from its definition.

use std::collections::{BTreeMap, BTreeSet};

use haltbench_sdk::task::{Instance, Task};

use super::{canonical, configured, draw, every, released, spelled, text};

/// The graph as read from the text.
struct Reader {
    edges: Vec<(String, String)>,
    query: String,
    answer: Vec<String>,
    /// Whether predecessors are visited in the order of their names, not of the prompt.
    ascending: bool,
}

impl Reader {
    fn new(instance: &Instance, ascending: bool) -> Self {
        let (edges, query) = instance.question.split_once(" ? ").unwrap();
        let edge = |word: &str| word.split_once('>').map(|(from, to)| (from.to_owned(), to.to_owned())).unwrap();
        let answer = instance.answer.split(' ').map(str::to_owned).collect();
        Self { edges: edges.split(' ').map(edge).collect(), query: query.to_owned(), answer, ascending }
    }

    fn predecessors(&self, node: &str) -> Vec<&str> {
        let edges = self.edges.iter().filter(|(_, to)| to == node);
        let mut found: Vec<&str> = edges.map(|(from, _)| from.as_str()).collect();
        if self.ascending {
            // Tokens that end a name come after those that do not.
            found.sort_by_key(|name| {
                let letters: Vec<u32> = name.split('.').map(|letter| letter.parse().unwrap()).collect();
                let last = letters.len() - 1;
                letters.into_iter().enumerate().map(|(place, letter)| (place == last, letter)).collect::<Vec<_>>()
            });
        }
        found
    }

    fn out_degree(&self, node: &str) -> usize {
        self.edges.iter().filter(|(from, _)| from == node).count()
    }

    /// Nodes of the answer that can be printed after the first `count`.
    fn frontier(&self, count: usize) -> BTreeSet<&str> {
        let printed = &self.answer[..count];
        let is_printed = |node: &&str| printed.iter().any(|name| name == node);
        let waiting = self.answer[count..].iter().map(String::as_str);
        waiting.filter(|node| self.predecessors(node).iter().all(is_printed)).collect()
    }

    /// Best numbers of edges on chains to all nodes, by as many passes over the edges as there are edges.
    fn relax(
        &self,
        start: impl Fn(&str) -> Option<i64>,
        better: impl Fn(i64, i64) -> i64,
        forward: bool,
    ) -> BTreeMap<&str, i64> {
        let nodes = self.edges.iter().flat_map(|(from, to)| [from.as_str(), to.as_str()]);
        let mut best: BTreeMap<&str, i64> = nodes.filter_map(|node| Some((node, start(node)?))).collect();
        for _ in 0..self.edges.len() {
            for (from, to) in &self.edges {
                let (from, to) = if forward { (from.as_str(), to.as_str()) } else { (to.as_str(), from.as_str()) };
                if let Some(length) = best.get(from).copied() {
                    let entry = best.entry(to).or_insert(length + 1);
                    *entry = better(*entry, length + 1);
                }
            }
        }
        best
    }

    /// Longest chain of predecessors.
    fn heights(&self) -> BTreeMap<&str, i64> {
        self.relax(|node| self.predecessors(node).is_empty().then_some(0), i64::max, true)
    }

    /// Fewest edges to the query.
    fn distances(&self) -> BTreeMap<&str, i64> {
        self.relax(|node| (node == self.query).then_some(0), i64::min, false)
    }

    /// Depth at discovery, recursively.
    fn depths<'a>(&'a self, node: &'a str, depth: i64, found: &mut BTreeMap<&'a str, i64>) {
        if found.contains_key(node) {
            return;
        }
        found.insert(node, depth);
        for predecessor in self.predecessors(node) {
            self.depths(predecessor, depth + 1, found);
        }
    }
}

/// Expected columns: name, token, value.
fn expected(instance: &Instance, reader: &Reader, size: usize) -> BTreeMap<(&'static str, usize), f64> {
    let mut all = BTreeMap::new();
    let (heights, distances) = (reader.heights(), reader.distances());
    let mut depths = BTreeMap::new();
    reader.depths(&reader.query, 0, &mut depths);
    let mut token = instance.loss_mask.iter().position(|loss| *loss).unwrap();
    let leaves = reader.answer.iter().filter(|node| reader.predecessors(node).is_empty());
    all.insert(("c_first", token), leaves.map(|node| distances[node.as_str()]).min().unwrap() as f64);
    for place in 0..=reader.answer.len() {
        let mut put = |name, token: usize, value: usize| {
            all.insert((name, token), value as f64);
        };
        put("size", token, size);
        put("edges", token, reader.edges.len());
        put("position", token, place + 1);
        if let Some(previous) = place.checked_sub(1).map(|place| &reader.answer[place]) {
            put("previous_out_degree", token, reader.out_degree(previous));
            put("previous_in_degree", token, reader.predecessors(previous).len());
        }
        let Some(node) = reader.answer.get(place) else {
            for name in ["c_front", "c_dfs", "c_height", "c_new"] {
                put(name, token, 1);
            }
            assert_eq!(token + 1, instance.tokens.len());
            continue;
        };
        let predecessors = reader.predecessors(node);
        put("out_degree", token, reader.out_degree(node));
        put("in_degree", token, predecessors.len());
        let frontier = reader.frontier(place);
        let earlier = if place == 0 { BTreeSet::new() } else { reader.frontier(place - 1) };
        put("frontier", token, frontier.len());
        put("c_front", token, frontier.len());
        put("c_new", token, frontier.difference(&earlier).count());
        // The node enables what is in the frontier of its successor and not in its own.
        put("newly_enabled", token, reader.frontier(place + 1).difference(&frontier).count());
        for name in ["dfs_depth", "c_dfs"] {
            put(name, token, depths[node.as_str()] as usize);
        }
        for name in ["height", "c_height"] {
            put(name, token, heights[node.as_str()] as usize);
        }
        put("query_distance", token, distances[node.as_str()] as usize);
        put("remaining", token, reader.answer.len() - place);
        let places = predecessors.iter().map(|node| reader.answer.iter().position(|name| name == node).unwrap());
        if let Some(last) = places.max() {
            put("lag", token, place - last);
        }
        let letters: Vec<&str> = node.split_inclusive('.').collect();
        for printed in 1..letters.len() {
            let prefix = letters[..printed].concat();
            let sharing = frontier.iter().filter(|name| name.starts_with(&prefix)).count();
            put("c_spelling", token + printed, sharing);
        }
        token += letters.len();
    }
    all
}

#[test]
fn columns_are_what_their_definitions_give() {
    let tasks = [
        (canonical(), true, 30),
        (released(60), false, 60),
        (spelled("any"), false, 50),
        (spelled("canonical"), true, 50),
        (configured(&[("query_rule", text("last_quarter"))]).unwrap(), true, 60),
        (configured(&[("order", text("any")), ("query_rule", text("last_quarter"))]).unwrap(), false, 40),
    ];
    for (task, ascending, largest) in tasks {
        for size in [3, 4, 5, 8, 13, 21, largest] {
            for seed in 0..40 {
                compare(&*task, size, seed, ascending);
            }
        }
    }
}

fn compare(task: &dyn Task, size: u32, seed: u64, ascending: bool) {
    let instance = draw(task, size, seed);
    let expected = expected(&instance, &Reader::new(&instance, ascending), size as usize);
    let spec = task.spec();
    let complexities = spec.complexities.iter().map(|column| column.name).zip(every(&instance.complexities));
    let features = spec.features.iter().map(|column| column.name).zip(every(&instance.features));
    let mut compared = 0;
    for (name, column) in complexities.chain(features) {
        for (token, value) in column.iter().enumerate() {
            let found = (!value.is_nan()).then_some(f64::from(*value));
            assert_eq!(found, expected.get(&(name, token)).copied(), "{name} at {token} of {}", instance.question);
            compared += usize::from(found.is_some());
        }
    }
    assert_eq!(compared, expected.len(), "a column is missing");
}
