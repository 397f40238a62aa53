//! Parameters of an implementation: declared once with default, range and documentation; help, validation and the
//! recorded plan all come from that declaration.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::names;

/// A parameter's value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// A real number.
    Real(f64),
    /// A text.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Flag(value) => write!(formatter, "{value}"),
            Self::Integer(value) => write!(formatter, "{value}"),
            Self::Real(value) => write!(formatter, "{value}"),
            Self::Text(value) => write!(formatter, "{value}"),
        }
    }
}

/// The values a parameter may take, with its default.
#[derive(Debug, Clone, Copy)]
pub enum Domain {
    /// `true` or `false`.
    Flag {
        /// Default value.
        default: bool,
    },
    /// A whole number in `minimum..=maximum`.
    Integer {
        /// Default value.
        default: i64,
        /// Smallest value allowed.
        minimum: i64,
        /// Largest value allowed.
        maximum: i64,
    },
    /// A finite real number in `minimum..=maximum`.
    Real {
        /// Default value.
        default: f64,
        /// Smallest value allowed.
        minimum: f64,
        /// Largest value allowed.
        maximum: f64,
    },
    /// One of a few words.
    Choice {
        /// Default value.
        default: &'static str,
        /// The words allowed.
        choices: &'static [&'static str],
    },
    /// A text whose form the implementation checks itself.
    Text {
        /// Default value.
        default: &'static str,
    },
}

/// How depths change as a parameter rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trend {
    /// Tokens go deeper as it rises.
    Deeper,
    /// Tokens halt earlier as it rises.
    Shallower,
    /// Neither.
    None,
}

/// When a policy's parameter acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// In training: another value is another model.
    Training,
    /// In evaluation alone: a knob. All of its values share one model.
    Knob(Trend),
    /// The parameter is the number of steps of every token, in training and in evaluation.
    Depth,
}

/// Declaration of one parameter.
#[derive(Debug, Clone, Copy)]
pub struct ParameterSpec {
    /// Name in suite files, `--set` and records.
    pub name: &'static str,
    /// One sentence: what it does, and its unit or source.
    pub documentation: &'static str,
    /// Default and allowed values.
    pub domain: Domain,
    /// When the parameter acts; only for policies.
    pub effect: Effect,
}

impl ParameterSpec {
    const fn new(name: &'static str, documentation: &'static str, domain: Domain) -> Self {
        Self { name, documentation, domain, effect: Effect::Training }
    }

    /// Marks this parameter as a knob: it acts in evaluation alone, and depths change with it as `trend` says.
    pub const fn knob(self, trend: Trend) -> Self {
        Self { effect: Effect::Knob(trend), ..self }
    }

    /// Marks this parameter as the number of steps of every token, in training and in evaluation.
    pub const fn depth(self) -> Self {
        Self { effect: Effect::Depth, ..self }
    }

    /// Whether it acts in evaluation alone.
    pub const fn is_knob(&self) -> bool {
        matches!(self.effect, Effect::Knob(_))
    }

    /// A parameter that is true or false.
    pub const fn flag(name: &'static str, default: bool, documentation: &'static str) -> Self {
        Self::new(name, documentation, Domain::Flag { default })
    }

    /// A whole number within `minimum..=maximum`.
    pub const fn integer(name: &'static str, default: i64, range: (i64, i64), documentation: &'static str) -> Self {
        Self::new(name, documentation, Domain::Integer { default, minimum: range.0, maximum: range.1 })
    }

    /// A real number within `minimum..=maximum`.
    pub const fn real(name: &'static str, default: f64, range: (f64, f64), documentation: &'static str) -> Self {
        Self::new(name, documentation, Domain::Real { default, minimum: range.0, maximum: range.1 })
    }

