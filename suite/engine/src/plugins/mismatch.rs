//! The difference of two fingerprints, field by field.

use std::fmt;
use std::path::PathBuf;

/// One field of the fingerprint, in the program and in the plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Name of the field: `rustc`, `target`, `profile`, `features`, `sdk`, `candle`.
    pub name: String,
    /// The program's value; `None` if it has no such field.
    pub host: Option<String>,
    /// The plugin's value; `None` if it has no such field.
    pub plugin: Option<String>,
}

impl Field {
    /// Whether both have the same value.
    pub fn agrees(&self) -> bool {
        self.host == self.plugin
    }
}

/// A plugin whose fingerprint differs from the program's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// The plugin.
    pub file: PathBuf,
    /// All fields of both.
    pub fields: Vec<Field>,
}

impl std::error::Error for Mismatch {}

impl Mismatch {
    /// Compares the fingerprint of `file` with the program's; `None` if they are equal.
    pub fn between(file: PathBuf, host: &[(String, String)], plugin: &[(String, String)]) -> Option<Self> {
        if host == plugin {
            return None;
        }
        let value = |fields: &[(String, String)], name: &str| {
            fields.iter().find(|field| field.0 == name).map(|field| field.1.clone())
        };
        let mut names: Vec<&String> = host.iter().map(|field| &field.0).collect();
        for (name, _) in plugin {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let field = |name: &String| Field { name: name.clone(), host: value(host, name), plugin: value(plugin, name) };
        Some(Self { file, fields: names.into_iter().map(field).collect() })
    }

    /// Names of the fields that differ.
    pub fn differing(&self) -> Vec<&str> {
        self.fields.iter().filter(|field| !field.agrees()).map(|field| field.name.as_str()).collect()
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        fn text(value: &Option<String>) -> &str {
            value.as_deref().unwrap_or("(absent)")
        }
        let differing = self.differing();
        writeln!(
            formatter,
            "{}: its fingerprint differs from this program's in {}; it was not opened",
            self.file.display(),
            if differing.is_empty() { "the order of its fields".to_owned() } else { differing.join(", ") }
        )?;
        for field in &self.fields {
            let mark = if field.agrees() { ' ' } else { '!' };
            writeln!(formatter, " {mark} {:<9} program {}", field.name, text(&field.host))?;
            writeln!(formatter, " {mark} {:<9} plugin  {}", "", text(&field.plugin))?;
        }
        write!(
            formatter,
            "give --plugin the folder of its crate, and `haltbench` builds it against this program; a plugin of the \
             suite's workspace is rebuilt by `cargo build --workspace` there"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn shows_both_values_of_every_field_and_marks_those_that_differ() {
        let host = fields(&[("rustc", "1.95.0"), ("sdk", "aaaa")]);
        let plugin = fields(&[("rustc", "1.95.0"), ("sdk", "bbbb"), ("extra", "x")]);
        let mismatch = Mismatch::between("p.so".into(), &host, &plugin).unwrap();
        assert_eq!(mismatch.differing(), ["sdk", "extra"]);
        let expected = "\
p.so: its fingerprint differs from this program's in sdk, extra; it was not opened
   rustc     program 1.95.0
             plugin  1.95.0
 ! sdk       program aaaa
 !           plugin  bbbb
 ! extra     program (absent)
 !           plugin  x
give --plugin the folder of its crate, and `haltbench` builds it against this program; a plugin of the suite's workspace \
is rebuilt by `cargo build --workspace` there";
        assert_eq!(mismatch.to_string(), expected);
        assert_eq!(Mismatch::between("p.so".into(), &host, &host), None);
    }
}
