//! The task `brevo`: a graph and a query, then the nodes that the query depends on.

use haltbench_sdk::nodes::{Name, Sequence};
use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::random::{Draws, Stream};
use haltbench_sdk::task::guess::{self, Guess};
use haltbench_sdk::task::{Instance, Supervision, Task, TaskDeclaration, TaskSpec, Verdict, admit_size};
use haltbench_sdk::text::{Label, Text};
use haltbench_sdk::{Error, Result};

use crate::columns::{COMPLEXITIES, FEATURES, Layout, PAIRED, SPELLING, fill};
use crate::graph::{Graph, Node};
use crate::guess::random_enabled;
use crate::order::{OrderRule, Search};
use crate::pair::{self, Member, Pair};
use crate::settings::{NAME, PARAMETERS, Settings};
use crate::{check, solve};

const MARKERS: [&str; 4] = ["<bos>", "<query>", "<ans>", "<eos>"];
const BOS: u32 = 0;
const QUERY: u32 = 1;
const ANS: u32 = 2;
const EOS: u32 = 3;

/// Number of graphs drawn until one has a pair of answers.
const ATTEMPTS: usize = 1000;

/// Declaration of the task.
pub const DECLARATION: TaskDeclaration = TaskDeclaration {
    name: NAME,
    summary: "Everything a node of a random DAG of N nodes depends on, in depth-first post-order",
    documentation: "\
Lists the nodes that a node of a directed acyclic graph depends on, every node after its predecessors.

The sequence is `<bos>`, the edges as pairs of names, predecessor first, in random order, `<query>`, the node asked \
about, `<ans>`, the answer, `<eos>`. The answer and `<eos>` are under the loss; `<ans>` is not, because it is \
deterministic.

Of the N nodes, the first 1 to floor((N-1)/4) + 1 have no predecessors, all numbers equally likely. Every later node \
gets 1 to 4 predecessors, a uniform subset of the earlier nodes that have fewer than 4 dependents. A node that nothing \
touches is not printed. Names are drawn without replacement and do not tell the order.

With order = canonical, the only right answer is the depth-first post-order from the query, predecessors in ascending \
order, without the query, as in the paper. With order = any, the released task, every topological order that ends with \
the query is right. The generated one takes nodes at random from the query backwards, and comparing tokens with it \
undervalues a model. So `accepted` is reported as well: the share of questions that the model, writing the likeliest \
token each time, answers with an order that the checker accepts.

Names have one token by default. A name of several is written with points, as in `3.1.4`, and the last token of a name \
differs from the others. Columns stand at the first token of a name, `c_spelling` at the others.

What is held out: graphs with their query, up to names in the same order. There are 18 of 3 nodes, 2 of them held out, \
and 420 of 4 nodes, 47 held out; what tells these from trained ones is little more than which name is the smaller one, so \
evaluation at such sizes tests renaming. With order = any the order of names is of no account to the answer, so a \
held-out graph may be one that was trained on under other names: after 44,000 training graphs of a size, all of 5 nodes \
are, and 98, 41 and 4 % of those of 6, 7 and 8 nodes.

A node without predecessors is a good guess for the first token: with order = any and as many names as nodes, a random \
such node is a valid first token in 95, 90, 83 and 80 % of all instances of 10, 30, 70 and 110 nodes, and a random node \
that could be printed is valid in 79, 65, 59 and 55 % of all places. Only the whole list tells whether the task is \
solved.

For paired instances, sample twice under the same seed and index with order = any, once with pair = first and once with \
pair = second. Graphs without a pair are drawn anew.

A question is the edges and the query, as in `3>1 3>4 5>4 ? 4`, where 4 depends on 3 and 5; the answer is `3 5`.",
    reference: "The paper's BREVO (section 5); Physics of Language Models, part 4.1, arXiv 2512.17351, appendix A",
    licence: "generated; no restriction",
    parameters: PARAMETERS,
    build,
};

