//! Overrides of a suite file: `--set key=value`.

use haltbench_sdk::names;
use haltbench_sdk::visible::on_one_line;

use crate::error::{Error, Result};

/// Keys of a suite whose entries are named.
const LISTS: [&str; 3] = ["task", "backbone", "policy"];

/// The value that `text` stands for, on the command line as in a suite file: TOML, or a text without quotes.
pub fn value(text: &str) -> toml::Value {
    let word = || toml::Value::String(text.to_owned());
    if text.contains(['\n', '\r']) {
        return word();
    }
    match toml::from_str::<toml::Table>(&format!("value = {text}")).ok().and_then(|mut table| table.remove("value")) {
        // No value of a suite is a date.
        None | Some(toml::Value::Datetime(_)) => word(),
        Some(value) => value,
    }
}

/// Applies `key=value` to a suite's table. In an array of tables, a part of the key is the entry's label, or its name
/// if no other entry has it.
pub(super) fn apply(table: &mut toml::Table, assignment: &str) -> Result<()> {
    let usage = |message: String| Error::Usage(format!("--set {}: {message}", on_one_line(assignment)));
    let Some((parts, text)) = split(assignment) else {
        return Err(usage("expected key=value, such as training.steps=100".to_owned()));
    };
    let value = value(text);
    let mut parts = parts.iter().map(String::as_str).peekable();
    let mut table = table;
    let mut is_top = true;
    while let Some(part) = parts.next() {
        let Some(next) = parts.peek().copied() else {
            table.insert(part.to_owned(), value);
            return Ok(());
        };
        let is_list = is_top && LISTS.contains(&part);
        is_top = false;
        let entry = table.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        let is_named = match entry {
            toml::Value::Array(entries) => find(part, entries, next).map(|_| true).map_err(&usage)?,
            // `[policy]` alone may be named too, as if it were `[[policy]]`.
            toml::Value::Table(inner) => is_list && names_of(inner).contains(&next),
            _ => false,
        };
        if is_named {
            parts.next();
            if parts.peek().is_none() {
                let key = format!("{part}.{}", quoted(next));
                return Err(usage(format!("`{key}` is an entry, not a value: expected {key}.KEY=VALUE")));
            }
        }
        table = match entry {
            toml::Value::Array(entries) => find(part, entries, next).map_err(&usage)?,
            toml::Value::Table(inner) => inner,
            _ => return Err(usage(format!("`{part}` is a value, not a table"))),
        };
    }
    Ok(())
}

/// The parts of the key and the text of the value. A part with special characters is quoted in the key.
fn split(assignment: &str) -> Option<(Vec<String>, &str)> {
    let mut parts = Vec::new();
    let mut rest = assignment;
    loop {
        let part = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (part, after) = quoted.split_once('"')?;
                rest = after;
                part
            }
            None => {
                let (part, after) = rest.split_at(rest.find(['.', '='])?);
                rest = after;
                part
            }
        };
        if part.is_empty() {
            return None;
        }
        parts.push(part.to_owned());
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None => return Some((parts, rest.strip_prefix('=')?)),
        }
    }
}

/// A part of a key as [`split`] reads it.
fn quoted(part: &str) -> String {
    if part.contains(['.', '=', '"']) { format!("\"{part}\"") } else { part.to_owned() }
}

fn text<'a>(entry: &'a toml::Table, key: &str) -> Option<&'a str> {
    entry.get(key).and_then(toml::Value::as_str)
}

fn names_of(entry: &toml::Table) -> Vec<&str> {
    ["label", "name"].into_iter().filter_map(|key| text(entry, key)).collect()
}

