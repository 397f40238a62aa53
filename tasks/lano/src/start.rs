//! How much of a string names its problem. Strings share their first tokens, so what is held out are starts, and they have
//! to be long enough for many different ones.

use crate::grammar::Terminal;
use crate::language::Language;

/// No start may begin more strings than this share of all. So at least 200 starts are split between training and
/// evaluation, and the share of strings that is held out has a standard deviation of at most √(1/200 · 7/64), which is 2.3 %.
const GREATEST_SHARE: f64 = 1.0 / 200.0;

/// The fewest terminals of which no choice begins more strings than [`GREATEST_SHARE`], at most those of the shortest
/// string.
pub fn length(language: &Language) -> usize {
    let (shortest, _) = language.grammar.extreme_lengths();
    let mut length = 0;
    // The starts of this length that are too frequent, with their shares: fewer than 200 at any length.
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
