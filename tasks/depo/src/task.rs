//! The task `depo`: a cycle in pieces, then questions for k-th successors.

use haltbench_sdk::Result;
use haltbench_sdk::nodes::{Name, NodeSettings, Sequence};
use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::random::{Draws, Stream};
use haltbench_sdk::task::guess::{self, Guess};
use haltbench_sdk::task::{Instance, Supervision, Task, TaskDeclaration, TaskSpec, Verdict, admit_size};
use haltbench_sdk::text::Text;

use crate::columns::{COMPLEXITIES, FEATURES, Layout, SPELLING, fill};
use crate::cycle::{Cycle, Query};
use crate::guess::random_node;
use crate::settings::{NAME, PARAMETERS, Settings};
use crate::{check, solve};

const MARKERS: [&str; 2] = ["<bos>", "<ans>"];
const BOS: u32 = 0;
const ANS: u32 = 1;

/// Declaration of the task.
pub const DECLARATION: TaskDeclaration = TaskDeclaration {
    name: NAME,
    summary: "The k-th successor on a directed cycle of N nodes whose edges are printed in random order",
    documentation: "\
Follows the edges of a directed cycle for a number of hops.

The sequence is `<bos>`, the N edges of a uniformly random cycle as pairs of names in random order, then for every \
question the tokens that tell the hops, the start, `<ans>`, the answer. The answers are under the loss; `<ans>` is not, \
because it is deterministic. Questions have different starts, and each has its own number of hops.

On a small cycle a walk comes back to its start: `hops_mod` is what has to be walked. A model may double the successor \
function instead of following it, so depth is to be compared with `parallel` as well. The number of hops is printed, so \
a depth that follows it may follow a cue in the prompt; only hops beyond N tell the two apart.

What is held out: cycles, whatever is asked about them. Single edges of a held-out cycle occur in training, and so does \
the same cycle under other names: all cycles of N nodes are alike but for their names.

Guessing among the nodes of the cycle is right once in N answers.

Names have one token by default. A name of several is written with points, as in `3.1.4`, and the last token of a name \
differs from the others. Features stand at an answer's first token.

A question is the edges, then for every question `?`, the start and the hops, as in `4>7 7>2 2>4 ? 4 2 ? 7 3`; the \
answers are `2 7`.",
    reference: "The paper's DEPO (appendix A.3); Physics of Language Models, part 4.1, arXiv 2512.17351, appendix A",
    licence: "generated; no restriction",
    parameters: PARAMETERS,
    build,
};

struct Depo {
    settings: Settings,
    spec: TaskSpec,
}

fn build(parameters: &Parameters) -> Result<Box<dyn Task>> {
    let settings = Settings::new(parameters, MARKERS.len() as u32)?;
    let is_spelled = settings.nodes.names.longest() > 1;
    let markers = MARKERS.iter().map(|marker| (*marker).to_owned());
    let spec = TaskSpec {
        vocabulary: markers.chain(settings.hops.words()).chain(settings.nodes.names.words().iter().cloned()).collect(),
        size: Some(settings.nodes.knob.clone()),
        supervision: Supervision::NextToken,
        features: FEATURES.to_vec(),
        complexities: COMPLEXITIES.into_iter().chain(is_spelled.then_some(SPELLING)).collect(),
        headline: "hops_mod",
    };
    Ok(Box::new(Depo { settings, spec }))
}

impl Task for Depo {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn draw(&self, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
        let Settings { nodes, hops, queries } = &self.settings;
        admit_size(NAME, &nodes.knob, size)?;
        let mut draws = Draws::new(stream);
        self.write(&Cycle::draw(size as usize, *queries, &nodes.names, hops, &mut draws), instance);
        Ok(())
    }

    fn training_size(&self, stream: &mut Stream) -> u32 {
        self.settings.nodes.training_size(stream)
    }

    fn answer(&self, question: &str) -> Result<String> {
        solve::answer(question, &self.settings.nodes.names, &self.settings.hops)
    }

    fn check(&self, question: &str, answer: &str) -> Result<Verdict> {
        check::check(question, answer, &self.settings.nodes.names, &self.settings.hops)
    }

