//! Catalogue of every available task, backbone and policy, with the crate and the file that it comes from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use haltbench_sdk::backbone::BackboneDeclaration;
use haltbench_sdk::policy::PolicyDeclaration;
use haltbench_sdk::registry::{Declaration, Registration};
use haltbench_sdk::task::TaskDeclaration;
use haltbench_sdk::{Error, fingerprint};

use super::elf::hash_code;
use super::error::{PluginError, Provider};
use super::load::{self, LoadedPlugin};

/// One implementation.
#[derive(Clone)]
pub struct Entry {
    /// The registered declaration.
    pub declaration: Declaration,
    /// The crate that registered it.
    pub provider: &'static str,
    /// The version of that crate.
    pub version: &'static str,
    /// The library that it comes from, or the program itself if it is linked in.
    pub file: PathBuf,
    /// The fields of the fingerprint it was compiled with, as (name, value).
    pub fingerprint: Vec<(String, String)>,
    /// Hash of the code and constants of its library, or of the program if that has its plugins linked in.
    pub code: String,
}

impl Entry {
    fn new(item: &Registration, file: &Path, code: &str) -> Self {
        Self {
            code: code.to_owned(),
            declaration: item.declaration,
            provider: item.provider,
            version: item.version,
            file: file.to_owned(),
            fingerprint: fingerprint::fields(item.fingerprint).unwrap_or_default(),
        }
    }

    /// `task`, `backbone` or `policy`.
    pub fn kind(&self) -> &'static str {
        self.declaration.kind()
    }

    /// Name in suite files.
    pub fn name(&self) -> &'static str {
        self.declaration.name()
    }

    fn provider(&self) -> Provider {
        Provider { package: self.provider.to_owned(), file: self.file.clone() }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{} {} of {} in {}", self.kind(), self.name(), self.provider, self.file.display())
    }
}

/// Everything available, by kind and name.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    entries: BTreeMap<(&'static str, &'static str), Entry>,
}

impl Catalogue {
    /// Everything linked into the program or registered by `plugins`. A plugin that is listed twice counts once.
    ///
    /// # Errors
    /// [`PluginError::Duplicate`] if two providers register one name of one kind.
    pub fn new(plugins: &[LoadedPlugin]) -> Result<Self, PluginError> {
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("(this program)"));
        let mut catalogue = Self::default();
        let linked_in = load::linked_in();
        let code = match cfg!(feature = "bundled") {
            true => hash_code(&program)?,
            false => "linked-in".to_owned(),
        };
        for item in linked_in {
            catalogue.add(Entry::new(item, &program, &code))?;
        }
        for (index, plugin) in plugins.iter().enumerate() {
            if plugins[..index].iter().all(|earlier| earlier.file() != plugin.file()) {
                for item in plugin.items() {
                    catalogue.add(Entry::new(item, plugin.file(), plugin.code()))?;
                }
            }
        }
        Ok(catalogue)
    }

    fn add(&mut self, entry: Entry) -> Result<(), PluginError> {
        let key = (entry.kind(), entry.name());
        if let Some(first) = self.entries.get(&key) {
            let providers = Box::new([first.provider(), entry.provider()]);
            return Err(PluginError::Duplicate { kind: key.0, name: key.1.to_owned(), providers });
        }
        self.entries.insert(key, entry);
        Ok(())
    }

    /// All entries, ordered by kind and name.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// The entries of one kind, `task`, `backbone` or `policy`, ordered by name.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(move |entry| entry.kind() == kind)
    }

    /// The entry of this kind and name.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name of this kind.
    pub fn find(&self, kind: &str, name: &str) -> Result<&Entry, Error> {
        self.of_kind(kind)
            .find(|entry| entry.name() == name)
            .ok_or_else(|| Error::unknown(kind, name, self.of_kind(kind).map(Entry::name)))
    }

    /// The entries of any kind that have this name; at least one.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest name of any kind.
    pub fn named(&self, name: &str) -> Result<Vec<&Entry>, Error> {
        let found: Vec<&Entry> = self.entries().filter(|entry| entry.name() == name).collect();
        if found.is_empty() {
            return Err(Error::unknown("task, backbone or policy", name, self.entries().map(Entry::name)));
        }
        Ok(found)
    }

    /// The task `name`.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest task.
    pub fn task(&self, name: &str) -> Result<&'static TaskDeclaration, Error> {
        match self.find("task", name)?.declaration {
            Declaration::Task(task) => Ok(task),
            _ => Err(Error::unknown("task", name, [])),
        }
    }

    /// The backbone `name`.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest backbone.
    pub fn backbone(&self, name: &str) -> Result<&'static BackboneDeclaration, Error> {
        match self.find("backbone", name)?.declaration {
            Declaration::Backbone(backbone) => Ok(backbone),
            _ => Err(Error::unknown("backbone", name, [])),
        }
    }

    /// The policy `name`.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest policy.
    pub fn policy(&self, name: &str) -> Result<&'static PolicyDeclaration, Error> {
        match self.find("policy", name)?.declaration {
            Declaration::Policy(policy) => Ok(policy),
            _ => Err(Error::unknown("policy", name, [])),
        }
    }
}

#[cfg(test)]
mod tests {
    use haltbench_sdk::policy::{PolicyDeclaration, PolicyKind};

    use super::*;

    static FIXED: PolicyDeclaration = declared("fixed");
    static RANDOM: PolicyDeclaration = declared("random");

    const fn declared(name: &'static str) -> PolicyDeclaration {
        PolicyDeclaration::new(name, PolicyKind::Early, |_| Err(Error::contract("test", "is never built")))
    }

    fn entry(policy: &'static PolicyDeclaration, provider: &'static str, file: &str) -> Entry {
        Entry {
            declaration: Declaration::Policy(policy),
            provider,
            version: "0.0.0",
            file: file.into(),
            fingerprint: Vec::new(),
            code: String::new(),
        }
    }

    #[test]
    fn lists_in_order_and_suggests_the_nearest_name_of_the_kind() {
        let mut catalogue = Catalogue::default();
        catalogue.add(entry(&RANDOM, "a", "a.so")).unwrap();
        catalogue.add(entry(&FIXED, "a", "a.so")).unwrap();
        let names: Vec<&str> = catalogue.entries().map(Entry::name).collect();
        assert_eq!(names, ["fixed", "random"]);
        assert_eq!(catalogue.policy("fixed").unwrap().name, "fixed");
        let error = catalogue.policy("fixd").unwrap_err();
        assert_eq!(error.to_string(), "unknown policy `fixd`; did you mean `fixed`?");
        assert_eq!(catalogue.task("fixed").unwrap_err().to_string(), "unknown task `fixed`");
        assert_eq!(catalogue.named("random").unwrap().len(), 1);
        assert!(catalogue.named("randon").unwrap_err().to_string().ends_with("did you mean `random`?"));
    }

    #[test]
    fn refuses_a_second_provider_with_both_crates_and_files() {
        let mut catalogue = Catalogue::default();
        catalogue.add(entry(&FIXED, "one", "one.so")).unwrap();
        let error = catalogue.add(entry(&FIXED, "two", "two.so")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "policy `fixed` is provided twice: by one (one.so) and by two (two.so); \
             remove one of the files or rename one policy"
        );
        assert_eq!(error.exit_status(), 3);
    }
}
