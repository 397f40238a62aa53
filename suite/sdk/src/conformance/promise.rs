//! The plugin under test, and reports of broken promises.

use super::observed::{self, Promise};
use crate::error::{Error, Result};
use crate::parameters::{ParameterSpec, RESERVED};

/// The plugin under test, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject {
    /// `policy` or `backbone`.
    pub kind: &'static str,
    /// Its declared name.
    pub name: &'static str,
}

impl Subject {
    /// Panics, naming plugin and promise.
    #[track_caller]
    pub fn broken(&self, promise: &str, found: &str) -> ! {
        observed::tell(&Promise::Broken { promise, found });
        panic!("{} `{}` breaks a promise: {promise}: {found}", self.kind, self.name)
    }

    /// Panics unless the promise holds; `found` says what was seen instead.
    #[track_caller]
    pub fn demand(&self, promise: &str, holds: bool, found: impl FnOnce() -> String) {
        if !holds {
            self.broken(promise, &found());
        }
        observed::tell(&Promise::Kept(promise));
    }

    /// The value, or a panic that says what could not be done.
    #[track_caller]
    pub fn expect<T>(&self, doing: &str, result: Result<T>) -> T {
        match result {
            Ok(value) => value,
            Err(Error::Contract { message, .. }) => self.broken(doing, &message),
            Err(error) => self.broken(doing, &error.to_string()),
        }
    }

    /// Checks the texts and parameters of a declaration.
    pub fn check_declaration(&self, texts: &[(&str, &str)], parameters: &[ParameterSpec]) {
        self.demand("its name is in kebab-case", is_cased(self.name, '-'), || format!("`{}`", self.name));
        for (what, text) in texts {
            self.demand(&format!("its {what} is written"), !text.trim().is_empty(), || "nothing".to_owned());
        }
        for (index, parameter) in parameters.iter().enumerate() {
            let name = parameter.name;
            self.demand("its parameters are in snake_case", is_cased(name, '_'), || format!("`{name}`"));
            let reserved = RESERVED.contains(&name);
            self.demand("its parameters have names of their own", !reserved, || {
                format!("`{name}` is a key of suite files")
            });
            let repeated = parameters[..index].iter().any(|other| other.name == name);
            self.demand("its parameters differ in name", !repeated, || format!("`{name}` is declared twice"));
            let documented = !parameter.documentation.trim().is_empty();
            self.demand("every parameter is documented", documented, || format!("nothing about `{name}`"));
            self.expect("every default is allowed", parameter.admit(self.name, &parameter.default()));
        }
    }
}

/// Lower-case words of letters and digits, joined by `joint`; the first begins with a letter.
fn is_cased(name: &str, joint: char) -> bool {
    let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.split(joint).all(word)
}

#[cfg(test)]
mod tests {
    use super::is_cased;

    #[test]
    fn tells_kebab_case() {
        assert!(is_cased("anira-e", '-') && is_cased("act", '-') && is_cased("d_model", '_'));
        for wrong in ["", "Anira", "anira_e", "anira--e", "-e", "2nd"] {
            assert!(!is_cased(wrong, '-'), "{wrong}");
        }
    }
}
