//! What the built-in suites grade was not part of training.
//!
//! The inputs that determine a token's answer are read here from questions and tokens, independent of the tasks' own
//! problem texts.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use haltbench_engine::data::{Part, evaluation_instances, instance, training_batch};
use haltbench_engine::plan::{self, CellPlan, resolve};
use haltbench_engine::plugins;
use haltbench_sdk::task::{Instance, Split, Task};

/// A configured task of a suite, and a plan that has it.
struct Subject {
    plan: CellPlan,
    task: Box<dyn Task>,
}

/// Every task that a suite configures, with the first cell that has it.
fn subjects(suite: &str) -> Vec<Subject> {
    let (catalogue, _) = plugins::catalogue(&[]).unwrap();
    let cells = resolve(&plan::read(suite, &[]).unwrap(), &catalogue, "cpu").unwrap().cells;
    let mut plans: Vec<CellPlan> = Vec::new();
    for plan in cells.into_iter().map(|cell| cell.plan) {
        if plans.iter().all(|other| other.model.task.parameters != plan.model.task.parameters) {
            plans.push(plan);
        }
    }
    let build = |plan: CellPlan| {
        let task = (catalogue.task(&plan.model.task.name).unwrap().build)(&plan.model.task.parameters).unwrap();
        Subject { plan, task }
    };
    plans.into_iter().map(build).collect()
}

