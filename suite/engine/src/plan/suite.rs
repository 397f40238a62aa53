//! Suite files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use haltbench_sdk::names;
use haltbench_sdk::visible::{is_hidden, on_one_line};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::settings::{Evaluation, OneOrMore, Recurrence, TrainingSettings};
use super::{overrides, wording};
use crate::error::{Error, Result};
use crate::files;

include!(concat!(env!("OUT_DIR"), "/suites.rs"));

/// A suite file as written. Its cells are the product of its tasks, backbones, policies with their knobs, and seeds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuiteFile {
    /// Name of the suite and of its folder of runs.
    pub name: String,
    /// One line for `haltbench list suites`.
    #[serde(default)]
    pub description: String,
    /// Seeds; each is a cell of its own.
    pub seeds: Vec<u64>,
    /// One task, or several.
    pub task: OneOrMany,
    /// One backbone, or several.
    pub backbone: OneOrMany,
    /// The policies.
    pub policy: OneOrMany,
    /// Plugins that the suite needs.
    #[serde(default)]
    pub plugins: Plugins,
    /// Recipes of training by name, which policies refer to.
    #[serde(default)]
    pub recipe: BTreeMap<String, toml::Table>,
    /// The recurrence.
    #[serde(default)]
    pub recurrence: Recurrence,
    /// Optimiser and schedule.
    #[serde(default)]
    pub training: TrainingSettings,
    /// The evaluation.
    #[serde(default)]
    pub evaluation: Evaluation,
    /// Its TOML, with all overrides applied.
    #[serde(skip)]
    pub source: String,
}

/// Plugins that a suite needs, besides those that are found.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugins {
    /// Folders of crates, files of Rust, or libraries; relative to the suite file.
    #[serde(default)]
    pub paths: Vec<PathBuf>,
}

/// A table or an array of tables.
#[derive(Debug, Clone)]
pub enum OneOrMany {
    /// `[task]`
    One(Named),
    /// `[[task]]`
    Many(Vec<Named>),
}

impl<'de> Deserialize<'de> for OneOrMany {
    /// Looks at the value's type first, so that a mistake inside an entry gets its own message.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = OneOrMany;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a table or an array of tables")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OneOrMany, A::Error> {
                Named::deserialize(MapAccessDeserializer::new(map)).map(OneOrMany::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, entries: A) -> Result<OneOrMany, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(entries)).map(OneOrMany::Many)
            }
        }
        deserializer.deserialize_any(Entries)
    }
}

impl OneOrMany {
    /// All of them.
    pub fn entries(&self) -> &[Named] {
        match self {
            Self::One(entry) => std::slice::from_ref(entry),
            Self::Many(entries) => entries,
        }
    }
}

/// An implementation with its parameters; an array of values stands for one entry each.
#[derive(Debug, Clone, Deserialize)]
pub struct Named {
    /// Name of the implementation.
    pub name: String,
    /// Label of the policy whose model is evaluated, and whose depths a control reads.
    #[serde(default)]
    pub of: Option<String>,
    /// How the policy's model is trained: the name of a recipe of the suite, or keys of one.
    #[serde(default)]
    pub recipe: Option<RecipeChoice>,
    /// Stages of training, each with `steps` and the keys of a recipe.
    #[serde(default)]
    pub stages: Option<Vec<toml::Table>>,
    /// What training starts from: the label of a policy of this suite, or a `.safetensors` file.
    #[serde(default)]
    pub start: Option<String>,
    /// Steps a token may take at most, in evaluation.
    #[serde(default)]
    pub max_depth: Option<OneOrMore<usize>>,
    /// What halted tokens offer as keys and values, in evaluation.
    #[serde(default)]
    pub halted_keys_values: Option<OneOrMore<String>>,
    /// All other keys: the implementation's parameters.
    #[serde(flatten)]
    pub parameters: BTreeMap<String, toml::Value>,
}

