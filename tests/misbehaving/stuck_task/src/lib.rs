//! `stuck`: the parity of eight bits, a task that hangs where the variable `HALTBENCH_STUCK` says: `build` or `draw`, in
//! every process or in those of one command, as in `draw audit`. Before it hangs, it makes the file that
//! `HALTBENCH_STUCK_SIGN` names. Without the variable it is well behaved.

use std::env;
use std::fs;
use std::thread;
use std::time::Duration;

use haltbench_sdk::prelude::*;
use haltbench_sdk::task::Columns;
use haltbench_sdk_dylib as _;

/// Declaration of the task.
pub const DECLARATION: TaskDeclaration = TaskDeclaration {
    name: "stuck",
    summary: "Hangs on purpose, for tests of the suite.",
    documentation: "## What it asks\n\n`1 0 1 1 0 0 1 0 = 0`: is the number of ones odd?\n\n\
                    ## Complexity\n\n`ones`: how often the parity changes while the bits are read.\n\n\
                    ## What is held out\n\nWhole questions.",
    reference: "tests of the suite",
    licence: "CC0-1.0",
    parameters: &[],
    build: |_| {
        hang_at("build");
        Ok(Box::new(Stuck(spec())))
    },
};

haltbench_sdk::register_task!(DECLARATION);

/// Bits of a question.
const BITS: usize = 8;

/// The token `=`, after the words `0` and `1`.
const EQUALS: u32 = 2;

struct Stuck(TaskSpec);

fn spec() -> TaskSpec {
    TaskSpec {
        vocabulary: ["0", "1", "="].map(str::to_owned).to_vec(),
        size: None,
        supervision: Supervision::NextToken,
        features: Vec::new(),
        complexities: vec![ComplexitySpec { name: "ones", documentation: "Ones in the question." }],
        headline: "ones",
    }
}

/// Never returns if the task is to hang here. It uses no CPU.
fn hang_at(place: &str) {
    let wanted = env::var("HALTBENCH_STUCK").unwrap_or_default();
    let (wanted, command) = wanted.split_once(' ').unwrap_or((&wanted, ""));
    let is_meant = command.is_empty() || env::args().nth(1).is_some_and(|own| own == command);
    if wanted != place || !is_meant {
        return;
    }
    if let Some(sign) = env::var_os("HALTBENCH_STUCK_SIGN") {
        let _ = fs::write(sign, place);
    }
    loop {
        thread::sleep(Duration::from_secs(60));
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

impl Task for Stuck {
    fn spec(&self) -> &TaskSpec {
        &self.0
    }

    fn draw(&self, _: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
        hang_at("draw");
        let bits: Vec<u32> = (0..BITS).map(|_| stream.below(2) as u32).collect();
        let ones: u32 = bits.iter().sum();
        let (answer, length) = (BITS + 1, BITS + 2);
        let mut complexities = Columns::undefined(1, answer..length);
        complexities.write(answer, 0, &[ones as f32]);
        *instance = Instance {
            question: bits.iter().map(u32::to_string).collect::<Vec<_>>().join(" "),
            answer: (ones % 2).to_string(),
            tokens: [&bits[..], &[EQUALS, ones % 2]].concat(),
            loss_mask: (0..length).map(|token| token == answer).collect(),
            complexities,
            features: Columns::undefined(0, 0..length),
            ..Instance::default()
        };
        Ok(())
    }

    fn answer(&self, question: &str) -> Result<String> {
        Ok((read(question)?.iter().sum::<u32>() % 2).to_string())
    }

    fn check(&self, question: &str, answer: &str) -> Result<Verdict> {
        let is_odd = read(question)?.iter().fold(false, |odd, bit| odd != (*bit == 1));
        let expected = if is_odd { "1" } else { "0" };
        let is_right = answer.split_whitespace().eq([expected]);
        Ok(if is_right { Verdict::valid() } else { Verdict::wrong(format!("expected {expected}, found `{answer}`")) })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn conforms_while_it_does_not_hang() {
        haltbench_sdk::conformance::check_task(&super::DECLARATION);
    }
}
