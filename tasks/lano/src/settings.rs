//! Parameters: the choice of grammar.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use haltbench_sdk::parameters::{ParameterSpec, Parameters};
use haltbench_sdk::random::Stream;
use haltbench_sdk::{Error, Result};

use crate::grammar::Grammar;
use crate::random_grammar::{Shape, draw};
use crate::{notation, published};

/// Draws the grammar from the shape given by other parameters.
const SAMPLED: &str = "sampled";
/// Reads the grammar from a file.
const FILE: &str = "file";

/// Most bytes of a grammar file.
const LARGEST: u64 = 1 << 20;

/// The parameters that do not describe the shape of a sampled grammar.
const GENERAL: [&str; 2] = ["grammar", "grammar_file"];

/// Allowed values of `grammar`.
const CHOICES: [&str; published::NAMES.len() + 2] = {
    let mut choices = [SAMPLED; published::NAMES.len() + 2];
    let mut place = 0;
    while place < published::NAMES.len() {
        choices[place] = published::NAMES[place];
        place += 1;
    }
    choices[place + 1] = FILE;
    choices
};

/// The parameters of the task.
pub const PARAMETERS: &[ParameterSpec] = &[
    ParameterSpec::choice(
        "grammar",
        "cfg3b",
        &CHOICES,
        "The grammar: one of the published ones, `toy` with its twelve strings, `sampled` as the parameters below \
         say, or `file`. Parameters of another choice than this one are refused.",
    ),
    ParameterSpec::text("grammar_file", "", "With `file`: path of the grammar file."),
    ParameterSpec::integer("grammar_seed", 0, (0, i64::MAX), "With `sampled`: seed of the grammar."),
    ParameterSpec::integer("depth", 4, (1, 12), "With `sampled`: levels from the root down to the terminals."),
    ParameterSpec::integer("symbols", 3, (1, 16), "With `sampled`: non-terminals of every level but the root's."),
    ParameterSpec::integer("terminals", 3, (1, 16), "With `sampled`: number of terminals."),
    ParameterSpec::integer("minimum_alternatives", 2, (1, 8), "With `sampled`: fewest alternatives of a symbol."),
    ParameterSpec::integer("maximum_alternatives", 2, (1, 8), "With `sampled`: most alternatives of a symbol."),
    ParameterSpec::integer("minimum_children", 2, (2, 6), "With `sampled`: shortest alternative."),
    ParameterSpec::integer("maximum_children", 3, (2, 6), "With `sampled`: longest alternative."),
    ParameterSpec::flag(
        "distinct_children",
        false,
        "With `sampled`: no symbol occurs twice in one alternative, as in cfg3b.",
    ),
    ParameterSpec::flag("distinct_alternatives", true, "With `sampled`: no alternative occurs twice in one level."),
];

/// The grammar for the parameters of the task `owner`.
///
/// # Errors
/// [`Error::Invalid`], naming the parameter, or the file and the line.
pub fn grammar(owner: &str, parameters: &Parameters) -> Result<Grammar> {
    let operand = |name: &str| format!("parameter `{name}` of {owner}");
    let (choice, path) = (parameters.text("grammar")?, parameters.text("grammar_file")?);
    let set = |spec: &&ParameterSpec| parameters.values().get(spec.name).is_some_and(|value| *value != spec.default());
    if choice != SAMPLED
        && let Some(shaping) = PARAMETERS.iter().filter(|spec| !GENERAL.contains(&spec.name)).find(set)
    {
        let expected = format!("`{SAMPLED}` beside a {}", shaping.name);
        return Err(Error::invalid(operand("grammar"), expected, format!("`{choice}`")));
    }
    match choice {
        FILE if path.is_empty() => Err(Error::invalid(operand("grammar_file"), "the path of a grammar file", "none")),
        FILE => {
            let text = text_of(Path::new(path)).map_err(|error| {
                Error::invalid(operand("grammar_file"), "a file of text", format!("{path}: {error}"))
            })?;
            notation::read(path, &text)
        }
        _ if !path.is_empty() => {
            let expected = "`file` beside a grammar_file";
            Err(Error::invalid(operand("grammar"), expected, format!("`{choice}`")))
        }
        SAMPLED => {
            let shape = shape(&operand, parameters)?;
            let seed = parameters.integer("grammar_seed")? as u64;
            draw(&shape, &mut Stream::new(seed, "lano/grammar", &[]))
        }
        name => published::grammar(name),
    }
}

fn shape(operand: &dyn Fn(&str) -> String, parameters: &Parameters) -> Result<Shape> {
    let range = |smallest: &str, largest: &str| {
        let (from, to) = (parameters.integer(smallest)?, parameters.integer(largest)?);
        if to < from {
            return Err(Error::invalid(operand(largest), format!("at least {smallest}, which is {from}"), to));
        }
        Ok(from..=to)
    };
    Ok(Shape {
        depth: parameters.integer("depth")?,
        symbols: parameters.integer("symbols")?,
        terminals: parameters.integer("terminals")?,
        alternatives: range("minimum_alternatives", "maximum_alternatives")?,
        children: range("minimum_children", "maximum_children")?,
        distinct_children: parameters.flag("distinct_children")?,
        distinct_alternatives: parameters.flag("distinct_alternatives")?,
    })
}

/// The text of a file, without a byte order mark.
fn text_of(path: &Path) -> io::Result<String> {
    let refused = |message: String| io::Error::new(ErrorKind::InvalidInput, message);
    // Opening a FIFO would wait for its writer, and a device may have no end.
    if !fs::metadata(path)?.is_file() {
        return Err(refused("expected a regular file, found another kind of file".to_owned()));
    }
    let mut text = String::new();
    File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LARGEST {
        return Err(refused(format!("expected at most {LARGEST} bytes, found more")));
    }
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}