/// How an entry specifies its recipe.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "expected the name of a recipe or a table with its keys")]
pub enum RecipeChoice {
    /// A recipe of the suite.
    Name(String),
    /// Keys of a recipe.
    Keys(toml::Table),
}

/// Names and texts of the built-in suites.
pub fn built_in() -> &'static [(&'static str, &'static str)] {
    BUILT_IN
}

/// Most bytes of a suite file.
const LARGEST: u64 = 1 << 22;

/// A suite's text and where it comes from.
#[derive(Debug, Clone)]
pub struct SuiteText {
    /// Path of the file or name of the built-in suite, for messages.
    pub origin: String,
    /// TOML.
    pub text: String,
    /// Whether it is a built-in suite.
    pub is_built_in: bool,
}

/// The text of a suite: a built-in name, a path or, if `runs` is given, the name of a suite that was run there.
///
/// # Errors
/// [`Error::File`] if the file cannot be read, [`Error::Usage`] with the nearest name if there is none.
pub fn text(suite: &str, runs: Option<&Path>) -> Result<SuiteText> {
    if let Some((name, text)) = BUILT_IN.iter().find(|(name, _)| *name == suite) {
        let (origin, text) = (format!("built-in suite {name}"), (*text).to_owned());
        return Ok(SuiteText { origin, text, is_built_in: true });
    }
    let path = Path::new(suite);
    let recorded = runs.map(|runs| runs.join(suite).join(RECORDED)).filter(|_| is_folder_name(suite));
    let path = match recorded {
        Some(recorded) if !path.is_file() && recorded.exists() => recorded,
        _ if path.exists() => path.to_owned(),
        _ => return Err(unknown(suite, runs)),
    };
    let text = files::read_text(&path, LARGEST).map_err(Error::file(&path, "cannot be read"))?;
    Ok(SuiteText { origin: path.display().to_string(), text, is_built_in: false })
}

fn unknown(suite: &str, runs: Option<&Path>) -> Error {
    let built_in: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
    let mut ran: Vec<String> = runs
        .into_iter()
        .flat_map(|runs| fs::read_dir(runs).into_iter().flatten().flatten())
        .filter(|folder| folder.path().join(RECORDED).is_file())
        .filter_map(|folder| folder.file_name().into_string().ok())
        .collect();
    ran.sort();
    let file = format!("{suite}.toml");
    let near = match Path::new(&file).is_file() {
        true => Some(file.as_str()),
        false => names::nearest(suite, built_in.iter().copied().chain(ran.iter().map(String::as_str))),
    };
    let near = near.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
    let run = match (runs, ran.is_empty()) {
        (None, _) => String::new(),
        (Some(runs), true) => format!(" nor a suite that was run in {}", runs.display()),
        (Some(runs), false) => format!(" nor a suite that was run in {} ({})", runs.display(), ran.join(", ")),
    };
    let suite = on_one_line(suite);
    Error::Usage(format!("suite `{suite}`: neither a file nor a built-in suite ({}){run}{near}", built_in.join(", ")))
}

/// Whether a suite of this name can have a folder of runs.
pub(super) fn is_folder_name(name: &str) -> bool {
    let is_plain = !name.contains(['/', '\\']) && !name.contains(is_hidden) && !name.starts_with('.');
    is_plain && name.trim() == name && !name.is_empty() && name.len() <= LONGEST_NAME
}

/// Most bytes of a suite's name: folders of most systems have names of at most 255.
const LONGEST_NAME: usize = 200;

/// Name of the file in a folder of runs that holds its suite.
pub const RECORDED: &str = "suite.toml";

/// Reads a suite: a built-in name or a path. Each of `overrides` is `key=value`, with a dotted key and a TOML value. The
/// paths of plugins are relative to the suite file, or to the present folder for a built-in suite.
///
/// # Errors
/// [`Error::Usage`] with the line of a malformed file, or the nearest built-in name.
pub fn read(suite: &str, overrides: &[String]) -> Result<SuiteFile> {
    parse(&text(suite, None)?, overrides)
}

