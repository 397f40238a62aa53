//! Random levelled grammars, drawn as in "Physics of Language Models": numbers of alternatives, lengths and symbols are
//! uniform.

use std::ops::RangeInclusive;

use haltbench_sdk::random::Stream;
use haltbench_sdk::{Error, Result};

use crate::grammar::{Grammar, Rule};

/// Attempts to draw one level with all of its children reachable and all alternatives distinct.
const ATTEMPTS: usize = 1000;

/// The shape of a random grammar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Level of the terminals.
    pub depth: usize,
    /// Number of non-terminals per level below the root.
    pub symbols: usize,
    /// Number of terminals.
    pub terminals: usize,
    /// Number of alternatives of a non-terminal.
    pub alternatives: RangeInclusive<usize>,
    /// Number of symbols of an alternative.
    pub children: RangeInclusive<usize>,
    /// Whether no symbol occurs twice in one alternative.
    pub distinct_children: bool,
    /// Whether all alternatives of a level differ; alternatives of one symbol always differ.
    pub distinct_alternatives: bool,
}

/// Draws a grammar. Levels are redrawn until every symbol of the next one is reachable.
///
/// # Errors
/// [`Error::Invalid`] if the shape is too small for this.
pub fn draw(shape: &Shape, stream: &mut Stream) -> Result<Grammar> {
    let mut rules = Vec::new();
    for level in 0..shape.depth {
        let symbols = if level == 0 { 1 } else { shape.symbols };
        let below = if level + 1 == shape.depth { shape.terminals } else { shape.symbols };
        let words = draw_level(shape, symbols, below, stream).map_err(|lack| {
            let children = if level + 1 == shape.depth { "terminals" } else { "symbols" };
            let expected = match lack {
                Lack::Reach => format!(
                    "a shape that lets every symbol be reached: fewer `{children}`, or more `maximum_alternatives` or \
                     `maximum_children`"
                ),
                Lack::Words => format!(
                    "a shape with enough distinct alternatives: fewer `maximum_alternatives`, more `{children}` or \
                     `maximum_children`, or no `distinct_alternatives` or `distinct_children`"
                ),
            };
            Error::invalid("sampled grammar", expected, format!("none for level {level} in {ATTEMPTS} draws"))
        })?;
        for (symbol, alternatives) in words.into_iter().enumerate() {
            let named = |word: Vec<usize>| word.into_iter().map(|child| name(shape, level + 1, child)).collect();
            rules.push(Rule {
                line: rules.len() + 1,
                left: name(shape, level, symbol),
                alternatives: alternatives.into_iter().map(named).collect(),
            });
        }
    }
    let terminals = (0..shape.terminals).map(|place| name(shape, shape.depth, place)).collect();
    Grammar::new("sampled grammar", terminals, &rules)
}

/// `S` at the root, `A0`, `A1`, ... below it, then `B0`, ...; terminals are `1`, `2`, ...
fn name(shape: &Shape, level: usize, symbol: usize) -> String {
    match level {
        0 => "S".to_owned(),
        level if level == shape.depth => (symbol + 1).to_string(),
        level => format!("{}{symbol}", char::from(b'A' + (level - 1) as u8)),
    }
}

/// Why a level cannot be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    /// Too few distinct alternatives: no attempt found all that it needs.
    Words,
    /// Alternatives too small: every attempt left out some symbol of the next level.
    Reach,
}

/// The alternatives of every symbol of a level.
fn draw_level(shape: &Shape, symbols: usize, below: usize, stream: &mut Stream) -> Result<Vec<Vec<Vec<usize>>>, Lack> {
    let mut lack = Lack::Words;
    let found = (0..ATTEMPTS).find_map(|_| {
        let mut level = Vec::new();
        let mut used = Vec::new();
        for _ in 0..symbols {
            if !shape.distinct_alternatives {
                used.clear();
            }
            let count = within(&shape.alternatives, stream);
            let words: Option<Vec<_>> = (0..count).map(|_| draw_word(shape, below, &mut used, stream)).collect();
            level.push(words?);
        }
        lack = Lack::Reach;
        let reached = |child: usize| level.iter().flatten().flatten().any(|found| *found == child);
        (0..below).all(reached).then_some(level)
    });
    found.ok_or(lack)
}

/// One alternative; `used` holds alternatives that may not be drawn again.
fn draw_word(shape: &Shape, below: usize, used: &mut Vec<Vec<usize>>, stream: &mut Stream) -> Option<Vec<usize>> {
    (0..ATTEMPTS).find_map(|_| {
        let length = within(&shape.children, stream);
        let word: Vec<usize> = (0..length).map(|_| stream.below(below as u64) as usize).collect();
        let repeats = (1..length).any(|place| word[..place].contains(&word[place]));
        let known = used.contains(&word);
        if known || (shape.distinct_children && repeats) {
            return None;
        }
        used.push(word.clone());
        Some(word)
    })
}

fn within(range: &RangeInclusive<usize>, stream: &mut Stream) -> usize {
    range.start() + stream.below((range.end() - range.start() + 1) as u64) as usize
}
