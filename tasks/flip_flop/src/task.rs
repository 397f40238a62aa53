//! The task `flip-flop`: instructions with bits, an answer at the bit of every read.

use haltbench_sdk::Result;
use haltbench_sdk::parameters::Parameters;
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::guess::{self, Guess};
use haltbench_sdk::task::{Instance, Supervision, Task, TaskDeclaration, TaskSpec, TokenSize, Verdict, admit_size};

use crate::columns::{COMPLEXITIES, FEATURES, LAG, bit_token, fill};
use crate::guess::preceding_bit;
use crate::instruction::Operation;
use crate::program::Program;
use crate::settings::{NAME, PARAMETERS, Settings};
use crate::{check, solve};

const BOS: &str = "<bos>";

/// Words of the bits.
const BITS: [&str; 2] = ["0", "1"];

/// Instructions at the start of a sequence that name its problem.
const START: usize = 8;

/// Declaration of the task.
pub const DECLARATION: TaskDeclaration = TaskDeclaration {
    name: NAME,
    summary: "The bit that was written last, among distractors: a control of constant depth; longest lag L",
    documentation: "\
Reads a memory of one bit that instructions write, read or leave alone.

The sequence is `<bos>`, then `instructions` instructions, each a token `w`, `r` or `i` and a bit. The bit after `w` is \
stored, the bit after `i` is a distractor, the bit after `r` is the one that was stored last. The first instruction is \
a write, the last a read. The bits of reads are under the loss; all others are drawn at random, so nothing could \
predict them.

This is a control of constant depth: every answer takes one look-up, however long ago the bit was written. Depth that \
grows with `lag` or `distractors` follows the difficulty of finding the right token, not a chain of computations.

An instruction is an ignore with `ignore_probability`, a write or a read with equal probability, independent of the \
others. A sequence of size L is one of these given that the longest lag of its reads is exactly L; it is drawn from \
this law exactly, nothing is rejected. With `maximum_lag` one less than `instructions` and `size_law = \"sampler\"` \
training draws the published law itself.

Equal lengths: all sequences have the same number of tokens, whatever their size, so length says nothing about \
difficulty, and lags are mixed in every sequence. All sizes use the same tokens.

The size of an answer is its lag. In a sequence with a longer lag than those trained on, only the answers of longer \
lags are beyond training; the others are embedded: their lags were trained on. That holds for sizes left out by `skip` \
too.

What is held out: the first 8 instructions with their bits. Reads are graded from the ninth instruction on, because \
training sees all contexts before. The bits that a later read depends on, a write and what follows it, occur in \
training.

A question is the instructions without the bits of reads, as in `w 0 i 1 r w 1 i 0 r`; the answer lists these bits, \
`0 1`.",
    reference: "Liu et al., Exposing Attention Glitches with Flip-Flop Language Modeling, arXiv 2306.00946, \
                definition 1 and FFL(p); sizes by lag are Haltbench's",
    licence: "generated; no restriction",
    parameters: PARAMETERS,
    build,
};

struct FlipFlop {
    settings: Settings,
    spec: TaskSpec,
}

fn build(parameters: &Parameters) -> Result<Box<dyn Task>> {
    let settings = Settings::new(parameters)?;
    let operations = Operation::ALL.into_iter().map(Operation::word);
    let spec = TaskSpec {
        vocabulary: [BOS].into_iter().chain(operations).chain(BITS).map(str::to_owned).collect(),
        size: Some(settings.knob.clone()),
        supervision: Supervision::NextToken,
        features: FEATURES.to_vec(),
        complexities: COMPLEXITIES.to_vec(),
        headline: "lag",
    };
    Ok(Box::new(FlipFlop { settings, spec }))
}

impl Task for FlipFlop {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn draw(&self, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
        let Settings { knob, instructions, law, .. } = &self.settings;
        admit_size(NAME, knob, size)?;
        let mut program = Program::default();
        law.draw(size as usize, *instructions, stream, &mut program.operations);
        program.draw_bits(stream);
        write(&program, instance);
        Ok(())
    }

    fn training_size(&self, stream: &mut Stream) -> u32 {
        self.settings.training_size(stream)
    }

    /// Training has reads of every lag up to its largest size, skipped sizes included.
    fn token_size(&self, size: u32, instance: &Instance, token: usize) -> TokenSize {
        // Undefined, which counts as 0, if the token is not the bit of a read.
        self.settings.knob.part(size, instance.complexities.get(LAG, token) as u32)
    }

    fn answer(&self, question: &str) -> Result<String> {
        solve::answer(question)
    }

    fn check(&self, question: &str, answer: &str) -> Result<Verdict> {
        check::check(question, answer)
    }

    fn guesses(&self, training: &[Instance]) -> Vec<Box<dyn Guess + '_>> {
        let mut guesses = guess::trivial(training);
        guesses.push(Box::new(preceding_bit()));
        guesses
    }
}

fn write(program: &Program, instance: &mut Instance) {
    let Instance {
        tokens,
        targets,
        loss_mask,
        complexities,
        features,
        question,
        answer,
        canonical,
        problem,
        graded_from,
    } = instance;
    (*targets, *canonical, *graded_from) = (None, None, bit_token(START - 1) + 1);
    tokens.clear();
    tokens.push(0);
    loss_mask.clear();
    loss_mask.push(false);
    question.clear();
    answer.clear();
    for (place, (operation, bit)) in program.iter().enumerate() {
        let is_read = operation == Operation::Read;
        tokens.extend([1 + operation as u32, 1 + Operation::ALL.len() as u32 + u32::from(bit)]);
        loss_mask.extend([false, is_read]);
        append(question, operation.word());
        append(if is_read { answer } else { question }, BITS[usize::from(bit)]);
        if place + 1 == START {
            *problem = Some(question.len());
        }
    }
    fill(program, [complexities, features]);
}

/// Appends a word.
fn append(text: &mut String, word: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(word);
}