/// The suite of a text, with `overrides` as for [`read`].
///
/// # Errors
/// [`Error::Usage`] with the line of a malformed text, or the override at fault.
pub fn parse(given: &SuiteText, overrides: &[String]) -> Result<SuiteFile> {
    let mut file = overridden(given, overrides)?;
    if file.plugins.paths.is_empty() {
        return Ok(file);
    }
    // Absolute, because the suite is recorded beside its results too.
    let folder = Path::new(if given.is_built_in { "" } else { &given.origin }).parent().unwrap_or(Path::new(""));
    let absolute = |path: &PathBuf| std::path::absolute(folder.join(path)).unwrap_or_else(|_| folder.join(path));
    file.plugins.paths = file.plugins.paths.iter().map(absolute).collect();
    let wrong = |error: String| Error::Usage(format!("{}: {error}", given.origin));
    let mut table: toml::Table = toml::from_str(&file.source).map_err(|error| wrong(error.to_string()))?;
    let paths = file.plugins.paths.iter().map(|path| toml::Value::from(path.to_string_lossy().into_owned())).collect();
    table
        .insert("plugins".to_owned(), toml::Table::from_iter([("paths".to_owned(), toml::Value::Array(paths))]).into());
    file.source = toml::to_string(&table).map_err(|error| wrong(error.to_string()))?;
    Ok(file)
}

/// The suite of a text, with its overrides.
fn overridden(given: &SuiteText, overrides: &[String]) -> Result<SuiteFile> {
    let SuiteText { origin, text, .. } = given;
    let malformed = |error: toml::de::Error| Error::Usage(format!("{origin}: {}", wording::of(&error)));
    // The text is parsed on its own first, so that an error message has its line.
    let mut file: SuiteFile = toml::from_str(text).map_err(malformed)?;
    file.source.clone_from(text);
    if overrides.is_empty() {
        return Ok(file);
    }
    let mut table: toml::Table = toml::from_str(text).map_err(malformed)?;
    for assignment in overrides {
        overrides::apply(&mut table, assignment)?;
        // Parsed again after each override, so that an error message names the override at fault.
        let read = table.clone().try_into();
        file = read.map_err(|error| {
            Error::Usage(format!("--set {}: {}", on_one_line(assignment), wording::sentence(&error)))
        })?;
    }
    file.source = toml::to_string(&table).map_err(|error| Error::Usage(format!("{origin}: {error}")))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name = \"s\"\nseeds = [0]\n[task]\nname = \"mano\"\n[backbone]\nname = \"anira\"\n\
                        [[policy]]\nname = \"fixed\"\ndepth = [1, 2]\n";

    fn parse(text: &str) -> Result<SuiteFile> {
        super::parse(&SuiteText { origin: "a.toml".to_owned(), text: text.to_owned(), is_built_in: false }, &[])
    }

    #[test]
    fn shows_the_line_of_a_mistake() {
        let message = parse(&TEXT.replace("seeds = [0]", "seeds = 0]")).unwrap_err().to_string();
        assert!(message.contains("a.toml") && message.contains("line 2"), "{message}");
        let message = parse(&format!("{TEXT}[training]\nstep = 3\n")).unwrap_err().to_string();
        assert!(message.contains("step") && message.contains("line 11"), "{message}");
        let message = parse(&TEXT.replace("name = \"anira\"", "nmae = \"anira\"")).unwrap_err().to_string();
        assert!(message.contains("expected the key `name`, found none"), "{message}");
    }

    #[test]
    fn a_file_keeps_its_text_and_an_overridden_one_its_values() {
        assert_eq!(parse(TEXT).unwrap().source, TEXT);
        let given = SuiteText { origin: "a.toml".to_owned(), text: TEXT.to_owned(), is_built_in: false };
        let file = super::parse(&given, &["policy.fixed.depth=3".to_owned()]).unwrap();
        let again = parse(&file.source).unwrap();
        assert_eq!(again.policy.entries()[0].parameters["depth"], toml::Value::Integer(3));
    }
}
