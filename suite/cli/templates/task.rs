//! `{{name}}`: the parity of N bits.

use haltbench_sdk::prelude::*;
use haltbench_sdk::task::{Columns, admit_size};
use haltbench_sdk_dylib as _; // the one shared copy of candle and the registry

const DECLARATION: TaskDeclaration = TaskDeclaration {
    name: "{{name}}",
    summary: "The parity of N bits: one answer token after the question.",
    documentation: "## What it asks\n\n`1 0 1 = 0`: is the number of ones odd?\n\n\
                    ## Complexity\n\n`ones`: how often the parity changes while the bits are read.\n\n\
                    ## What is held out\n\nWhole questions: no question of the evaluation occurs in training.",
    reference: "an example; compare Hahn 2020, Transactions of the ACL 8, parity",
    licence: "CC0-1.0",
    parameters: &[],
    build: |_| Ok(Box::new(MyTask(spec()))),
};

haltbench_sdk::register_task!(DECLARATION);

/// The token `=`, after the words `0` and `1`.
const EQUALS: u32 = 2;

struct MyTask(TaskSpec);

fn spec() -> TaskSpec {
    TaskSpec {
        vocabulary: ["0", "1", "="].map(str::to_owned).to_vec(),
        size: Some(SizeKnob {
            name: "N",
            minimum: 2,
            maximum: 24,
            training: vec![6, 8, 10],
            between: vec![7, 9],
            beyond: vec![12, 14],
        }),
        // Each token is predicted from the position before.
        supervision: Supervision::NextToken,
        features: vec![FeatureSpec {
            name: "position",
            kind: FeatureKind::Static,
            documentation: "Number of tokens before this one.",
        }],
        complexities: vec![ComplexitySpec { name: "ones", documentation: "Ones in the question." }],
        headline: "ones",
    }
}

/// The bits of a question.
fn read(question: &str) -> Result<Vec<u32>> {
    let bit = |(index, word): (usize, &str)| match word {
        "0" => Ok(0),
        "1" => Ok(1),
        _ => Err(Error::malformed(index + 1, format!("expected a bit, found `{word}`"))),
    };
    let bits: Vec<u32> = question.split_whitespace().enumerate().map(bit).collect::<Result<_>>()?;
    if bits.is_empty() { Err(Error::malformed(1, "expected a bit, found nothing")) } else { Ok(bits) }
}

impl Task for MyTask {
    fn spec(&self) -> &TaskSpec {
        &self.0
    }

    /// Draws an instance; all arrays have one entry for each token, the answer among them.
    fn draw(&self, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
        if let Some(knob) = &self.0.size {
            admit_size("{{name}}", knob, size)?;
        }
        let bits: Vec<u32> = (0..size).map(|_| stream.below(2) as u32).collect();
        let ones: u32 = bits.iter().sum();
        let (answer, length) = (bits.len() + 1, bits.len() + 2);
        let mut complexities = Columns::undefined(1, answer..length);
        complexities.write(answer, 0, &[ones as f32]);
        let mut features = Columns::undefined(1, 0..length);
        (0..length).for_each(|token| features.write(token, 0, &[token as f32]));
        *instance = Instance {
            question: bits.iter().map(u32::to_string).collect::<Vec<_>>().join(" "),
            answer: (ones % 2).to_string(),
            tokens: [&bits[..], &[EQUALS, ones % 2]].concat(),
            loss_mask: (0..length).map(|token| token == answer).collect(),
            complexities,
            features,
            ..Instance::default()
        };
        Ok(())
    }

    /// Solves a question that somebody else wrote.
    fn answer(&self, question: &str) -> Result<String> {
        Ok((read(question)?.iter().sum::<u32>() % 2).to_string())
    }

    /// Decides whether an answer is right, by another method than the one that made it.
    fn check(&self, question: &str, answer: &str) -> Result<Verdict> {
        let is_odd = read(question)?.iter().fold(false, |odd, bit| odd != (*bit == 1));
        let expected = if is_odd { "1" } else { "0" };
        let is_right = answer.split_whitespace().eq([expected]);
        Ok(if is_right { Verdict::valid() } else { Verdict::wrong(format!("expected {expected}, found `{answer}`")) })
    }
}

#[cfg(test)]
mod tests {
    /// Are its grids, instances, answers and columns what its declaration promises?
    #[test]
    fn conforms() {
        haltbench_sdk::conformance::check_task(&super::DECLARATION);
    }
}
