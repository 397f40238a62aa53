//! Suite files.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use haltbench_sdk::names;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::settings::{Evaluation, OneOrMore, Recurrence, TrainingSettings};
use super::wording;
use crate::error::{Error, Result};

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

/// Reads a suite: a built-in name or a path. Each of `overrides` is `key=value`, with a dotted key and a TOML value. The
/// paths of plugins are relative to the suite file, or to the present folder for a built-in suite.
///
/// # Errors
/// [`Error::Usage`] with the line of a malformed file, or the nearest built-in name.
pub fn read(suite: &str, overrides: &[String]) -> Result<SuiteFile> {
    let (origin, text) = match BUILT_IN.iter().find(|(name, _)| *name == suite) {
        Some((name, text)) => (format!("built-in suite {name}"), (*text).to_owned()),
        None => {
            let path = Path::new(suite);
            if !path.exists() {
                let file = format!("{suite}.toml");
                let near = match Path::new(&file).is_file() {
                    true => Some(file.as_str()),
                    false => names::nearest(suite, BUILT_IN.iter().map(|(name, _)| *name)),
                };
                let near = near.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
                let known: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).collect();
                return Err(Error::Usage(format!(
                    "suite `{suite}`: neither a file nor a built-in suite ({}){near}",
                    known.join(", ")
                )));
            }
            (suite.to_owned(), std::fs::read_to_string(path).map_err(Error::file(path, "cannot be read"))?)
        }
    };
    let mut file = parse(&origin, &text, overrides)?;
    let folder = Path::new(suite).parent().unwrap_or(Path::new(""));
    file.plugins.paths.iter_mut().for_each(|path| *path = folder.join(&*path));
    Ok(file)
}

fn parse(origin: &str, text: &str, overrides: &[String]) -> Result<SuiteFile> {
    let malformed = |error: toml::de::Error| Error::Usage(format!("{origin}: {}", wording::of(&error)));
    // The text is parsed on its own first, so that an error message has its line.
    let file: SuiteFile = toml::from_str(text).map_err(malformed)?;
    if overrides.is_empty() {
        return Ok(file);
    }
    let mut table: toml::Table = toml::from_str(text).map_err(malformed)?;
    let mut file = file;
    for assignment in overrides {
        apply(&mut table, assignment)?;
        // Parsed again after each override, so that an error message names the override at fault.
        let read = table.clone().try_into();
        file = read.map_err(|error| Error::Usage(format!("--set {assignment}: {}", wording::sentence(&error))))?;
    }
    Ok(file)
}

/// Applies `key=value` to a suite's table. In an array of tables, a part of the key is the entry's `name`.
fn apply(table: &mut toml::Table, assignment: &str) -> Result<()> {
    let usage = |message: String| Error::Usage(format!("--set {assignment}: {message}"));
    let Some((key, value)) = assignment.split_once('=').filter(|(key, _)| !key.split('.').any(str::is_empty)) else {
        return Err(usage("expected key=value, such as training.steps=100".to_owned()));
    };
    // A bare word is a string; anything else is TOML.
    let value = toml::from_str::<toml::Table>(&format!("value = {value}"))
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()));
    let mut parts: Vec<&str> = key.split('.').collect();
    let last = parts.pop().unwrap_or_default();
    let mut table = table;
    let mut parts = parts.into_iter();
    while let Some(part) = parts.next() {
        let entry = table.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        table = match entry {
            toml::Value::Table(inner) => inner,
            toml::Value::Array(entries) => {
                let names: Vec<String> = entries.iter().filter_map(name_of).map(str::to_owned).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let wanted = parts.next().unwrap_or(last);
                let found = entries.iter_mut().find(|entry| name_of(entry) == Some(wanted));
                let Some(toml::Value::Table(inner)) = found else {
                    let near = names::nearest(wanted, names.iter().copied());
                    let near = near.map(|name| format!("; did you mean `{part}.{name}`?")).unwrap_or_default();
                    return Err(usage(format!("`{part}` has no entry `{wanted}` ({}){near}", names.join(", "))));
                };
                inner
            }
            _ => return Err(usage(format!("`{part}` is a value, not a table"))),
        };
    }
    table.insert(last.to_owned(), value);
    Ok(())
}

fn name_of(entry: &toml::Value) -> Option<&str> {
    entry.get("name").and_then(toml::Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name = \"s\"\nseeds = [0]\n[task]\nname = \"mano\"\n[backbone]\nname = \"anira\"\n\
                        [[policy]]\nname = \"fixed\"\ndepth = [1, 2]\n";

    #[test]
    fn shows_the_line_of_a_mistake() {
        let message = parse("a.toml", &TEXT.replace("seeds = [0]", "seeds = 0]"), &[]).unwrap_err().to_string();
        assert!(message.contains("a.toml") && message.contains("line 2"), "{message}");
        let message = parse("a.toml", &format!("{TEXT}[training]\nstep = 3\n"), &[]).unwrap_err().to_string();
        assert!(message.contains("step") && message.contains("line 11"), "{message}");
        let message =
            parse("a.toml", &TEXT.replace("name = \"anira\"", "nmae = \"anira\""), &[]).unwrap_err().to_string();
        assert!(message.contains("expected the key `name`, found none"), "{message}");
    }

    #[test]
    fn overrides_reach_tables_and_named_entries() {
        let set = |assignment: &str| parse("a.toml", TEXT, &[assignment.to_owned()]);
        assert_eq!(set("training.steps=7").unwrap().training.steps, 7);
        assert_eq!(set("task.name=brevo").unwrap().task.entries()[0].name, "brevo");
        let policy = set("policy.fixed.depth=3").unwrap().policy;
        assert_eq!(policy.entries()[0].parameters["depth"], toml::Value::Integer(3));
        let message = set("policy.fixt.depth=3").unwrap_err().to_string();
        assert!(message.contains("did you mean `policy.fixed`?"), "{message}");
        assert!(set("training.steps").unwrap_err().to_string().contains("key=value"));
        for wrong in ["=3", "training.=3"] {
            assert!(set(wrong).unwrap_err().to_string().contains("key=value"), "{wrong}");
        }
        let message = set("training.stops=1").unwrap_err().to_string();
        assert!(message.contains("unknown key `stops`") && message.contains("did you mean `steps`?"), "{message}");
        let message = set("training.steps=abc").unwrap_err().to_string();
        assert!(message.contains("--set training.steps=abc: expected a whole number"), "{message}");
    }
}