struct Brevo {
    settings: Settings,
    spec: TaskSpec,
    /// The numbers that replace names in the text of a problem, 0-based.
    ranks: Vec<Label>,
}

fn build(parameters: &Parameters) -> Result<Box<dyn Task>> {
    let settings = Settings::new(parameters, MARKERS.len() as u32)?;
    let is_spelled = settings.nodes.names.longest() > 1;
    let words = MARKERS.iter().map(|marker| (*marker).to_owned());
    let spec = TaskSpec {
        vocabulary: words.chain(settings.nodes.names.words().iter().cloned()).collect(),
        size: Some(settings.nodes.knob.clone()),
        supervision: Supervision::NextToken,
        features: FEATURES.into_iter().chain(settings.pair.map(|_| PAIRED)).collect(),
        complexities: COMPLEXITIES.into_iter().chain(is_spelled.then_some(SPELLING)).collect(),
        headline: "c_front",
    };
    let ranks = (0..settings.nodes.knob.maximum).map(|rank| Label::of(&rank.to_string())).collect();
    Ok(Box::new(Brevo { settings, spec, ranks }))
}

impl Task for Brevo {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn draw(&self, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
        admit_size(NAME, &self.settings.nodes.knob, size)?;
        let mut draws = Draws::new(stream);
        let size = size as usize;
        match self.settings.pair {
            None => {
                let graph = self.draw_graph(size, &mut draws);
                let search = Search::new(&graph, self.settings.order);
                match self.settings.order {
                    OrderRule::Canonical => {
                        // The query is last.
                        let answer = &search.post_order[..search.post_order.len() - 1];
                        self.write(&graph, &search, (answer, None), instance);
                    }
                    OrderRule::Any => {
                        let answer = search.random_backward(&graph, &mut draws);
                        self.write(&graph, &search, (&answer, None), instance);
                    }
                }
                Ok(())
            }
            Some(member) => {
                for _ in 0..ATTEMPTS {
                    let graph = self.draw_graph(size, &mut draws);
                    let search = Search::new(&graph, self.settings.order);
                    if let Some(Pair { answers: [first, second], place }) = pair::draw(&graph, &search, &mut draws) {
                        let answer = if member == Member::First { first } else { second };
                        self.write(&graph, &search, (&answer, Some(place)), instance);
                        return Ok(());
                    }
                }
                let operand = format!("size of {NAME}");
                Err(Error::invalid(operand, "N whose graphs have pairs of answers", size))
            }
        }
    }

    fn training_size(&self, stream: &mut Stream) -> u32 {
        self.settings.nodes.training_size(stream)
    }

    fn answer(&self, question: &str) -> Result<String> {
        solve::answer(question, &self.settings.nodes.names, self.settings.order)
    }

    fn check(&self, question: &str, answer: &str) -> Result<Verdict> {
        check::check(question, answer, &self.settings.nodes.names, self.settings.order)
    }

    fn written(&self, answer: &[u32]) -> Option<String> {
        if self.settings.order == OrderRule::Canonical {
            return None;
        }
        let mut text = String::with_capacity(4 * answer.len());
        for token in answer {
            let word = self.spec.vocabulary.get(*token as usize).map_or("?", String::as_str);
            text.push_str(word);
            // Names continue after a point.
            if !word.ends_with('.') {
                text.push(' ');
            }
        }
        Some(text.trim_end().to_owned())
    }

    fn guesses(&self, training: &[Instance]) -> Vec<Box<dyn Guess + '_>> {
        let mut guesses = guess::trivial(training);
        guesses.push(Box::new(random_enabled(&self.settings.nodes.names, self.settings.order, EOS)));
        guesses
    }
}

impl Brevo {
    fn draw_graph(&self, size: usize, draws: &mut Draws) -> Graph {
        Graph::draw(size, &self.settings.nodes.names, self.settings.query, draws)
    }

