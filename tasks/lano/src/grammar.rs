//! Levelled grammars: every derivation tree has the same height, because all children of a symbol are one level below
//! it.

use std::collections::BTreeMap;

use haltbench_sdk::{Error, Result};

/// Allowed lengths of an alternative.
pub const ALTERNATIVE_LENGTHS: std::ops::RangeInclusive<usize> = 2..=6;

/// The depth of the deepest allowed grammar, up to which column names are fixed.
pub const DEEPEST: usize = 12;

/// Largest length of a grammar's strings.
const LONGEST: usize = 20_000;

/// Largest number of symbols of a grammar.
const SYMBOLS: usize = 250;

/// A terminal's index in [`Grammar::terminals`].
pub type Terminal = u8;

/// A rule as written: a symbol and its alternatives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its line in the text.
    pub line: usize,
    /// The symbol on its left.
    pub left: String,
    /// The symbol's alternatives, all equally likely.
    pub alternatives: Vec<Vec<String>>,
}

/// A levelled probabilistic context-free grammar.
///
/// Symbols have numbers: the root is 0, the other non-terminals follow level by level, then the terminals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grammar {
    terminals: Vec<String>,
    names: Vec<String>,
    levels: Vec<usize>,
    alternatives: Vec<Vec<Vec<usize>>>,
    depth: usize,
}

impl Grammar {
    /// Builds a grammar from `rules`, with the root's rule first; errors call it `source`.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the line: a symbol that is undefined, defined twice, unreachable, part of a cycle or at
    /// two levels, or an alternative of a wrong length.
    pub fn new(source: &str, terminals: Vec<String>, rules: &[Rule]) -> Result<Self> {
        let draft = Draft { source, terminals: &terminals, rules };
        draft.check_names()?;
        draft.check_cycles()?;
        let level = draft.levels()?;
        // A stable sort, so that symbols of a level stay in text order.
        let mut order: Vec<&Rule> = rules.iter().collect();
        order.sort_by_key(|rule| level[rule.left.as_str()]);
        let names: Vec<String> = order.iter().map(|rule| rule.left.clone()).collect();
        let number: BTreeMap<&str, usize> =
            names.iter().chain(&terminals).enumerate().map(|(number, name)| (name.as_str(), number)).collect();
        let alternatives = order
            .iter()
            .map(|rule| rule.alternatives.iter().map(|word| word.iter().map(|name| number[name.as_str()]).collect()))
            .map(Iterator::collect)
            .collect();
        let levels = order.iter().map(|rule| level[rule.left.as_str()]).collect();
        let depth = level[terminals[0].as_str()];
        let grammar = Self { levels, alternatives, depth, names, terminals };
        let (_, longest) = grammar.extreme_lengths();
        if longest > LONGEST {
            let expected = format!("strings of at most {LONGEST} tokens");
            return Err(Error::invalid(source, expected, format!("strings of up to {longest}")));
        }
        Ok(grammar)
    }

    /// Words of the terminals.
    pub fn terminals(&self) -> &[String] {
        &self.terminals
    }

    /// Names of the non-terminals.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of non-terminals.
    pub fn nonterminals(&self) -> usize {
        self.names.len()
    }

    /// The level of the terminals; the root's is 0.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The level of a symbol.
    pub fn level(&self, symbol: usize) -> usize {
        self.levels.get(symbol).copied().unwrap_or(self.depth)
    }

    /// The alternatives of a non-terminal; terminals have none.
    pub fn alternatives(&self, symbol: usize) -> &[Vec<usize>] {
        self.alternatives.get(symbol).map_or(&[], Vec::as_slice)
    }

    /// The terminal that a symbol is.
    pub fn terminal(&self, symbol: usize) -> Option<Terminal> {
        symbol.checked_sub(self.names.len()).map(|place| place as Terminal)
    }

    /// Lengths of the shortest and the longest string.
    pub fn extreme_lengths(&self) -> (usize, usize) {
        let symbols = self.names.len() + self.terminals.len();
        let mut lengths = vec![(1usize, 1usize); symbols];
        // Children have higher numbers than their parents.
        for symbol in (0..self.names.len()).rev() {
            let alternatives = self.alternatives[symbol].iter().map(|word| {
                word.iter().fold((0usize, 0usize), |(short, long), child| {
                    (short.saturating_add(lengths[*child].0), long.saturating_add(lengths[*child].1))
                })
            });
            lengths[symbol] =
                alternatives.reduce(|left, right| (left.0.min(right.0), left.1.max(right.1))).unwrap_or((1, 1));
        }
        lengths[0]
    }
}

/// A grammar that is not yet validated.
struct Draft<'a> {
    source: &'a str,
    terminals: &'a [String],
    rules: &'a [Rule],
}

