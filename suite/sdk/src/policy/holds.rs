//! Properties of a policy that may depend on one of its parameters.

use crate::parameters::Parameters;

/// When a declared property of a policy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// For all parameters.
    Always,
    /// Never.
    Never,
    /// If the parameter has this value.
    When(&'static str, &'static str),
    /// If the parameter has any other value.
    Unless(&'static str, &'static str),
}

impl Holds {
    /// Whether the property holds with `parameters`.
    pub fn given(self, parameters: &Parameters) -> bool {
        let is = |name, value| parameters.text(name).is_ok_and(|found| found == value);
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::When(name, value) => is(name, value),
            Self::Unless(name, value) => !is(name, value),
        }
    }

    /// The property in words: `yes`, `no`, or `yes` with its condition, such as `yes, where exit = "bernoulli"`.
    pub fn words(self, yes: &str, no: &str) -> String {
        match self {
            Self::Always => yes.to_owned(),
            Self::Never => no.to_owned(),
            Self::When(name, value) => format!("{yes}, where {name} = \"{value}\"; else {no}"),
            Self::Unless(name, value) => format!("{yes}, unless {name} = \"{value}\"; then {no}"),
        }
    }
}