    /// One of `choices`.
    pub const fn choice(
        name: &'static str,
        default: &'static str,
        choices: &'static [&'static str],
        documentation: &'static str,
    ) -> Self {
        Self::new(name, documentation, Domain::Choice { default, choices })
    }

    /// A text whose form the implementation checks itself.
    pub const fn text(name: &'static str, default: &'static str, documentation: &'static str) -> Self {
        Self::new(name, documentation, Domain::Text { default })
    }

    /// The default value.
    pub fn default(&self) -> Value {
        match self.domain {
            Domain::Flag { default } => Value::Flag(default),
            Domain::Integer { default, .. } => Value::Integer(default),
            Domain::Real { default, .. } => Value::Real(default),
            Domain::Choice { default, .. } | Domain::Text { default } => Value::Text(default.to_owned()),
        }
    }

    /// The allowed values in words.
    pub fn range(&self) -> String {
        match self.domain {
            Domain::Flag { .. } => "true or false".to_owned(),
            Domain::Integer { minimum, maximum: i64::MAX, .. } => format!("a whole number of at least {minimum}"),
            Domain::Integer { minimum, maximum, .. } => format!("a whole number from {minimum} to {maximum}"),
            Domain::Real { minimum, maximum, .. } => format!("a number from {minimum} to {maximum}"),
            Domain::Choice { choices, .. } => format!("one of {}", choices.join(", ")),
            Domain::Text { .. } => "a text".to_owned(),
        }
    }

    /// `value` as this parameter's type, if it is allowed.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming `owner` and the parameter.
    pub fn admit(&self, owner: &str, value: &Value) -> Result<Value> {
        let admitted = match (self.domain, value) {
            (Domain::Flag { .. }, Value::Flag(_)) | (Domain::Text { .. }, Value::Text(_)) => Some(value.clone()),
            // `skip = 2` means the text 2: a whole number has one spelling. A real number has several.
            (Domain::Text { .. }, Value::Integer(number)) => Some(Value::Text(number.to_string())),
            (Domain::Integer { minimum, maximum, .. }, Value::Integer(number)) => {
                (minimum..=maximum).contains(number).then(|| value.clone())
            }
            (Domain::Real { minimum, maximum, .. }, Value::Integer(_) | Value::Real(_)) => {
                let number = match value {
                    Value::Integer(number) => *number as f64,
                    Value::Real(number) => *number,
                    _ => f64::NAN,
                };
                (minimum..=maximum).contains(&number).then_some(Value::Real(number))
            }
            (Domain::Choice { choices, .. }, Value::Text(word)) => {
                choices.contains(&word.as_str()).then(|| value.clone())
            }
            _ => None,
        };
        admitted.ok_or_else(|| {
            let near = match (self.domain, value) {
                (Domain::Choice { choices, .. }, Value::Text(word)) => names::nearest(word, choices.iter().copied()),
                _ => None,
            };
            let hint = match (self.domain, near) {
                (_, Some(choice)) => format!("; did you mean `{choice}`?"),
                (Domain::Text { .. }, None) => "; write it in quotes".to_owned(),
                _ => String::new(),
            };
            let found = self.found(value);
            Error::invalid(format!("parameter `{}` of {owner}", self.name), self.range(), format!("{found}{hint}"))
        })
    }

    /// A refused value, written so that its type shows: `3.0` is no whole number, and `"3"` is no number.
    fn found(&self, value: &Value) -> String {
        match (self.domain, value) {
            (Domain::Choice { .. }, Value::Text(word)) => word.clone(),
            (_, Value::Text(text)) => format!("\"{text}\""),
            (_, Value::Real(number)) => format!("{number:?}"),
            (_, other) => other.to_string(),
        }
    }
}

/// Resolved parameters: every declared one has an allowed value.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Parameters(BTreeMap<String, Value>);

impl FromIterator<(String, Value)> for Parameters {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

/// Keys of a task, policy or backbone in a suite file, which no parameter may have as its name.
pub const RESERVED: [&str; 8] = ["name", "label", "of", "recipe", "stages", "start", "max_depth", "halted_keys_values"];

impl Parameters {
    /// Completes `given` with defaults, and refuses names and values that are not declared.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name, or [`Error::Invalid`] with the range; `owner` is the implementation.
    pub fn resolve(owner: &str, specs: &[ParameterSpec], given: &BTreeMap<String, Value>) -> Result<Self> {
        for name in given.keys() {
            if !specs.iter().any(|spec| spec.name == name) {
                let known = specs.iter().map(|spec| spec.name);
                if specs.is_empty() {
                    return Err(Error::invalid(format!("parameters of {owner}"), "none, because it has none", name));
                }
                return Err(Error::unknown(format!("parameter of {owner}"), name, known));
            }
        }
        let resolve = |spec: &ParameterSpec| {
            let value = match given.get(spec.name) {
                Some(value) => spec.admit(owner, value)?,
                None => spec.default(),
            };
            Ok((spec.name.to_owned(), value))
        };
        specs.iter().map(resolve).collect::<Result<_>>().map(Self)
    }

    /// All values by name.
    pub fn values(&self) -> &BTreeMap<String, Value> {
        &self.0
    }

