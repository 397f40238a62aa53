//! The task `unique-set`: a list, then its distinct elements in order of first occurrence.

mod check;
pub mod columns;
mod guess;
pub mod list;
mod solve;

use haltbench_sdk::Result;
use haltbench_sdk::parameters::{ParameterSpec, Parameters};
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::guess::{self as guesses, Guess};
use haltbench_sdk::task::{Instance, Supervision, Task, TaskDeclaration, TaskSpec, Verdict, admit_size};

use self::columns::{COMPLEXITIES, FEATURES, fill};
use self::list::{List, Stirling};
use crate::question;
use crate::sequence::{self, vocabulary};
use crate::settings::{PARAMETERS as SHARED, Settings};

const NAME: &str = "unique-set";

/// Declaration of `unique-set`.
pub const DECLARATION: TaskDeclaration = TaskDeclaration {
    name: NAME,
    summary: "Distinct elements of a list of N elements, in order of first occurrence",
    documentation: "\
Lists the distinct elements of a list in the order in which they occur first.

The sequence is `<bos>`, the list of N elements, `<ans>`, the distinct elements, `<eos>`. The answer and `<eos>` are \
under the loss; `<ans>` is not, because it is deterministic.

With `distinct_law = \"uniform\"` the number of distinct elements is uniform from 1 to N, or to `alphabet` if that is \
less, and all lists with this number are equally likely; so lists of one length differ in difficulty. With `draws` \
elements are independent and uniform.

Complexities are defined at the answer. To find the next element, the model goes on from the last one that it listed \
and passes over `skipped` elements that it has listed already. At `<eos>` it passes over all that are left. \
`repeat_distance` says how far an element that is passed over stands from its occurrence before. A model may instead \
mark all first occurrences at once, so `skipped` need not cost steps; `lookback` is the distance that attention \
bridges.

Equal lengths: with `window` set, random filler and `|` come before the list, and the elements of filler, list and \
answer together are always as many as the window, so length says nothing about difficulty. Elements of the \
filler may occur in the list too; they do not count. Without a window, one training length \
(`minimum_length` equal to `maximum_length`) also makes all prompts of training equally long. All sizes use the same \
tokens.

Copying the list as if nothing were repeated (`next-element`) is right wherever nothing is skipped: compare accuracies \
with the guesses.

What is held out: lists, whatever the filler. Parts of a held-out list occur in training, and so does the same list \
with other elements in place of its own.

A question is the list, as in `7 3 7 7 1 3`, after filler and `|` if there is any; the answer is `7 3 1`.",
    reference: "Fan et al., Looped Transformers for Length Generalization, arXiv 2409.15647; Kuo et al., \
                Stabilizing Extrapolation in Looped Transformers via Learned Stochastic Stopping, arXiv 2606.29983; the laws of lists are Haltbench's",
    licence: "generated; no restriction",
    parameters: PARAMETERS,
    build,
};

const PARAMETERS: &[ParameterSpec] = &with_distinct_law(SHARED);
const DISTINCT_LAW: &str = "distinct_law";

const fn with_distinct_law([a, b, c, d, e, f]: [ParameterSpec; 6]) -> [ParameterSpec; 7] {
    let documentation = "Distinct elements of a list: every possible number equally likely, or as many as independent \
                         draws have.";
    [a, b, c, d, e, f, ParameterSpec::choice(DISTINCT_LAW, "uniform", &["uniform", "draws"], documentation)]
}

struct UniqueSet {
    settings: Settings,
    /// The numbers that lists with a given number of distinct elements are drawn by; `None` for independent draws.
    stirling: Option<Stirling>,
    spec: TaskSpec,
}

fn build(parameters: &Parameters) -> Result<Box<dyn Task>> {
    let settings = Settings::new(NAME, parameters)?;
    let is_uniform = parameters.text(DISTINCT_LAW)? == "uniform";
    let spec = TaskSpec {
        vocabulary: vocabulary(&settings),
        size: Some(settings.knob.clone()),
        supervision: Supervision::NextToken,
        features: FEATURES.to_vec(),
        complexities: COMPLEXITIES.to_vec(),
        headline: "skipped",
    };
    let stirling = is_uniform.then(|| Stirling::new(settings.knob.maximum as usize));
    Ok(Box::new(UniqueSet { settings, stirling, spec }))
}

impl Task for UniqueSet {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn draw(&self, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
        admit_size(NAME, &self.settings.knob, size)?;
        let list = List::draw(size as usize, self.settings.elements, self.stirling.as_ref(), stream);
        let first = sequence::write(&list.elements, &list.answer(), &self.settings, stream, instance);
        fill(&list, first, [&mut instance.complexities, &mut instance.features]);
        Ok(())
    }

    fn answer(&self, question: &str) -> Result<String> {
        let list = question::read(question, self.settings.elements)?;
        Ok(question::write(&solve::distinct(&list, self.settings.elements)))
    }

    fn check(&self, question: &str, answer: &str) -> Result<Verdict> {
        check::check(question, answer, self.settings.elements)
    }

    fn guesses(&self, training: &[Instance]) -> Vec<Box<dyn Guess + '_>> {
        let mut guesses = guesses::trivial(training);
        guesses.push(Box::new(guess::next_element(self.settings.elements)));
        guesses.push(Box::new(guess::random_unlisted(self.settings.elements)));
        guesses
    }
}
