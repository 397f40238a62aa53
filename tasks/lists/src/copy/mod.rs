//! The task `copy`: a list, then the same list.

mod check;
pub mod columns;
mod guess;

use haltbench_sdk::Result;
use haltbench_sdk::parameters::{ParameterSpec, Parameters};
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::guess::{self as guesses, Guess};
use haltbench_sdk::task::{Instance, Supervision, Task, TaskDeclaration, TaskSpec, Verdict, admit_size};

use self::columns::{COMPLEXITIES, FEATURES, fill};
use crate::question;
use crate::sequence::{self, vocabulary};
use crate::settings::{PARAMETERS as SHARED, Settings};

const NAME: &str = "copy";

/// Declaration of `copy`.
pub const DECLARATION: TaskDeclaration = TaskDeclaration {
    name: NAME,
    summary: "The same list again, N elements: a control of constant depth",
    documentation: "\
Copies a list.

The sequence is `<bos>`, the list of N elements, `<ans>`, the list again, `<eos>`. The copy and `<eos>` are under the \
loss; `<ans>` is not, because it is deterministic.

This is a control of constant depth: every token takes one look-up, `lookback` tokens back, the same number for all \
tokens of a sequence. A model that finds the place by content instead of by position looks for what it has copied \
last: `context` says how many tokens of it the model must compare until only one place is left. Depth that grows with \
`context` or `conflicts` follows the difficulty of finding the place, not a chain of computations.

Elements of a list are independent and uniform among some elements of the alphabet, which are drawn first: with \
`variety_law = \"powers\"` 2, 4, 8 and so on up to all, each number equally likely, so that lists of one length differ in \
how ambiguous their places are; with `all` every list has all.

Equal lengths: with `window` set, random filler and `|` come before the list, and the elements of filler, list and copy \
together are always as many as the window, so length says nothing about difficulty. Without a window, one training \
length (`minimum_length` equal to `maximum_length`) does the same for training. `context` and the counts of occurrences are \
those in the list alone. All sizes use the same tokens.

What is held out: lists, whatever the filler. Parts of a held-out list occur in training.

A question is the list, as in `7 3 7 1`, after filler and `|` if there is any; the answer is the same list, `7 3 7 1`.",
    reference: "Jelassi et al., Repeat After Me, arXiv 2402.01032; Kuo et al., Stabilizing Extrapolation in \
                Looped Transformers via Learned Stochastic Stopping, arXiv 2606.29983; the laws of lists are Haltbench's",
    licence: "generated; no restriction",
    parameters: PARAMETERS,
    build,
};

const PARAMETERS: &[ParameterSpec] = &with_variety_law(SHARED);
const VARIETY_LAW: &str = "variety_law";

const fn with_variety_law([a, b, c, d, e, f]: [ParameterSpec; 6]) -> [ParameterSpec; 7] {
    let documentation = "Elements that a list is drawn from: a power of two or all, each number equally likely, or \
                         always all.";
    [a, b, c, d, e, f, ParameterSpec::choice(VARIETY_LAW, "powers", &["powers", "all"], documentation)]
}

struct ListCopy {
    settings: Settings,
    /// Possible numbers of elements that a list is drawn from.
    varieties: Vec<u32>,
    spec: TaskSpec,
}

fn build(parameters: &Parameters) -> Result<Box<dyn Task>> {
    let settings = Settings::new(NAME, parameters)?;
    let all = settings.elements.count;
    let powers = (1..).map(|power| 1 << power).take_while(|count| *count < all);
    let is_varied = parameters.text(VARIETY_LAW)? == "powers";
    let varieties = powers.filter(|_| is_varied).chain([all]).collect();
    let spec = TaskSpec {
        vocabulary: vocabulary(&settings),
        size: Some(settings.knob.clone()),
        supervision: Supervision::NextToken,
        features: FEATURES.to_vec(),
        complexities: COMPLEXITIES.to_vec(),
        headline: "context",
    };
    Ok(Box::new(ListCopy { settings, varieties, spec }))
}

impl Task for ListCopy {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn draw(&self, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
        admit_size(NAME, &self.settings.knob, size)?;
        let list = self.list(size, stream);
        let first = sequence::write(&list, &list, &self.settings, stream, instance);
        fill(&list, first, [&mut instance.complexities, &mut instance.features]);
        Ok(())
    }

    fn answer(&self, question: &str) -> Result<String> {
        question::read(question, self.settings.elements).map(|list| question::write(&list))
    }

    fn check(&self, question: &str, answer: &str) -> Result<Verdict> {
        check::check(question, answer, self.settings.elements)
    }

    fn guesses(&self, training: &[Instance]) -> Vec<Box<dyn Guess + '_>> {
        let mut guesses = guesses::trivial(training);
        guesses.push(Box::new(guess::after_the_same(self.settings.elements)));
        guesses
    }
}

impl ListCopy {
    fn list(&self, size: u32, stream: &mut Stream) -> Vec<u32> {
        let variety = *stream.choose(&self.varieties);
        let mut order: Vec<u32> = (0..self.settings.elements.count).collect();
        for place in 0..variety {
            let chosen = u64::from(place) + stream.below(u64::from(self.settings.elements.count - place));
            order.swap(place as usize, chosen as usize);
        }
        (0..size).map(|_| order[stream.below(u64::from(variety)) as usize]).collect()
    }
}