    /// Writes the instance for `graph` with the answer `order`, where a pair shares the position `paired`.
    fn write(&self, graph: &Graph, search: &Search, (order, paired): (&[u16], Option<usize>), instance: &mut Instance) {
        let Instance {
            tokens, targets, loss_mask, complexities, features, question, answer, canonical, problem, ..
        } = instance;
        let names = &self.settings.nodes.names;
        let named = graph.nodes.iter().map(|node| names.get(node.name)).collect();
        let words = Words { query: graph.query, named, longest: names.longest() };
        let start = words.sequence(&graph.edges, order, tokens);
        *targets = None;
        loss_mask.clear();
        loss_mask.resize(start, false);
        loss_mask.resize(tokens.len(), true);
        let layout = Layout { answer: order, length: tokens.len(), start, paired };
        fill(graph, names, search, &layout, [complexities, features]);
        words.question(&graph.edges, question);
        words.answer(order, answer);
        let canonical = canonical.get_or_insert_default();
        words.canonical(graph, &self.ranks, canonical);
        // The problem excludes the space before the colon.
        *problem = canonical.find(':').map(|colon| colon - 1);
    }
}

/// Writes the texts and tokens of an instance, reusing its buffers.
struct Words<'a> {
    /// The queried node.
    query: u16,
    /// The names of the nodes.
    named: Vec<&'a Name>,
    /// Number of tokens of the longest possible name.
    longest: usize,
}

impl Words<'_> {
    fn name(&self, node: u16) -> &Name {
        self.named[usize::from(node)]
    }

    fn label(&self, node: u16) -> &Label {
        &self.name(node).label
    }

    /// Writes the tokens; returns the position of the answer's first token.
    fn sequence(&self, edges: &[[u16; 2]], answer: &[u16], tokens: &mut Vec<u32>) -> usize {
        let count = 2 * edges.len() + 1 + answer.len();
        let mut sequence = Sequence::over(tokens, count * self.longest + MARKERS.len());
        sequence.push(BOS);
        sequence.names(edges.as_flattened().iter().map(|node| self.name(*node)));
        sequence.push(QUERY);
        sequence.name(self.name(self.query));
        sequence.push(ANS);
        let start = sequence.length();
        sequence.names(answer.iter().map(|node| self.name(*node)));
        sequence.push(EOS);
        *tokens = sequence.finish();
        start
    }

    /// The question.
    fn question(&self, edges: &[[u16; 2]], question: &mut String) {
        let mut text = Text::over(question, (2 * edges.len() + 1) * self.longest);
        text.pairs(b'>', edges.iter().map(|edge| edge.map(|node| self.label(node))));
        text.text("? ");
        text.label(self.label(self.query));
        *question = text.finish();
    }

    /// The canonical text: the problem, then the names. The problem is the graph with ranks instead of names and with
    /// sorted edges: only the order of names determines the correct answer, so graphs with different names in the same
    /// order are the same problem.
    fn canonical(&self, graph: &Graph, ranks: &[Label], canonical: &mut String) {
        // Number of printed nodes with smaller names. Nodes without edges are not part of the problem.
        let mut count = 0;
        let ranked = |node: &Node| {
            let rank = count;
            count += usize::from(node.is_printed());
            &ranks[rank]
        };
        let ranked: Vec<&Label> = graph.nodes.iter().map(ranked).collect();
        let rank = |node: u16| ranked[usize::from(node)];
        let mut text = Text::over(canonical, 2 * graph.edges.len() + 2 + self.named.len() * self.longest);
        text.pairs(b'>', graph.sorted().into_iter().map(|edge| edge.map(rank)));
        text.text("? ");
        text.label(rank(self.query));
        text.text(": ");
        let printed = self.named.iter().zip(&graph.nodes).filter(|(_, node)| node.is_printed());
        text.labels(printed.map(|(name, _)| &name.label));
        *canonical = text.finish();
    }

    /// An answer.
    fn answer(&self, nodes: &[u16], answer: &mut String) {
        let mut text = Text::over(answer, nodes.len() * self.longest);
        text.labels(nodes.iter().map(|node| self.label(*node)));
        *answer = text.finish();
    }
}
