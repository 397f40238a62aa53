//! The entries of a suite file with their parameters: a list of values expands to one choice for each value.

use std::collections::BTreeMap;

use haltbench_sdk::parameters::{Effect, ParameterSpec, Parameters, Trend, Value};

use super::choice::Choice;
use super::suite::Named;
use crate::error::{Error, Result};

/// Most settings of a policy's knobs. The limit is the same for all policies, because the best of more settings is
/// better by chance alone.
pub const MOST_SETTINGS: usize = 11;

/// Most combinations of an entry's lists.
const MOST_COMBINATIONS: usize = 10_000;

/// One choice out of an entry's lists.
pub(super) struct Expanded<'a> {
    /// The entry.
    pub entry: &'a Named,
    /// Its index.
    pub place: usize,
    /// The implementation with its parameters.
    pub choice: Choice,
    /// Values taken from lists, as `name=value`, in the order of the names.
    pub words: Vec<String>,
    /// Those `words` whose parameters are not knobs.
    pub family_words: Vec<String>,
}

/// All choices of `entries`, of one `kind`; `specs` gives the parameters that an implementation declares.
pub(super) fn expand<'a>(
    entries: &'a [Named],
    kind: &str,
    specs: impl Fn(&str) -> Result<&'static [ParameterSpec]>,
) -> Result<Vec<Expanded<'a>>> {
    let mut all = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        if kind != "policy" {
            refuse_keys_of_policies(entry, kind)?;
        }
        let specs = specs(&entry.name)?;
        let parameters = entry.parameters.iter().filter(|(name, _)| *name != "label" || kind != "policy");
        let mut grid = vec![(Vec::new(), Vec::new(), BTreeMap::new())];
        for (name, value) in parameters {
            let values = match value {
                toml::Value::Array(values) => values.as_slice(),
                single => std::slice::from_ref(single),
            };
            if values.is_empty() {
                let name = format!("{kind} {}: {name}", entry.name);
                return Err(Error::Usage(format!("{name}: expected at least one value, found []")));
            }
            if grid.len() * values.len() > MOST_COMBINATIONS {
                let name = format!("{kind} {}: {name}", entry.name);
                let found = grid.len() * values.len();
                return Err(Error::Usage(format!(
                    "{name}: expected at most {MOST_COMBINATIONS} combinations of listed values, found {found}"
                )));
            }
            let is_swept = specs.iter().any(|spec| spec.name == name && is_swept(spec));
            grid = extended(&grid, entry, name, values, is_swept)?;
        }
        for (words, family_words, given) in grid {
            let parameters = Parameters::resolve(&entry.name, specs, &given)?;
            let choice = Choice { name: entry.name.clone(), parameters };
            all.push(Expanded { entry, place, choice, words, family_words });
        }
    }
    Ok(all)
}

/// Whether a list of the parameter's values is a sweep, from which one value is chosen: true for a knob that changes
/// depths in one direction.
pub(super) fn is_swept(spec: &ParameterSpec) -> bool {
    matches!(spec.effect, Effect::Knob(Trend::Deeper | Trend::Shallower))
}

type Partial = (Vec<String>, Vec<String>, BTreeMap<String, Value>);

/// Combines every partial choice with every value of one more parameter.
fn extended(
    grid: &[Partial],
    entry: &Named,
    name: &str,
    values: &[toml::Value],
    is_swept: bool,
) -> Result<Vec<Partial>> {
    let mut all = Vec::with_capacity(grid.len() * values.len());
    for (words, family_words, given) in grid {
        for value in values {
            let value = plain(&entry.name, name, value)?;
            let (mut words, mut family_words, mut given) = (words.clone(), family_words.clone(), given.clone());
            if values.len() > 1 {
                words.push(format!("{name}={value}"));
                if !is_swept {
                    family_words.push(format!("{name}={value}"));
                }
            }
            given.insert(name.to_owned(), value);
            all.push((words, family_words, given));
        }
    }
    Ok(all)
}

fn refuse_keys_of_policies(entry: &Named, kind: &str) -> Result<()> {
    let keys = [
        ("of", entry.of.is_some()),
        ("recipe", entry.recipe.is_some()),
        ("stages", entry.stages.is_some()),
        ("start", entry.start.is_some()),
        ("max_depth", entry.max_depth.is_some()),
        ("halted_keys_values", entry.halted_keys_values.is_some()),
    ];
    match keys.iter().find(|(_, given)| *given) {
        Some((key, _)) => Err(Error::Usage(format!("{kind} {}: `{key}` is a key of policies", entry.name))),
        None => Ok(()),
    }
}

/// The value of the parameter `name` of `owner`.
///
/// # Errors
/// [`Error::Usage`] if no parameter has values of this type.
pub fn plain(owner: &str, name: &str, value: &toml::Value) -> Result<Value> {
    Ok(match value {
        toml::Value::Boolean(value) => Value::Flag(*value),
        toml::Value::Integer(value) => Value::Integer(*value),
        toml::Value::Float(value) => Value::Real(*value),
        toml::Value::String(value) => Value::Text(value.clone()),
        other => {
            return Err(Error::Usage(format!(
                "parameter `{name}` of {owner}: expected a number, a text or true or false, found {}",
                other.type_str()
            )));
        }
    })
}
