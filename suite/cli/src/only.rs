//! `--only`: the cells of a suite that a command is limited to.

use haltbench_engine::plan::{Cell, Suite};
use haltbench_sdk::visible::on_one_line;

use crate::failure::Failure;

/// Most cells that are listed if a pattern matches none.
const SHOWN: usize = 100;

/// Which cells a command is limited to.
#[derive(Debug, Clone, clap::Args)]
pub struct Only {
    /// Only cells that match: task=NAME, backbone=NAME, policy=LABEL or seed=N matches exactly; any other text matches
    /// if the description (task · backbone · policy · seed N) contains it, as whole words and numbers. Given several
    /// times, all must match
    #[arg(long = "only", value_name = "PATTERN")]
    patterns: Vec<String>,
}

impl Only {
    /// Whether a cell matches all patterns.
    pub fn matches(&self, cell: &Cell) -> bool {
        self.patterns.iter().all(|pattern| matches(pattern, cell))
    }

    /// Refuses patterns that match no cell of `suite`.
    ///
    /// # Errors
    /// With the cells that there are.
    pub fn check(&self, suite: &Suite) -> Result<(), Failure> {
        if suite.cells.iter().any(|cell| self.matches(cell)) {
            return Ok(());
        }
        let mut titles: Vec<String> =
            suite.cells.iter().take(SHOWN).map(|cell| format!("  {}", cell.title())).collect();
        if suite.cells.len() > SHOWN {
            titles.push(format!("  and {} more", suite.cells.len() - SHOWN));
        }
        let only = self.patterns.join(" --only ");
        let only = on_one_line(&only);
        Err(Failure::usage(format!("--only {only}: matches none of the cells\n{}", titles.join("\n"))))
    }
}

fn matches(pattern: &str, cell: &Cell) -> bool {
    let model = &cell.plan.model;
    match pattern.split_once('=') {
        Some(("task", name)) => model.task.name == name,
        Some(("backbone", name)) => model.backbone.name == name,
        Some(("policy", label)) => cell.label == label || cell.family == label,
        Some(("seed", number)) => model.seed.to_string() == number,
        _ => contains(&cell.title(), pattern),
    }
}

/// Whether `title` contains `text` where neither its start nor its end is inside a word or a number.
fn contains(title: &str, text: &str) -> bool {
    title.match_indices(text).any(|(start, _)| !is_inside(title, start) && !is_inside(title, start + text.len()))
}

/// Whether a word or a number continues across `place`; a point continues a number.
fn is_inside(title: &str, place: usize) -> bool {
    let (before, after) = title.split_at(place);
    let (last, next) = (before.chars().next_back(), after.chars().next());
    let point = |side: Option<char>| side == Some('.');
    let digit = |side: Option<char>| side.is_some_and(|side| side.is_ascii_digit());
    let letter = |side: Option<char>| side.is_some_and(char::is_alphanumeric);
    let of_number = point(last) && digit(next) || digit(last) && point(next);
    letter(last) && letter(next) || of_number
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn a_text_matches_whole_words_and_numbers() {
        let title = "mano · anira · calm(threshold=0.5) · seed 10";
        for text in ["seed 10", "calm", "anira · calm", "threshold=0.5", "=0.5", " · seed ", "10", ""] {
            assert!(contains(title, text), "{text}");
        }
        for text in ["seed 1", "0", "threshold=0", "thresh", "5", "eed 10", "seed 100"] {
            assert!(!contains(title, text), "{text}");
        }
        assert!(contains("a1 1", "1"), "a later place matches");
    }
}
