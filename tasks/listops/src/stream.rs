//! The task `listops-stream`: an expression with an answer at every closing bracket.

use haltbench_sdk::Result;
use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::guess::{self, Guess};
use haltbench_sdk::task::{Instance, Supervision, Task, TaskDeclaration, TaskSpec, TokenSize, Verdict, admit_size};
use haltbench_sdk::text::Label;

use crate::alphabet::{CLOSE, Symbol, render, vocabulary};
use crate::columns::{Answers, COMPLEXITIES, FEATURES, HEIGHT, fill};
use crate::guess::OwnDigits;
use crate::sampler::Measure;
use crate::settings::{PARAMETERS, Settings};
use crate::tree::Tree;
use crate::{check, solve};

const NAME: &str = "listops-stream";
const MARKERS: [&str; 1] = ["<bos>"];
const BOS: u32 = 0;

/// Declaration of `listops-stream`.
pub const DECLARATION: TaskDeclaration = TaskDeclaration {
    name: NAME,
    summary: "Value of every list of a nested ListOps expression, supervised at its closing bracket; height H",
    documentation: "\
Evaluates every sub-expression of nested operations on lists of digits: minimum, maximum, median and sum modulo 10.

The sequence is `<bos>`, then the expression. At every closing bracket the target is the value of the sub-expression \
that it completes, and it is read at that bracket's own position; all other tokens are outside the loss. So one sequence \
holds answers of graded difficulty, each with complexities of its own. Expressions are drawn as in `listops` with \
`size_measure = \"height\"`: a size of H is a height of exactly H.

The size of an answer is the height of its sub-expression. In an expression that is higher than those trained on, only \
sub-expressions that are higher as well are beyond training; the others are embedded: their heights were trained on. \
That holds for sizes left out by `skip` too, because higher training expressions contain sub-expressions of these \
heights.

Equal lengths: with `minimum_length` equal to `maximum_length` every expression of every height has the same number of \
tokens, so length says nothing about difficulty, and answers of all heights are mixed in every sequence. All sizes use \
the same tokens.

`dependency_depth` depends on values: of the arguments of a minimum only the smallest counts. Targets are not read back: \
the answers of inner lists are no tokens of the sequence, so the model carries them itself.

The state features `complete_arguments` and `completed_subtree` describe a stack parser just before it reads a token; \
`selected_argument` and `span` are those of the list that a bracket closes.

What is held out: beginnings of expressions, up to and with their first closing bracket, so that no context in which an \
answer is graded occurs in training. Single lists such as `[MIN 3 4 ]` cannot be held out where they stand later.

A question is the expression, as in `[SM 3 [MED 1 5 8 2 ] 7 ]`; the answer lists the values in the order of the closing \
brackets, `3 3`.",
    reference: "Haltbench; the expressions are those of ListOps, arXiv 1804.06028, with the sampler of the Neural Data \
                Router, arXiv 2110.07732",
    licence: "generated; no restriction",
    parameters: &PARAMETERS,
    build,
};

struct ListOpsStream {
    settings: Settings,
    spec: TaskSpec,
    /// Labels of the vocabulary.
    labels: Vec<Label>,
}

fn build(parameters: &Parameters) -> Result<Box<dyn Task>> {
    let settings = Settings::new(NAME, parameters, Measure::Height)?;
    let spec = TaskSpec {
        vocabulary: vocabulary(&MARKERS),
        size: Some(settings.knob.clone()),
        supervision: Supervision::AtToken,
        features: FEATURES.to_vec(),
        complexities: COMPLEXITIES.to_vec(),
        headline: "height",
    };
    let labels = spec.vocabulary.iter().map(|word| Label::of(word)).collect();
    Ok(Box::new(ListOpsStream { settings, spec, labels }))
}

impl Task for ListOpsStream {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn draw(&self, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
        admit_size(NAME, &self.settings.knob, size)?;
        self.write(&self.settings.sampler.draw(NAME, size, stream)?, instance);
        Ok(())
    }

    fn training_size(&self, stream: &mut Stream) -> u32 {
        self.settings.training_size(stream)
    }

    /// Training has sub-expressions of every height up to its largest size, skipped sizes included.
    fn token_size(&self, size: u32, instance: &Instance, token: usize) -> TokenSize {
        // Undefined, which counts as 0, if the token closes nothing.
        self.settings.knob.part(size, instance.complexities.get(HEIGHT, token) as u32)
    }

    fn answer(&self, question: &str) -> Result<String> {
        let values = solve::stream(question, &self.settings.sampler.operators)?;
        Ok(values.iter().map(u8::to_string).collect::<Vec<_>>().join(" "))
    }

    fn check(&self, question: &str, answer: &str) -> Result<Verdict> {
        check::stream(question, answer, &self.settings.sampler.operators)
    }

    fn guesses(&self, training: &[Instance]) -> Vec<Box<dyn Guess + '_>> {
        let mut guesses = guess::trivial(training);
        let markers = MARKERS.len() as u32;
        let own = OwnDigits { operators: &self.settings.sampler.operators, markers, is_stream: true };
        guesses.push(Box::new(own.guess()));
        guesses
    }
}

impl ListOpsStream {
    fn write(&self, tree: &Tree, instance: &mut Instance) {
        let Instance {
            tokens, targets, loss_mask, complexities, features, question, answer, canonical, problem, ..
        } = instance;
        *canonical = None;
        let token = |symbol: Symbol| MARKERS.len() as u32 + symbol.number();
        let printed = tree.printed();
        tokens.clear();
        tokens.push(BOS);
        tokens.extend(printed.iter().map(|printed| token(printed.symbol)));
        render(&tokens[1..], &self.labels, question);
        let targets = targets.get_or_insert_default();
        targets.clone_from(tokens);
        loss_mask.clear();
        loss_mask.resize(tokens.len(), false);
        let mut values = Vec::new();
        for (place, closed) in (1..).zip(&printed).filter(|(_, printed)| printed.symbol == Symbol::Close) {
            targets[place] = token(Symbol::Digit(tree.nodes[closed.node].measure.value));
            loss_mask[place] = true;
            values.push(targets[place]);
        }
        render(&values, &self.labels, answer);
        fill(tree, &printed, [1, tokens.len()], Answers::AtBrackets, [complexities, features]);
        // Every list has an answer, so the first closing bracket must already determine the problem.
        *problem = question.find(CLOSE).map(|place| place + CLOSE.len());
    }
}
