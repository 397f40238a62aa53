//! The task `clrs`.

use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::guess::{Guess, trivial};
use haltbench_sdk::task::{Instance, Supervision, Task, TaskDeclaration, TaskSpec, TokenSize, Verdict, admit_size};
use haltbench_sdk::{Error, Result};

use crate::features::{COMPLEXITIES, FEATURES, Measured};
use crate::published::Row;
use crate::sample::sample;
use crate::settings::{PARAMETERS, Settings};
use crate::solve::solve;
use crate::{answer, check, guess, question, tokens};

const NAME: &str = "clrs";

/// Declaration of `clrs`.
pub const DECLARATION: TaskDeclaration = TaskDeclaration {
    name: NAME,
    summary: "CLRS-Text: thirty algorithms as text without traces, character by character; one alone or a mixture",
    documentation: "\
Runs an algorithm of \"Introduction to Algorithms\" on an input that is written as the CLRS-Text benchmark writes it, \
without traces: numbers have three decimals, truncated.

The sequence is `<bos>`, the question, the answer; one token a character, with `<space>` and `<newline>` for white \
space. The answer is under the loss, including the two line ends that end it. A question is, for instance, \
`insertion_sort:\\nkey: [0.548 0.715 0.602]\\npred:\\n`, and its answer `[0.548 0.602 0.715]\\n\\n`. Questions are \
answered for all thirty algorithms however the task is configured, with up to 256 numbers in a list, and numbers may \
have any number of decimals. A question with a trace of states is refused.

Inputs follow the laws of the benchmark's samplers and answers its conventions: ties, rounded sums, orientation of \
pointers, padding. Where it sorts with an order of equal keys that depends on the machine (`activity_selector`, \
`task_scheduling`, `dijkstra`, `graham_scan`, `mst_kruskal`, `mst_prim`), answers follow NumPy's portable code and the checker accepts any order.

Sizes are the published ones and differ from one algorithm to the other: some are trained at sizes 4 and 5 alone, \
others up to 31, and are evaluated up to 64. The mixture trains on all pairs of an algorithm and one of its sizes, \
equally often. It is evaluated at every size on all algorithms that are trained or evaluated at it, and what is in \
range, between or beyond is told for each instance by the sizes that its own algorithm is trained at: `bridges` at 6 \
is beyond, although others are trained at 10. Training sizes are in range even where the published evaluation ends \
before them. The paper merges algorithms that coincide without traces to 23 tasks; `merge` does so. The instances of \
`segments_intersect` are the same at every size, so all of them are in range.

What is held out: inputs as a whole, for all algorithms that the paper merges at once. Sorting, searching and the \
like depend on the order of numbers alone, and few numbers have few orders: 4 keys have 24, of which training sees \
all, so that their evaluation tests other numbers, not other orders. Inputs of 4 letters for a matcher have 8 patterns \
but for the names of the letters, and the same holds.

The complexity `settled` is the step of the algorithm in which an entry of the answer took its final value, where a \
step is what the benchmark shows in one snapshot of a trace.",
    reference: "The CLRS-Text Algorithmic Reasoning Language Benchmark, arXiv 2406.04229; dm-clrs 2.0.3",
    licence: "generated; no restriction",
    parameters: PARAMETERS,
    build,
};

struct Clrs {
    settings: Settings,
    spec: TaskSpec,
}

fn build(parameters: &Parameters) -> Result<Box<dyn Task>> {
    let settings = Settings::new(parameters)?;
    let spec = TaskSpec {
        vocabulary: tokens::vocabulary(),
        size: Some(settings.knob.clone()),
        supervision: Supervision::NextToken,
        features: FEATURES.to_vec(),
        complexities: COMPLEXITIES.to_vec(),
        headline: "settled",
    };
    Ok(Box::new(Clrs { settings, spec }))
}

impl Task for Clrs {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn draw(&self, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
        admit_size(NAME, &self.settings.knob, size)?;
        let row = *stream.choose(self.settings.at(size)?);
        write(row, size, stream, instance)
    }

    fn training_size(&self, stream: &mut Stream) -> u32 {
        self.settings.training_size(stream)
    }

    fn draw_training(&self, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
        admit_size(NAME, &self.settings.knob, size)?;
        let row = *stream.choose(self.settings.trained_at(size)?);
        write(row, size, stream, instance)
    }

    fn token_size(&self, size: u32, instance: &Instance, _token: usize) -> TokenSize {
        self.settings.token_size(size, instance.question.split(':').next().unwrap_or_default())
    }

    fn answer(&self, text: &str) -> Result<String> {
        let (row, input) = question::read(text)?;
        let trace = solve(row.algorithm, &input).map_err(|error| after_name(error, row))?;
        let mut answered = String::new();
        answer::write(&mut answered, row, &input, &trace.entries);
        Ok(answered)
    }

    fn check(&self, text: &str, given: &str) -> Result<Verdict> {
        let (row, input) = question::read(text)?;
        Ok(check::check(row, &input, given).map_or_else(Verdict::wrong, |()| Verdict::valid()))
    }

    fn guesses(&self, training: &[Instance]) -> Vec<Box<dyn Guess + '_>> {
        let mut guesses = trivial(training);
        guesses.push(Box::new(guess::most_frequent(training)));
        guesses.push(Box::new(guess::random()));
        guesses
    }
}

/// The canonical text, which all variants of a task share for an input; `given` is the question after the algorithm's
/// name.
fn canonical(row: &Row, given: &str) -> String {
    let mut text = format!("{}{given}", row.merged);
    // Truncation keeps the sign of a small negative number.
    for end in [' ', ']'] {
        let signed = format!("-0.0{end}");
        if text.contains(&signed) {
            text = text.replace(&signed, &signed[1..]);
        }
    }
    text
}

/// Errors about a whole input point at its start.
fn after_name(error: Error, row: &Row) -> Error {
    match error {
        Error::Malformed { text, message, .. } => Error::Malformed { text, position: row.name.len() + 3, message },
        other => other,
    }
}

fn write(row: &Row, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
    let input = sample(row.algorithm, size as usize, stream)?;
    let trace = solve(row.algorithm, &input)?;
    let mut text = String::with_capacity(crate::limits::longest(row, size as usize));
    question::write(&mut text, row, &input);
    let question = text.len();
    let mut entries = answer::write(&mut text, row, &input, &trace.entries);
    // The texts are ASCII, so bytes are characters, and `<bos>` precedes them.
    entries.iter_mut().for_each(|entry| *entry = entry.start + 1..entry.end + 1);
    let tokens = tokens::encode(&text);
    let measured =
        Measured { row, size, input: &input, trace: &trace, question, entries: &entries, tokens: tokens.len() };
    let answer = text.split_off(question);
    // Merged variants have the same problems: training on one must not see the evaluation problems of another.
    let given = text.strip_prefix(row.name).unwrap_or(&text);
    *instance = Instance {
        targets: None,
        loss_mask: (0..tokens.len()).map(|place| place > question).collect(),
        complexities: measured.complexities(),
        features: measured.features(),
        canonical: Some(canonical(row, given)),
        problem: None,
        graded_from: 0,
        question: text,
        answer,
        tokens,
    };
    Ok(())
}