impl Draft<'_> {
    fn wrong(&self, line: usize, expected: impl Into<String>, found: impl ToString) -> Error {
        Error::invalid(format!("{}, line {line}", self.source), expected, found)
    }

    fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.left == name)
    }

    /// Checks that every name is defined once, and that every alternative has an allowed length and occurs once.
    fn check_names(&self) -> Result<()> {
        if self.rules.is_empty() || self.terminals.is_empty() {
            let expected = "a line of terminals and at least one rule";
            let found = format!("{} terminals and {} rules", self.terminals.len(), self.rules.len());
            return Err(Error::invalid(self.source, expected, found));
        }
        if self.rules.len() + self.terminals.len() > SYMBOLS {
            let expected = format!("at most {SYMBOLS} symbols");
            return Err(Error::invalid(self.source, expected, self.rules.len() + self.terminals.len()));
        }
        for (place, rule) in self.rules.iter().enumerate() {
            let left = &rule.left;
            if self.terminals.contains(left) {
                return Err(self.wrong(rule.line, "a non-terminal", format!("the terminal `{left}`")));
            }
            if let Some(first) = self.rules[..place].iter().find(|earlier| earlier.left == *left) {
                let found = format!("`{left}`, which line {} defines", first.line);
                return Err(self.wrong(rule.line, "a symbol that is not yet defined", found));
            }
            for (index, word) in rule.alternatives.iter().enumerate() {
                if !ALTERNATIVE_LENGTHS.contains(&word.len()) {
                    let (least, most) = (ALTERNATIVE_LENGTHS.start(), ALTERNATIVE_LENGTHS.end());
                    let found = format!("{} in `{left} -> {}`", word.len(), word.join(" "));
                    return Err(self.wrong(rule.line, format!("alternatives of {least} to {most} symbols"), found));
                }
                if rule.alternatives[..index].contains(word) {
                    let found = format!("`{}` twice", word.join(" "));
                    return Err(self.wrong(rule.line, format!("distinct alternatives of `{left}`"), found));
                }
                for name in word {
                    if self.rule(name).is_none() && !self.terminals.contains(name) {
                        let known = self.rules.iter().map(|rule| &rule.left).chain(self.terminals);
                        let unknown = Error::unknown("symbol", name, known.map(String::as_str));
                        return Err(self.wrong(rule.line, "defined symbols", unknown));
                    }
                }
            }
        }
        Ok(())
    }

    /// Checks that no symbol contains itself.
    fn check_cycles(&self) -> Result<()> {
        let mut settled = Vec::new();
        for rule in self.rules {
            self.visit(rule, &mut Vec::new(), &mut settled)?;
        }
        Ok(())
    }

    /// Depth first; `path` holds the symbols above, `settled` the symbols without a cycle below them.
    fn visit<'r>(&'r self, rule: &'r Rule, path: &mut Vec<&'r str>, settled: &mut Vec<&'r str>) -> Result<()> {
        let name = rule.left.as_str();
        if settled.contains(&name) {
            return Ok(());
        }
        let place = path.iter().position(|above| *above == name);
        path.push(name);
        if let Some(place) = place {
            let found = path[place..].join(" -> ");
            return Err(self.wrong(rule.line, "rules without a cycle", found));
        }
        for child in rule.alternatives.iter().flatten().filter_map(|child| self.rule(child)) {
            self.visit(child, path, settled)?;
        }
        path.pop();
        settled.push(name);
        Ok(())
    }

    /// The level of every symbol, which must be unique and reached from the root.
    fn levels(&self) -> Result<BTreeMap<&str, usize>> {
        let mut levels = BTreeMap::from([(self.rules[0].left.as_str(), 0)]);
        let mut current = vec![&self.rules[0]];
        let mut level = 0;
        while !current.is_empty() {
            level += 1;
            let mut next = Vec::new();
            for rule in current {
                for child in rule.alternatives.iter().flatten() {
                    let known = *levels.entry(child).or_insert(level);
                    if known != level {
                        let found = format!("`{child}` at levels {known} and {level}");
                        return Err(self.wrong(rule.line, "every symbol at one level below the root", found));
                    }
                    next.extend(self.rule(child).filter(|rule| !next.contains(rule)));
                }
            }
            current = next;
        }
        let unreachable = |name: &str| format!("`{name}`, which no string contains");
        for rule in self.rules {
            if !levels.contains_key(rule.left.as_str()) {
                let expected = "symbols that are reachable from the root";
                return Err(self.wrong(rule.line, expected, unreachable(&rule.left)));
            }
        }
        let expected = "terminals that are reachable from the root";
        for name in self.terminals {
            if !levels.contains_key(name.as_str()) {
                return Err(Error::invalid(self.source, expected, unreachable(name)));
            }
        }
        let depth = levels[self.terminals[0].as_str()];
        for name in self.terminals {
            let level = levels[name.as_str()];
            if level != depth {
                let found = format!("`{}` at level {depth} and `{name}` at level {level}", self.terminals[0]);
                return Err(Error::invalid(self.source, "all terminals at one level", found));
            }
        }
        if depth > DEEPEST {
            return Err(Error::invalid(self.source, format!("at most {DEEPEST} levels"), depth));
        }
        Ok(levels)
    }
}
