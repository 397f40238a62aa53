//! The files of a new plugin.

use clap::ValueEnum;

/// What a new plugin holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// A policy that decides once, before the first step
    Early,
    /// A policy that decides after every step
    Online,
    /// A policy whose output is a mixture of the states of several steps
    Soft,
    /// A policy that chooses the tokens of every step
    Select,
    /// A task
    Task,
    /// A backbone
    Backbone,
}

/// A file of a new plugin.
pub struct File {
    /// Its path in the folder of the crate.
    pub path: &'static str,
    /// Its text.
    pub text: String,
}

impl Kind {
    /// `policy`, `task` or `backbone`.
    pub fn family(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Backbone => "backbone",
            Self::Early | Self::Online | Self::Soft | Self::Select => "policy",
        }
    }

    fn source(self) -> &'static str {
        match self {
            Self::Early => include_str!("../../../templates/early.rs"),
            Self::Online => include_str!("../../../templates/online.rs"),
            Self::Soft => include_str!("../../../templates/soft.rs"),
            Self::Select => include_str!("../../../templates/select.rs"),
            Self::Task => include_str!("../../../templates/task.rs"),
            Self::Backbone => include_str!("../../../templates/backbone.rs"),
        }
    }

    /// All files of a plugin of this kind that is called `name`.
    pub fn files(self, name: &str) -> [File; 4] {
        let family = self.family();
        let own = |what: &str| self.family() == what;
        let task = match own("task") {
            true => format!("name = \"{name}\""),
            false => "name = \"mano-stream\"\nmodulus = 3\nminimum_operators = 2\nmaximum_operators = 4\n\
                      largest_operators = 6"
                .to_owned(),
        };
        let (comparison, policy) = match own("policy") {
            true => (format!("{name} against fixed depths"), format!("name = \"{name}\"")),
            false => {
                (format!("Fixed depths and anira-o on {name}"), "name = \"anira-o\"\ngamma = 0.02\nb = 1.5".to_owned())
            }
        };
        let words = [
            ("{{name}}", name),
            ("{{package}}", &format!("haltbench_{family}_{}", name.replace('-', "_"))),
            ("{{what}}", family),
            ("{{comparison}}", &comparison),
            ("{{task}}", &task),
            ("{{backbone}}", if own("backbone") { name } else { "anira" }),
            ("{{policy}}", &policy),
        ];
        let file = |path, text: &str| File {
            path,
            text: words.iter().fold(text.to_owned(), |text, (word, value)| text.replace(word, value)),
        };
        [
            file("Cargo.toml", include_str!("../../../templates/Cargo.toml.txt")),
            file("src/lib.rs", self.source()),
            file("README.md", include_str!("../../../templates/README.md.txt")),
            file("suite.toml", include_str!("../../../templates/suite.toml.txt")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_replaced() {
        for kind in Kind::value_variants() {
            for File { path, text } in kind.files("my-thing") {
                assert!(!text.contains("{{"), "{kind:?}, {path}: {text}");
                assert!(text.contains("my-thing") || text.contains("my_thing"), "{kind:?}, {path}: {text}");
            }
        }
    }
}