fn hash(key: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// For each token under the loss, a hash of the inputs that determine its answer.
fn keys(task: &str, spec: &haltbench_sdk::task::TaskSpec, instance: &Instance) -> Vec<(usize, u64)> {
    let answers = (0..instance.tokens.len()).filter(|token| instance.loss_mask[*token]);
    let question = instance.question.as_str();
    match task {
        // All tokens read so far.
        "mano-stream" | "lano" => {
            answers.map(|token| (token, hash(&instance.tokens[..=spec.supervision.reads_at(token).unwrap()]))).collect()
        }
        // The expression.
        "mano" => answers.map(|token| (token, hash(question))).collect(),
        // The cycle, the start and the hops. Names have one token.
        "depo" => {
            let mut queries = question.split(" ? ");
            let edges: BTreeSet<&str> = queries.next().unwrap().split(' ').collect();
            let keys: Vec<u64> = queries.map(|query| hash((&edges, query))).collect();
            let keyed: Vec<_> = answers.zip(&keys).map(|(token, key)| (token, *key)).collect();
            assert_eq!(keyed.len(), instance.answers().count());
            keyed
        }
        // The graph and the query, with names replaced by their ranks.
        "brevo" => {
            let (edges, query) = question.split_once(" ? ").unwrap();
            let number = |name: &str| name.parse::<u32>().unwrap();
            let edges: Vec<[u32; 2]> = edges
                .split(' ')
                .map(|edge| edge.split_once('>').map(|(a, b)| [number(a), number(b)]).unwrap())
                .collect();
            let names: BTreeSet<u32> = edges.iter().flatten().copied().collect();
            let rank = |name: u32| names.range(..name).count();
            let edges: BTreeSet<[usize; 2]> = edges.into_iter().map(|edge| edge.map(rank)).collect();
            let key = hash((edges, rank(number(query))));
            answers.map(|token| (token, key)).collect()
        }
        // The input, and the paper's task.
        "clrs" => {
            let (algorithm, input) = question.split_once(':').unwrap();
            let merged = match algorithm {
                "insertion_sort" | "bubble_sort" | "heapsort" | "quicksort" => "sorting",
                "naive_string_matcher" | "kmp_matcher" => "matching",
                "graham_scan" | "jarvis_march" => "hulls",
                "bellman_ford" | "dijkstra" | "dag_shortest_paths" => "shortest paths",
                other => other,
            };
            let key = hash((merged, input));
            answers.map(|token| (token, key)).collect()
        }
        other => panic!("no key for {other}"),
    }
}

impl Subject {
    fn keys(&self, instance: &Instance) -> Vec<(usize, u64)> {
        keys(&self.plan.model.task.name, self.task.spec(), instance)
    }

    /// Largest number of instances to draw: some tasks are slow.
    fn most(&self) -> u64 {
        if ["lano", "clrs"].contains(&self.plan.model.task.name.as_str()) { 20_000 } else { 128_000 }
    }

    /// The keys in the training data of a run.
    fn trained(&self) -> BTreeSet<u64> {
        let (name, training) = (&self.plan.model.task.name, &self.plan.model.training);
        let mut batch = vec![Instance::default(); training.batch];
        let mut trained = BTreeSet::new();
        for step in 0..training.steps.min(self.most().div_ceil(training.batch as u64)) {
            training_batch(self.task.as_ref(), name, self.plan.model.seed, step, &mut batch).unwrap();
            for instance in &batch {
                trained.extend(self.keys(instance).into_iter().map(|(_, key)| key));
            }
        }
        trained
    }

    /// Number of graded tokens of the evaluation, and how many of them occur in training.
    fn evaluated(&self, trained: &BTreeSet<u64>) -> (usize, usize) {
        let name = &self.plan.model.task.name;
        let (mut graded, mut shared) = (0, 0);
        for entry in evaluation_instances(self.task.as_ref(), name, &self.plan.evaluation, &|| None).unwrap() {
            for (_, key) in self.keys(&entry.instance).iter().filter(|(token, _)| entry.instance.is_graded(*token)) {
                graded += 1;
                shared += usize::from(trained.contains(key));
            }
        }
        (graded, shared)
    }

    /// The same for instances of training sizes, if whole texts were split.
    fn split_by_whole_texts(&self) -> (usize, usize) {
        let knob = self.task.spec().size.as_ref();
        let sizes = knob.map_or(vec![0], |knob| knob.training.clone());
        let (mut trained, mut held_out) = (BTreeSet::new(), Vec::new());
        for index in 0..self.most() {
            let size = sizes[index as usize % sizes.len()];
            let identity = (self.plan.model.seed, size, index);
            let mut instance = instance(self.task.as_ref(), &self.plan.model.task.name, identity, Part::Any).unwrap();
            instance.problem = None;
            let keys = self.keys(&instance).into_iter().map(|(_, key)| key);
            if instance.is_held_out() {
                held_out.extend(keys);
            } else {
                trained.extend(keys);
            }
        }
        (held_out.len(), held_out.iter().filter(|key| trained.contains(key)).count())
    }
}

/// Nothing that a suite grades was part of training. If whole instances were split, at least the share `power` would
/// be.
fn shares_nothing(suite: &str, power: f64) {
    for subject in subjects(suite) {
        let trained = subject.trained();
        let (graded, shared) = subject.evaluated(&trained);
        let name = &subject.plan.model.task.name;
        assert!(graded > 300 && trained.len() > 8, "{suite}, {name}: {graded} graded, {} trained", trained.len());
        assert_eq!(shared, 0, "{suite}, {name}: of {graded} graded tokens");
        let (whole, shared) = subject.split_by_whole_texts();
        assert!(shared as f64 >= power * whole as f64, "{suite}, {name}: {shared} of {whole}");
    }
}

#[test]
fn quick_grades_nothing_that_it_trains_on() {
    shares_nothing("quick", 0.7);
}

#[test]
fn small_mano_grades_nothing_that_it_trains_on() {
    shares_nothing("small-mano", 0.0);
}

#[test]
fn small_depo_grades_nothing_that_it_trains_on() {
    shares_nothing("small-depo", 0.9);
}

#[test]
fn small_brevo_grades_nothing_that_it_trains_on() {
    shares_nothing("small-brevo", 0.9);
}

#[test]
fn small_lano_grades_nothing_that_it_trains_on() {
    shares_nothing("small-lano", 0.4);
}

#[test]
fn small_clrs_grades_nothing_that_it_trains_on() {
    shares_nothing("small-clrs", 0.0);
}

/// A token is `Beyond` exactly if it has more operators than anything in training.
#[test]
fn beyond_is_larger_than_anything_trained_on() {
    let subjects = subjects("quick");
    let Subject { plan, task } = &subjects[0];
    let mut batch = vec![Instance::default(); plan.model.training.batch];
    let mut largest = 0;
    for step in 0..100 {
        training_batch(task.as_ref(), &plan.model.task.name, plan.model.seed, step, &mut batch).unwrap();
        largest = batch.iter().flat_map(sub_expressions).map(|(_, operators)| operators).fold(largest, u32::max);
    }
    let mut counts = [0; 3];
    for entry in evaluation_instances(task.as_ref(), &plan.model.task.name, &plan.evaluation, &|| None).unwrap() {
        for (token, operators) in sub_expressions(&entry.instance) {
            let own = task.token_size(entry.size, &entry.instance, token);
            let expected = match (entry.size <= largest, operators <= largest) {
                (true, _) => Split::InRange,
                (false, true) => Split::Embedded,
                (false, false) => Split::Beyond,
            };
            assert_eq!((own.size, own.split), (operators, expected), "{}", entry.instance.question);
            counts[[Split::InRange, Split::Embedded, Split::Beyond].iter().position(|s| *s == expected).unwrap()] += 1;
        }
    }
    assert!(counts.iter().all(|count| *count > 300), "{counts:?}");
}

/// The operator tokens of a postfix expression, and the number of operators that each completes.
fn sub_expressions(instance: &Instance) -> Vec<(usize, u32)> {
    let (mut stack, mut found) = (Vec::new(), Vec::new());
    for (token, word) in (1..).zip(instance.question.split(' ')) {
        if word.parse::<u32>().is_ok() {
            stack.push(0);
        } else {
            let operators = 1 + stack.pop().unwrap() + stack.pop().unwrap();
            stack.push(operators);
            found.push((token, operators));
        }
    }
    found
}
