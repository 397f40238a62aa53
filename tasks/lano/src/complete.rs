//! The solver: completes a prefix with the most probable token again and again.

use haltbench_sdk::Result;

use crate::grammar::Terminal;
use crate::language::Language;
use crate::words;

/// A string of the language that starts like `question`, without that start. Of equally probable tokens the first of
/// the vocabulary is taken, and a string ends where ending is at least as probable as any token.
///
/// # Errors
/// [`Error::Malformed`](haltbench_sdk::Error::Malformed) at the first token after which no string continues.
pub fn complete(language: &Language, question: &str) -> Result<Vec<Terminal>> {
    let (prefix, read) = words::read(&language.grammar, question);
    let mut parser = language.parser();
    let mut distribution = vec![0.0; language.outcomes()];
    parser.next_token(&mut distribution);
    for (index, terminal) in prefix.iter().enumerate() {
        if distribution[usize::from(*terminal)] <= 0.0 {
            return Err(words::malformed(index + 1, unexpected(language, &distribution, *terminal)));
        }
        parser.advance(*terminal);
        parser.next_token(&mut distribution);
    }
    read?;
    let mut completion = Vec::new();
    while let Some(terminal) = most_probable(&distribution) {
        completion.push(terminal);
        parser.advance(terminal);
        if !parser.next_token(&mut distribution) {
            break;
        }
    }
    Ok(completion)
}

/// The first of the most probable terminals; `None` if the end is as probable.
fn most_probable(distribution: &[f64]) -> Option<Terminal> {
    let (end, terminals) = distribution.split_last()?;
    let best = terminals.iter().copied().fold(*end, f64::max);
    let place = terminals.iter().position(|probability| *probability >= best)?;
    (best > *end).then_some(place as Terminal)
}

fn unexpected(language: &Language, distribution: &[f64], terminal: Terminal) -> String {
    let grammar = &language.grammar;
    let known = grammar.terminals().iter().zip(distribution).filter(|(_, probability)| **probability > 0.0);
    let mut expected: Vec<String> = known.map(|(word, _)| format!("`{word}`")).collect();
    if distribution[language.end()] > 0.0 {
        expected.push("the end".to_owned());
    }
    let found = &grammar.terminals()[usize::from(terminal)];
    format!("no string of the language continues like this: expected {}, found `{found}`", expected.join(" or "))
}