    /// The real parameter `name`.
    ///
    /// # Errors
    /// If no such parameter is declared as real or whole.
    pub fn real(&self, name: &str) -> Result<f64> {
        match self.get(name)? {
            Value::Real(value) => Ok(*value),
            Value::Integer(value) => Ok(*value as f64),
            other => Err(Error::invalid(format!("parameter `{name}`"), "a number", other)),
        }
    }

    /// The whole-number parameter `name`.
    ///
    /// # Errors
    /// If no such parameter is declared as a non-negative whole number.
    pub fn integer(&self, name: &str) -> Result<usize> {
        match self.get(name)? {
            Value::Integer(value) if *value >= 0 => Ok(*value as usize),
            other => Err(Error::invalid(format!("parameter `{name}`"), "a whole number of at least 0", other)),
        }
    }

    /// The text or choice `name`.
    ///
    /// # Errors
    /// If no such parameter is declared as a text.
    pub fn text(&self, name: &str) -> Result<&str> {
        match self.get(name)? {
            Value::Text(value) => Ok(value),
            other => Err(Error::invalid(format!("parameter `{name}`"), "a text", other)),
        }
    }

    /// The flag `name`.
    ///
    /// # Errors
    /// If no such parameter is declared as a flag.
    pub fn flag(&self, name: &str) -> Result<bool> {
        match self.get(name)? {
            Value::Flag(value) => Ok(*value),
            other => Err(Error::invalid(format!("parameter `{name}`"), "true or false", other)),
        }
    }

    fn get(&self, name: &str) -> Result<&Value> {
        self.0.get(name).ok_or_else(|| Error::unknown("parameter", name, self.0.keys().map(String::as_str)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &[ParameterSpec] = &[
        ParameterSpec::real("gamma", 0.1, (0.0, 10.0), "weight"),
        ParameterSpec::integer("depth", 1, (1, 8), "steps"),
        ParameterSpec::choice("rule", "mode", &["mode", "median"], "inference rule"),
        ParameterSpec::text("skip", "", "sizes"),
    ];

    fn resolve(name: &str, value: Value) -> Result<Parameters> {
        Parameters::resolve("anira-e", SPECS, &BTreeMap::from([(name.to_owned(), value)]))
    }

    #[test]
    fn fills_up_with_defaults_and_widens_integers() {
        let parameters = resolve("gamma", Value::Integer(2)).unwrap();
        assert_eq!(parameters.real("gamma").unwrap(), 2.0);
        assert_eq!(parameters.integer("depth").unwrap(), 1);
        assert_eq!(parameters.text("rule").unwrap(), "mode");
    }

    #[test]
    fn refuses_with_the_operand_the_range_and_the_nearest_name() {
        let message = |result: Result<Parameters>| result.unwrap_err().to_string();
        assert_eq!(
            message(resolve("gama", Value::Real(1.0))),
            "unknown parameter of anira-e `gama`; did you mean `gamma`?"
        );
        assert_eq!(
            message(resolve("depth", Value::Integer(0))),
            "parameter `depth` of anira-e: expected a whole number from 1 to 8, found 0"
        );
        assert!(message(resolve("gamma", Value::Real(f64::NAN))).contains("from 0 to 10"));
        assert_eq!(
            message(resolve("rule", Value::Text("medain".into()))),
            "parameter `rule` of anira-e: expected one of mode, median, found medain; did you mean `median`?"
        );
        // No suggestion for a value that resembles no choice, or that is not a word.
        assert!(message(resolve("rule", Value::Text("zzz".into()))).ends_with("found zzz"));
        assert!(message(resolve("rule", Value::Integer(3))).ends_with("found 3"));
    }

    #[test]
    fn a_value_of_another_type_is_written_as_that_type() {
        for (name, value, found) in [
            ("depth", Value::Real(3.0), "3.0"),
            ("depth", Value::Text("3".into()), "\"3\""),
            ("depth", Value::Flag(true), "true"),
            ("gamma", Value::Text("0.1".into()), "\"0.1\""),
            ("gamma", Value::Real(1e300), "1e300"),
            ("depth", Value::Text("\u{1b}[2J".into()), "\"\\u{1b}[2J\""),
            ("skip", Value::Real(2.50), "2.5; write it in quotes"),
        ] {
            let message = resolve(name, value).unwrap_err().to_string();
            assert!(message.ends_with(&format!("found {found}")), "{message}");
        }
        assert_eq!(resolve("skip", Value::Integer(2)).unwrap().text("skip").unwrap(), "2");
    }
}
