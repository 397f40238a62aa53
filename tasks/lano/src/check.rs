//! The checker: membership by the Earley recogniser, the probability by spans in log space.

use haltbench_sdk::Result;
use haltbench_sdk::error::shorten;
use haltbench_sdk::task::Verdict;

use crate::earley::{Finding, recognise};
use crate::grammar::{Grammar, Terminal};
use crate::judge::{INVALID, VALID};
use crate::{spans, words};

/// Half of an answer's last digit, plus the rounding of long sums.
const TOLERANCE: f64 = 2e-6;

/// Checks a judgement.
///
/// # Errors
/// [`Error::Malformed`](haltbench_sdk::Error::Malformed) at the first word of the question that is not a terminal.
pub fn judgement(grammar: &Grammar, question: &str, answer: &str) -> Result<Verdict> {
    let string = words::read(grammar, question)?;
    let found: Vec<&str> = answer.split_whitespace().collect();
    let position = match recognise(grammar, &string) {
        Finding::Complete => return Ok(probability(grammar, &string, &found)),
        Finding::Incomplete => string.len() + 1,
        Finding::Stuck(place) => place + 1,
    };
    let expected = format!("{INVALID} {position}");
    Ok(if found.join(" ") == expected { Verdict::valid() } else { differs(&expected, &found) })
}

/// Whether the answer for a string of the language has its probability.
fn probability(grammar: &Grammar, string: &[Terminal], found: &[&str]) -> Verdict {
    let exact = spans::ln_probability(grammar, string);
    let near = |number: f64| (number - exact).abs() <= TOLERANCE.max(1e-9 * exact.abs());
    match found {
        [VALID, number] if plain(number) && number.parse().is_ok_and(near) => Verdict::valid(),
        _ => differs(&format!("{VALID} {exact:.6}"), found),
    }
}

/// Whether a number has only digits, a point and a sign.
fn plain(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.bytes().all(|byte| b"0123456789.".contains(&byte))
}

fn differs(expected: &str, found: &[&str]) -> Verdict {
    let found = match found {
        [] => "nothing".to_owned(),
        words => format!("`{}`", shorten(&words.join(" "))),
    };
    Verdict::wrong(format!("expected `{expected}`, found {found}"))
}