/// The entry of `list` with this label or, if it is the only one, with this name.
fn find<'a>(list: &str, entries: &'a mut [toml::Value], wanted: &str) -> Result<&'a mut toml::Table, String> {
    let tables = || entries.iter().enumerate().filter_map(|(place, entry)| Some((place, entry.as_table()?)));
    let having = |key: &str| -> Vec<usize> {
        tables().filter(|(_, entry)| text(entry, key) == Some(wanted)).map(|(place, _)| place).collect()
    };
    let (labelled, named) = (having("label"), having("name"));
    let found = if labelled.is_empty() { named } else { labelled };
    let known = |places: &[usize]| -> Vec<String> {
        let at = |(place, _): &(usize, &toml::Table)| places.contains(place);
        tables().filter(at).filter_map(|(_, entry)| names_of(entry).first().map(|name| quoted(name))).collect()
    };
    match found[..] {
        [place] => entries[place].as_table_mut().ok_or_else(|| format!("`{list}` is a value, not a table")),
        [] => {
            let all = known(&(0..entries.len()).collect::<Vec<_>>());
            // A label with a dot is cut off at the dot unless it is quoted.
            let cut = all.iter().find(|name| name.starts_with(&format!("\"{wanted}.")));
            let near = cut.map(String::as_str).or_else(|| names::nearest(wanted, all.iter().map(String::as_str)));
            let near = near.map(|name| format!("; did you mean `{list}.{name}`?")).unwrap_or_default();
            Err(format!("`{list}` has no entry `{wanted}` ({}){near}", all.join(", ")))
        }
        ref several => {
            let labels = known(several);
            let labels: Vec<&String> = labels.iter().filter(|label| *label != wanted).collect();
            let count = several.len();
            let advice = match (list, labels.is_empty()) {
                ("policy", true) => "give each a `label`".to_owned(),
                ("policy", false) => {
                    let labels: Vec<String> = labels.iter().map(|label| format!("policy.{label}")).collect();
                    format!("expected one of {}", labels.join(", "))
                }
                _ => "change the file".to_owned(),
            };
            Err(format!("`{list}` has {count} entries `{wanted}`: {advice}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[task]\nname = \"mano\"\n[training]\nsteps = 3\n\
                        [[policy]]\nname = \"fixed\"\n[[policy]]\nname = \"calm\"\nlabel = \"v1.2\"\n\
                        [[policy]]\nname = \"calm\"\nlabel = \"fast\"\n[[policy]]\nname = \"act\"\n[[policy]]\nname = \"act\"\n";

    fn set(assignment: &str) -> Result<toml::Table, String> {
        let mut table: toml::Table = toml::from_str(TEXT).unwrap();
        apply(&mut table, assignment).map(|()| table).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_reach_tables_and_entries_by_label_or_name() {
        assert_eq!(set("training.steps=7").unwrap()["training"]["steps"], toml::Value::Integer(7));
        assert_eq!(set("task.name=brevo").unwrap()["task"]["name"], toml::Value::from("brevo"));
        // The only entry may be named.
        assert_eq!(set("task.mano.modulus=7").unwrap()["task"]["modulus"], toml::Value::Integer(7));
        assert_eq!(set("policy.fixed.depth=3").unwrap()["policy"][0]["depth"], toml::Value::Integer(3));
        assert_eq!(set("policy.\"v1.2\".threshold=0.5").unwrap()["policy"][1]["threshold"], toml::Value::Float(0.5));
        assert_eq!(set("policy.fast.threshold=[0.5]").unwrap()["policy"][2]["threshold"], value("[0.5]"));
        assert_eq!(set("policy.fast.label=a=b").unwrap()["policy"][2]["label"], toml::Value::from("a=b"));
    }

    #[test]
    fn what_is_wrong_or_not_unique_is_named() {
        for (assignment, expected) in [
            ("training.steps", "expected key=value, such as training.steps=100"),
            ("=3", "expected key=value, such as training.steps=100"),
            ("training.=3", "expected key=value, such as training.steps=100"),
            ("policy.\"open=3", "expected key=value, such as training.steps=100"),
            ("training.steps.more=3", "`steps` is a value, not a table"),
            ("policy.fixed=5", "`policy.fixed` is an entry, not a value: expected policy.fixed.KEY=VALUE"),
            ("task.mano=5", "`task.mano` is an entry, not a value: expected task.mano.KEY=VALUE"),
            (
                "policy.fixt.depth=3",
                "`policy` has no entry `fixt` (fixed, \"v1.2\", fast, act, act); did you mean `policy.fixed`?",
            ),
            (
                "policy.v1.2.threshold=3",
                "`policy` has no entry `v1` (fixed, \"v1.2\", fast, act, act); did you mean `policy.\"v1.2\"`?",
            ),
            (
                "policy.calm.threshold=0.5",
                "`policy` has 2 entries `calm`: expected one of policy.\"v1.2\", policy.fast",
            ),
            ("policy.act.tau=0.5", "`policy` has 2 entries `act`: give each a `label`"),
        ] {
            assert_eq!(set(assignment).unwrap_err(), format!("--set {assignment}: {expected}"));
        }
    }

    #[test]
    fn a_value_is_toml_or_a_word() {
        for (text, expected) in [
            ("7", toml::Value::Integer(7)),
            ("0.5", toml::Value::Float(0.5)),
            ("true", toml::Value::Boolean(true)),
            ("word", toml::Value::from("word")),
            ("\"a=b\"", toml::Value::from("a=b")),
            ("2020-01-01", toml::Value::from("2020-01-01")),
            ("1\nother = 2", toml::Value::from("1\nother = 2")),
            ("", toml::Value::from("")),
        ] {
            assert_eq!(value(text), expected);
        }
    }
}
