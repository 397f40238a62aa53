//! The task `listops`: an expression, then its value.

use haltbench_sdk::Result;
use haltbench_sdk::parameters::{ParameterSpec, Parameters};
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::guess::{self, Guess};
use haltbench_sdk::task::{Instance, Supervision, Task, TaskDeclaration, TaskSpec, Verdict, admit_size};
use haltbench_sdk::text::Label;

use crate::alphabet::{Symbol, render, vocabulary};
use crate::columns::{Answers, COMPLEXITIES, FEATURES, fill};
use crate::guess::OwnDigits;
use crate::sampler::Measure;
use crate::settings::{PARAMETERS as SHARED, Settings};
use crate::tree::Tree;
use crate::{check, solve};

const NAME: &str = "listops";
const MARKERS: [&str; 2] = ["<bos>", "<ans>"];
const BOS: u32 = 0;
const ANS: u32 = 1;

/// Declaration of `listops`.
pub const DECLARATION: TaskDeclaration = TaskDeclaration {
    name: NAME,
    summary: "Value of nested MIN, MAX, MED and SM lists of digits; dependency depth D, one answer token",
    documentation: "\
Evaluates nested operations on lists of digits: minimum, maximum, median and sum modulo 10.

The sequence is `<bos>`, the expression, `<ans>`, the value. Only the value is under the loss: the marker is \
deterministic. An operator and its opening bracket are one token, `[SM`. The median of an even number of arguments is \
the mean of the middle two, rounded down.

The sampler makes an argument an operator with `operator_probability`, else a uniform digit. An operator is uniform \
among `operators` and has 2 to `maximum_arguments` arguments, all numbers equally likely. By default an expression of \
size D is one of the sampler's given that its dependency depth is exactly D, its height at most `largest_depth`, and \
that it has `minimum_length` to `maximum_length` tokens. With `size_measure = \"height\"` an expression of size H is one \
given that its height is exactly H and the same lengths; this law is drawn from exactly, nothing is rejected.

The defaults follow NDR, which balances its samples by dependency depth and counts a digit as 1: its training depths 2 \
to 6 are 1 to 5 here, its test depths 8 and 9 are 7 and 8; its limit of 50 tokens counts three for an operator. For the \
sampler of Long Range Arena, up to its cutoff at height 9, set `size_measure = \"height\"`, `size_law = \"sampler\"`, \
`operator_probability = 0.25`, `maximum_arguments = 10`, `minimum_length = 500`, `maximum_length = 2000`, \
`minimum_depth = 3`, `maximum_depth = 9` and `largest_depth = 9`; heights 1 and 2 have no expression of this length.

Equal lengths: with `minimum_length` equal to `maximum_length` every expression of every size has the same number of \
tokens, so length says nothing about difficulty. With 40 tokens and 5 arguments heights are at least 3, and an \
expression of a small dependency depth may be as high as any other. Sizes that cannot fill the length are refused. All \
sizes use the same tokens.

Complexities are defined at the value. `dependency_depth` depends on values: of the arguments of a minimum only the \
smallest counts. `height` and `ops` can be counted from the brackets, so depth that follows them alone may follow a cue \
in the prompt. About two in five high expressions are decided by the digits of their root alone, so heights say little \
about difficulty: compare accuracies with the guess `own-digits`, which ignores nested lists. It is right in 43 % of \
all instances of height 5, and in 14 % of those of dependency depth 5. A sum passes on all of its arguments, so \
expressions of a large dependency depth have more sums than others. Values are not uniform: \
minima are small and maxima large.

The state features `complete_arguments` and `completed_subtree` describe a stack parser just before it reads a token; \
`selected_argument` and `span` are those of the root.

What is held out: whole expressions. Sub-expressions of a held-out one occur in training, and so do expressions that \
differ from it by the order of arguments.

A question is the expression, as in `[SM 3 [MED 1 5 8 2 ] 7 ]`; the answer is the value, `3`.",
    reference: "Nangia and Bowman, ListOps, arXiv 1804.06028; Tay et al., Long Range Arena, arXiv 2011.04006, section \
                2.2.1; Csordás et al., The Neural Data Router, arXiv 2110.07732, with its released generator",
    licence: "generated; no restriction",
    parameters: PARAMETERS,
    build,
};

const PARAMETERS: &[ParameterSpec] = &with_size_measure(SHARED);
const SIZE_MEASURE: &str = "size_measure";

const fn with_size_measure([a, b, c, d, e, f, g, h, i, j]: [ParameterSpec; 10]) -> [ParameterSpec; 11] {
    let documentation = "What the size of an expression is: the complexity of this name at its value.";
    let choices = &["dependency_depth", "height"];
    [a, b, c, d, e, f, g, h, i, j, ParameterSpec::choice(SIZE_MEASURE, "dependency_depth", choices, documentation)]
}

struct ListOps {
    settings: Settings,
    spec: TaskSpec,
    /// Labels of the vocabulary.
    labels: Vec<Label>,
}

fn build(parameters: &Parameters) -> Result<Box<dyn Task>> {
    let measure = match parameters.text(SIZE_MEASURE)? {
        "height" => Measure::Height,
        _ => Measure::DependencyDepth,
    };
    let settings = Settings::new(NAME, parameters, measure)?;
    let spec = TaskSpec {
        vocabulary: vocabulary(&MARKERS),
        size: Some(settings.knob.clone()),
        supervision: Supervision::NextToken,
        features: FEATURES.to_vec(),
        complexities: COMPLEXITIES.to_vec(),
        headline: if measure == Measure::Height { "height" } else { "dependency_depth" },
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
        self.write(&self.settings.sampler.draw(NAME, size, stream)?, instance);
        Ok(())
    }

    fn training_size(&self, stream: &mut Stream) -> u32 {
        self.settings.training_size(stream)
    }

    fn answer(&self, question: &str) -> Result<String> {
        solve::single(question, &self.settings.sampler.operators).map(|value| value.to_string())
    }

    fn check(&self, question: &str, answer: &str) -> Result<Verdict> {
        check::single(question, answer, &self.settings.sampler.operators)
    }

    fn guesses(&self, training: &[Instance]) -> Vec<Box<dyn Guess + '_>> {
        let mut guesses = guess::trivial(training);
        let markers = MARKERS.len() as u32;
        let own = OwnDigits { operators: &self.settings.sampler.operators, markers, is_stream: false };
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
