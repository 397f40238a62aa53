//! The task `addition`: two numbers, then their sum.

use haltbench_sdk::Result;
use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::random::{Draws, Stream};
use haltbench_sdk::task::guess::{self, Guess};
use haltbench_sdk::task::{Instance, Supervision, Task, TaskDeclaration, TaskSpec, Verdict, admit_size};
use haltbench_sdk::text::{Label, Text};

use crate::columns::{COMPLEXITIES, FEATURES, fill};
use crate::guess::ShortCarries;
use crate::settings::{First, NAME, PARAMETERS, Settings};
use crate::sum::Sum;
use crate::{check, solve};

const MARKERS: [&str; 4] = ["<bos>", "<eos>", "+", "="];
const BOS: u32 = 0;
const EOS: u32 = 1;
const PLUS: u32 = 2;
const EQUALS: u32 = 3;

/// Declaration of the task.
pub const DECLARATION: TaskDeclaration = TaskDeclaration {
    name: NAME,
    summary: "Sum of two numbers of N digits, most or least significant digit first",
    documentation: "\
Adds two numbers digit by digit.

The sequence is `<bos>`, the digits of the first number, `+`, those of the second, `=`, those of the sum. The digits of \
the sum are under the loss. All three numbers have the most significant digit first or, with `first_digit = \"least\"`, the \
least significant one.

The two orders are a control: under one seed they have the same numbers, parts and lengths, but other complexities. Most \
significant first, a digit needs the carry into its place, which is decided by the places below it: the next one, and for \
as long as digits add up to 9, another one. `lookback` counts them. Least significant first, the digit printed before \
tells the carry, so every digit takes one lookup, and depth has nothing to follow. A lookback depends on digits that add up to 9, not on \
carries: 5555 + 4444 looks back four places although nothing is carried.

Two digits that are uniform add up to 9 once in ten times, so lookbacks fall off by a factor of 10: raise \
`nine_probability` for long ones. A model may look at the places one after the other, or in `parallel` rounds as a carry \
lookahead does. A digit follows from its context, so its entropy is 0.

With `zero_padding`, a size of N has numbers of N digits, zeros in front included, and all sequences of a size are equally \
long, whatever their lookbacks. With `equal_length`, zeros fill up operands to `largest_digits` digits, and sequences of all \
sizes are equally long; most digits of a small sum are then zeros. Without padding, the longer operand has exactly N digits, the other 1 to N, all equally likely, \
and either may come first; the sum has no zeros in front and ends with `<eos>`, which is under the loss. The first of its \
digits tells how many there are, so, most significant first, its lookback covers the carry into the place above as well. \
`<eos>` has a complexity only where it may stand for that carry, least significant first.

What is held out: pairs of numbers, in whichever order, with whichever zeros in front.

The guess `no-carry` has about half of the digits right, and `next-carry`, which takes every carry from the next lower \
place alone, 95 %: compare accuracies with these, by lookback.

A question is the digits, as in `1 2 9 9 + 3 7 0 1`; the answer is `0 5 0 0 0`, or `5 0 0 0` without padding. Both have the \
order of the sequence.",
    reference: "McLeish et al., Transformers Can Do Arithmetic with the Right Embeddings, arXiv 2405.17399, section 3; Lee et al., \
                Teaching Arithmetic to Small Transformers, arXiv 2307.03381",
    licence: "generated; no restriction",
    parameters: PARAMETERS,
    build,
};

struct Addition {
    settings: Settings,
    spec: TaskSpec,
    /// Labels of the vocabulary.
    labels: Vec<Label>,
}

fn build(parameters: &Parameters) -> Result<Box<dyn Task>> {
    let settings = Settings::new(parameters)?;
    let digits = (0..10).map(|digit: u32| digit.to_string());
    let spec = TaskSpec {
        vocabulary: MARKERS.map(str::to_owned).into_iter().chain(digits).collect(),
        size: Some(settings.knob.clone()),
        supervision: Supervision::NextToken,
        features: FEATURES.to_vec(),
        complexities: COMPLEXITIES.to_vec(),
        headline: "lookback",
    };
    let labels = spec.vocabulary.iter().map(|word| Label::of(word)).collect();
    Ok(Box::new(Addition { settings, spec, labels }))
}

impl Task for Addition {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn draw(&self, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
        admit_size(NAME, &self.settings.knob, size)?;
        let sum = Sum::draw(size as usize, &self.settings, &mut Draws::new(stream));
        self.write(&sum, instance);
        Ok(())
    }

    fn answer(&self, question: &str) -> Result<String> {
        solve::answer(question, self.settings.form)
    }

    fn check(&self, question: &str, answer: &str) -> Result<Verdict> {
        check::check(question, answer, self.settings.form)
    }

    fn guesses(&self, training: &[Instance]) -> Vec<Box<dyn Guess + '_>> {
        let mut guesses = guess::trivial(training);
        for is_next_seen in [false, true] {
            let form = self.settings.form;
            guesses.push(Box::new(ShortCarries { form, is_next_seen, zero: MARKERS.len() as u32, end: EOS }));
        }
        guesses
    }
}

impl Addition {
    fn write(&self, sum: &Sum, instance: &mut Instance) {
        let form = self.settings.form;
        let Instance {
            tokens, targets, loss_mask, complexities, features, question, answer, canonical, problem, ..
        } = instance;
        (*targets, *problem) = (None, None);
        tokens.clear();
        tokens.push(BOS);
        extend(tokens, form.first, &sum.operands[0]);
        tokens.push(PLUS);
        extend(tokens, form.first, &sum.operands[1]);
        tokens.push(EQUALS);
        let start = tokens.len();
        extend(tokens, form.first, &sum.digits);
        self.render(&tokens[1..start - 1], question);
        self.render(&tokens[start..], answer);
        if !form.is_padded {
            tokens.push(EOS);
        }
        loss_mask.clear();
        loss_mask.resize(start, false);
        loss_mask.resize(tokens.len(), true);
        fill(sum, form.first, [start, tokens.len()], [complexities, features]);
        // The smaller number first, so that a sum and its reverse are one problem.
        let [first, second] = [0, 1].map(|operand| number(&sum.operands[operand]));
        let is_ascending = (first.len(), &first) <= (second.len(), &second);
        let [less, more] = if is_ascending { [first, second] } else { [second, first] };
        let canonical = canonical.get_or_insert_default();
        canonical.clear();
        canonical.extend([less.as_str(), "+", &more]);
    }

    /// Replaces `words` by the words of `tokens`.
    fn render(&self, tokens: &[u32], words: &mut String) {
        let mut text = Text::over(words, tokens.len());
        text.labels(tokens.iter().map(|token| &self.labels[*token as usize]));
        *words = text.finish();
    }
}

/// Appends the tokens of digits that are in ascending order of places.
fn extend(tokens: &mut Vec<u32>, first: First, digits: &[u8]) {
    let start = tokens.len();
    tokens.extend(digits.iter().map(|digit| MARKERS.len() as u32 + u32::from(*digit)));
    first.arrange(&mut tokens[start..]);
}

/// A number in decimal, without zeros in front.
fn number(digits: &[u8]) -> String {
    let length = digits.iter().rposition(|digit| *digit != 0).map_or(1, |place| place + 1);
    digits[..length].iter().rev().map(|digit| char::from(b'0' + digit)).collect()
}
