//! The plugin under test, and reports of broken promises.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::observed::{self, Promise};
use crate::error::{Error, Result};
use crate::parameters::{ParameterSpec, RESERVED};

/// A broken promise: what was promised and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Broken {
    /// The promise.
    pub promise: String,
    /// What was found instead.
    pub found: String,
}

/// The first promise that `check` finds broken. A panic of the plugin's own breaks one too.
pub(super) fn attempt(check: impl FnOnce()) -> Option<Broken> {
    let payload = catch_unwind(AssertUnwindSafe(check)).err()?;
    Some(match payload.downcast::<Broken>() {
        Ok(broken) => *broken,
        Err(panic) => Broken { promise: "it does not panic".to_owned(), found: said(panic.as_ref()) },
    })
}

/// The text of a panic.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a text".to_owned())
}

/// The plugin under test, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject {
    /// `policy` or `backbone`.
    pub kind: &'static str,
    /// Its declared name.
    pub name: &'static str,
}

impl Subject {
    /// Runs `check` and panics, naming plugin and promise, if it finds a broken one.
    #[track_caller]
    pub fn report(&self, check: impl FnOnce()) {
        if let Some(broken) = attempt(check) {
            self.fail(&broken, "");
        }
    }

    /// Panics, naming plugin and promise; `further` is added to the message.
    #[track_caller]
    pub fn fail(&self, Broken { promise, found }: &Broken, further: &str) -> ! {
        let found = format!("{found}{further}");
        observed::tell(&Promise::Broken { promise, found: &found });
        panic!("{} `{}` breaks a promise: {promise}: {found}", self.kind, self.name)
    }

    /// Ends the check that is [attempted](attempt). It unwinds without the panic hook, because the kit looks for a
    /// smaller counterexample before it reports.
    pub fn broken(&self, promise: &str, found: &str) -> ! {
        resume_unwind(Box::new(Broken { promise: promise.to_owned(), found: found.to_owned() }))
    }

    /// Ends the check unless the promise holds; `found` says what was seen instead.
    pub fn demand(&self, promise: &str, holds: bool, found: impl FnOnce() -> String) {
        if !holds {
            self.broken(promise, &found());
        }
        observed::tell(&Promise::Kept(promise));
    }

    /// The value; an error ends the check and says what could not be done.
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
