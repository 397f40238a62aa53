//! The notation of grammar files.
//!
//! One line lists the terminals, every other line is a rule. The first rule is the root's, all alternatives of a symbol
//! are equally likely, and `#` starts a comment:
//!
//! ```text
//! terminals 1 2
//! S -> A B | B A B
//! A -> 1 2 | 2 1
//! B -> 1 1 | 2 2 1
//! ```

use haltbench_sdk::{Error, Result};

use crate::grammar::{Grammar, Rule};

/// First word of the line of terminals.
const TERMINALS: &str = "terminals";

/// Words that are not allowed as names.
const RESERVED: [&str; 6] = [TERMINALS, "->", "|", "<bos>", "<eos>", "#"];

/// Reads a grammar; errors call it `source`.
///
/// # Errors
/// [`Error::Invalid`] with the invalid line.
pub fn read(source: &str, text: &str) -> Result<Grammar> {
    let mut terminals: Option<Vec<String>> = None;
    let mut rules = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let at = Line { source, number: index + 1 };
        let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            [TERMINALS, rest @ ..] => {
                if terminals.is_some() {
                    return Err(at.wrong("one line of terminals", "a second one"));
                }
                terminals = Some(at.terminals(rest)?);
            }
            [left, "->", right @ ..] => {
                let alternatives = at.alternatives(right)?;
                rules.push(Rule { line: at.number, left: at.name(left)?, alternatives });
            }
            _ => {
                let expected = "`terminals WORD ...` or `SYMBOL -> SYMBOL ... | SYMBOL ...`";
                return Err(at.wrong(expected, format!("`{}`", words.join(" "))));
            }
        }
    }
    let terminals = terminals.ok_or_else(|| Error::invalid(source, "a line `terminals WORD ...`", "none"))?;
    Grammar::new(source, terminals, &rules)
}

/// Writes a grammar as text that [`read`] parses back.
pub fn write(grammar: &Grammar) -> String {
    let name = |symbol: &usize| match grammar.terminal(*symbol) {
        Some(terminal) => grammar.terminals()[usize::from(terminal)].as_str(),
        None => grammar.names()[*symbol].as_str(),
    };
    let mut text = format!("{TERMINALS} {}\n", grammar.terminals().join(" "));
    for symbol in 0..grammar.nonterminals() {
        let alternatives = grammar.alternatives(symbol).iter();
        let words: Vec<String> = alternatives.map(|word| word.iter().map(name).collect::<Vec<_>>().join(" ")).collect();
        text.push_str(&format!("{} -> {}\n", name(&symbol), words.join(" | ")));
    }
    text
}

/// A line of a grammar file.
struct Line<'a> {
    source: &'a str,
    number: usize,
}

impl Line<'_> {
    fn wrong(&self, expected: &str, found: impl ToString) -> Error {
        Error::invalid(format!("{}, line {}", self.source, self.number), expected, found)
    }

    fn name(&self, word: &str) -> Result<String> {
        if RESERVED.contains(&word) {
            return Err(self.wrong("a symbol", format!("`{word}`")));
        }
        Ok(word.to_owned())
    }

    fn terminals(&self, words: &[&str]) -> Result<Vec<String>> {
        let mut terminals = Vec::new();
        for word in words {
            let name = self.name(word)?;
            if terminals.contains(&name) {
                return Err(self.wrong("distinct terminals", format!("`{name}` twice")));
            }
            terminals.push(name);
        }
        Ok(terminals)
    }

    fn alternatives(&self, words: &[&str]) -> Result<Vec<Vec<String>>> {
        let alternative = |words: &[&str]| words.iter().map(|word| self.name(word)).collect::<Result<Vec<_>>>();
        words.split(|word| *word == "|").map(alternative).collect()
    }
}
