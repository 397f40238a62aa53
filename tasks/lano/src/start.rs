//! Number of terminals that determine a string's problem. Strings share their first tokens, so training holds out whole
//! starts, which must be long enough for many different ones.

use crate::grammar::Terminal;
use crate::language::Language;

/// Largest share of strings with the same start. At least 200 starts are therefore split between training and
/// evaluation, and the held-out share of strings has a standard deviation of at most √(1/200 · 7/64), which is 2.3 %.
const GREATEST_SHARE: f64 = 1.0 / 200.0;

/// The shortest length for which no start begins more strings than [`GREATEST_SHARE`], at most the length of the
/// shortest string.
pub fn length(language: &Language) -> usize {
    let (shortest, _) = language.grammar.extreme_lengths();
    let mut length = 0;
    // Too frequent starts of this length, with their shares: fewer than 200 at any length.
    let mut frequent = vec![(language.parser(), 1.0)];
    let mut next = vec![0.0; language.outcomes()];
    while length < shortest && !frequent.is_empty() {
        let mut longer = Vec::new();
        for (parser, share) in &frequent {
            parser.next_token(&mut next);
            for (terminal, probability) in next[..language.end()].iter().enumerate() {
                if share * probability > GREATEST_SHARE {
                    let mut parser = parser.clone();
                    parser.advance(terminal as Terminal);
                    longer.push((parser, share * probability));
                }
            }
        }
        frequent = longer;
        length += 1;
    }
    length
}