    fn guesses(&self, training: &[Instance]) -> Vec<Box<dyn Guess + '_>> {
        let mut guesses = guess::trivial(training);
        guesses.push(Box::new(random_node(&self.settings.nodes.names, &self.settings.hops)));
        guesses
    }
}

impl Depo {
    fn write(&self, cycle: &Cycle, instance: &mut Instance) {
        let names = &self.settings.nodes.names;
        // In cycle order, with the first repeated at the end, so that every edge is one name and the next.
        let named: Vec<&Name> = cycle.nodes.iter().chain(cycle.nodes.first()).map(|name| names.get(*name)).collect();
        let edges = || cycle.printed.iter().map(|start| *start as usize).map(|start| [named[start], named[start + 1]]);
        let layout = self.sequence(cycle, edges().flatten(), instance);
        let Instance { targets, complexities, features, question, answer, canonical, problem, .. } = instance;
        *targets = None;
        fill(cycle, names, &layout, [complexities, features]);
        let mut text = Text::over(question, 2 * cycle.size() * names.longest() + self.query_room(cycle));
        text.pairs(b'>', edges().map(|edge| edge.map(|name| &name.label)));
        self.ask(cycle, &mut text);
        *question = text.finish();
        let mut text = Text::over(answer, cycle.queries.len() * names.longest());
        for query in &cycle.queries {
            text.label(&names.get(cycle.nodes[cycle.answer(query)]).label);
        }
        *answer = text.finish();
        let canonical = canonical.get_or_insert_default();
        self.canonical(cycle, canonical);
        *problem = canonical.find('?');
    }

    /// Writes the tokens and the loss mask, and returns where the answers are; `edges` are the names of the printed
    /// edges in order.
    fn sequence<'a>(
        &self,
        cycle: &Cycle,
        edges: impl Iterator<Item = &'a Name>,
        Instance { tokens: sequence, loss_mask, .. }: &mut Instance,
    ) -> Layout {
        let Settings { nodes: NodeSettings { names, .. }, hops, .. } = &self.settings;
        let longest = names.longest();
        let room = 2 * cycle.size() * longest + cycle.queries.len() * (2 * longest + hops.longest() + 1);
        let mut tokens = Sequence::over(sequence, room + 1);
        let name = |place: usize| names.get(cycle.nodes[place]);
        tokens.push(BOS);
        tokens.names(edges);
        let edges = tokens.length() - 1;
        let mut answers = Vec::with_capacity(cycle.queries.len());
        loss_mask.clear();
        loss_mask.reserve(room + 1);
        for query in &cycle.queries {
            hops.print(query.hops, MARKERS.len() as u32, &mut tokens);
            tokens.name(name(query.start as usize));
            tokens.push(ANS);
            answers.push(tokens.length());
            loss_mask.resize(tokens.length(), false);
            tokens.name(name(cycle.answer(query)));
            loss_mask.resize(tokens.length(), true);
        }
        let layout = Layout { length: tokens.length(), edges, answers };
        *sequence = tokens.finish();
        layout
    }

    /// Writes the problem, which is the cycle from its first name on, and then the questions. All questions about a
    /// cycle, with any order of edges, are the same problem, so training knows all of them or none.
    fn canonical(&self, cycle: &Cycle, canonical: &mut String) {
        let names = &self.settings.nodes.names;
        let mut text = Text::over(canonical, cycle.size() * names.longest() + self.query_room(cycle));
        let first = cycle.nodes.iter().enumerate().min_by_key(|(_, name)| **name).map_or(0, |(place, _)| place);
        let (before, after) = cycle.nodes.split_at(first);
        text.labels_with(b'>', after.iter().chain(before).map(|name| &names.get(*name).label));
        self.ask(cycle, &mut text);
        *canonical = text.finish();
    }

    /// Space for the text of the questions, in words.
    fn query_room(&self, cycle: &Cycle) -> usize {
        cycle.queries.len() * (self.settings.nodes.names.longest() + 3)
    }

    /// Appends the questions.
    fn ask(&self, cycle: &Cycle, text: &mut Text) {
        for Query { start, hops } in &cycle.queries {
            text.text("? ");
            text.label(&self.settings.nodes.names.get(cycle.nodes[*start as usize]).label);
            text.number(*hops);
        }
    }
}
