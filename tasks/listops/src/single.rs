//! The task `listops`: an expression, then its value.

use haltbench_sdk::Result;
use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::guess::{self, Guess};
use haltbench_sdk::task::{Instance, Supervision, Task, TaskDeclaration, TaskSpec, Verdict, admit_size};
use haltbench_sdk::text::Label;

use crate::alphabet::{Symbol, render, vocabulary};
use crate::columns::{Answers, COMPLEXITIES, FEATURES, fill};
use crate::guess::OwnDigits;
use crate::settings::{PARAMETERS, Settings};
use crate::tree::Tree;
use crate::{check, solve};

const NAME: &str = "listops";
const MARKERS: [&str; 2] = ["<bos>", "<ans>"];
const BOS: u32 = 0;
const ANS: u32 = 1;

/// Declaration of `listops`.
pub const DECLARATION: TaskDeclaration = TaskDeclaration {
    name: NAME,
    summary: "Value of nested MIN, MAX, MED and SM lists of digits; height H, one answer token",
    documentation: "\
Evaluates nested operations on lists of digits: minimum, maximum, median and sum modulo 10.

The sequence is `<bos>`, the expression, `<ans>`, the value. Only the value is under the loss: the marker is \
deterministic. An operator and its opening bracket are one token, `[SM`. The median of an even number of arguments is \
the mean of the middle two, rounded down.

The sampler makes an argument an operator with `operator_probability`, else a uniform digit. An operator is uniform \
among `operators` and has 2 to `maximum_arguments` arguments, all numbers equally likely. An expression of size H is \
one of the sampler's given that its height is exactly H and that it has `minimum_length` to `maximum_length` tokens; \
it is drawn from this law exactly, nothing is rejected. The defaults follow NDR, whose depth counts a digit as 1: its \
training depths 2 to 6 are heights 1 to 5, its test depths 8 and 9 are heights 7 and 8. NDR balances its samples by \
dependency depth, which is a complexity here, and its limit of 50 counts three tokens for an operator. For the sampler \
of Long Range Arena, up to its cutoff at height 9, set `operator_probability = 0.25`, `maximum_arguments = 10`, \
`minimum_length = 500`, `maximum_length = 2000`, `minimum_height = 3`, `maximum_height = 9`, `largest_height = 9` and \
`size_law = \"sampler\"`; heights 1 and 2 have no expression of this length.

Equal lengths: with `minimum_length` equal to `maximum_length` every expression of every height has the same number of \
tokens, so length says nothing about difficulty: a low expression is a wide one. Heights that cannot fill the length \
are refused; with 40 tokens and 5 arguments the lowest is 3. All sizes use the same tokens.

Complexities are defined at the value. `dependency_depth` depends on values: of the arguments of a minimum only the \
smallest counts. `height` and `ops` can be counted from the brackets, so depth that follows them alone may follow a cue \
in the prompt. Values are not uniform: minima are small and maxima large, so compare accuracies with the guesses.

The state features `complete_arguments` and `completed_subtree` describe a stack parser just before it reads a token; \
`selected_argument` and `span` are those of the root.

What is held out: whole expressions. Sub-expressions of a held-out one occur in training, and so do expressions that \
differ from it by the order of arguments.

A question is the expression, as in `[SM 3 [MED 1 5 8 2 ] 7 ]`; the answer is the value, `3`.",
    reference: "Nangia and Bowman, ListOps, arXiv 1804.06028; Tay et al., Long Range Arena, arXiv 2011.04006, section \
                2.2.1; Csordás et al., The Neural Data Router, arXiv 2110.07732, with its released generator",
    licence: "generated; no restriction",
    parameters: &PARAMETERS,
    build,
};

struct ListOps {
    settings: Settings,
    spec: TaskSpec,
    /// Labels of the vocabulary.
    labels: Vec<Label>,
}

fn build(parameters: &Parameters) -> Result<Box<dyn Task>> {
    let settings = Settings::new(NAME, parameters)?;
    let spec = TaskSpec {
        vocabulary: vocabulary(&MARKERS),
        size: Some(settings.knob.clone()),
        supervision: Supervision::NextToken,
        features: FEATURES.to_vec(),
        complexities: COMPLEXITIES.to_vec(),
        headline: "height",
    };
    let labels = spec.vocabulary.iter().map(|word| Label::of(word)).collect();
    Ok(Box::new(ListOps { settings, spec, labels }))
}

impl Task for ListOps {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn draw(&self, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
        admit_size(NAME, &self.settings.knob, size)?;
        self.write(&self.settings.draw(size, stream), instance);
        Ok(())
    }

    fn training_size(&self, stream: &mut Stream) -> u32 {
        self.settings.training_size(stream)
    }

    fn answer(&self, question: &str) -> Result<String> {
        solve::single(question, &self.settings.operators).map(|value| value.to_string())
    }

    fn check(&self, question: &str, answer: &str) -> Result<Verdict> {
        check::single(question, answer, &self.settings.operators)
    }

    fn guesses(&self, training: &[Instance]) -> Vec<Box<dyn Guess + '_>> {
        let mut guesses = guess::trivial(training);
        let markers = MARKERS.len() as u32;
        let own = OwnDigits { operators: &self.settings.operators, markers, is_stream: false };
        guesses.push(Box::new(own.guess()));
        guesses
    }
}

impl ListOps {
    fn write(&self, tree: &Tree, instance: &mut Instance) {
        let Instance {
            tokens, targets, loss_mask, complexities, features, question, answer, canonical, problem, ..
        } = instance;
        (*targets, *canonical, *problem) = (None, None, None);
        let token = |symbol: Symbol| MARKERS.len() as u32 + symbol.number();
        let printed = tree.printed();
        tokens.clear();
        tokens.push(BOS);
        tokens.extend(printed.iter().map(|printed| token(printed.symbol)));
        render(&tokens[1..], &self.labels, question);
        tokens.extend([ANS, token(Symbol::Digit(tree.root().value))]);
        let value = tokens.len() - 1;
        loss_mask.clear();
        loss_mask.resize(value, false);
        loss_mask.push(true);
        fill(tree, &printed, [1, tokens.len()], Answers::At(value), [complexities, features]);
        answer.clear();
        answer.push_str(&self.spec.vocabulary[tokens[value] as usize]);
    }
}
