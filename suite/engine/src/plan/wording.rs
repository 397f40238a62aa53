//! Translates error messages of the TOML parser: what was expected, what was found, and the nearest key.

use haltbench_sdk::names;

/// The parser's whole message, translated, with the place that it shows.
pub fn of(error: &toml::de::Error) -> String {
    let whole = error.to_string();
    whole.trim_end().replace(error.message(), &plain(error.message()))
}

/// Only the parser's message, translated, for values whose place is known.
pub fn sentence(error: &toml::de::Error) -> String {
    plain(error.message())
}

/// One sentence of the parser, translated; unknown sentences stay as they are.
fn plain(message: &str) -> String {
    let kind = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    if let Some((found, expected)) = kind.and_then(|rest| rest.split_once(", expected ")) {
        return format!("expected {}, found {}", named(expected), named_value(found));
    }
    if let Some((name, known)) = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`')) {
        let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        let near = names::nearest(name, known.iter().copied());
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return format!("unknown key `{name}`, expected one of {}{near}", known.join(", "));
    }
    if let Some(name) = message.strip_prefix("missing field ") {
        return format!("expected the key {name}, found none");
    }
    message.to_owned()
}

fn named(expected: &str) -> String {
    match expected {
        "u64" | "usize" | "u32" => "a whole number of at least 0".to_owned(),
        "f64" => "a number".to_owned(),
        "a string" => "a text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        other => match other.strip_prefix("struct ") {
            Some(_) => "a table".to_owned(),
            None => other.to_owned(),
        },
    }
}

/// `string "abc"` as `"abc"`, ``integer `3` `` as `3`.
fn named_value(found: &str) -> String {
    match found {
        "map" => return "a table".to_owned(),
        "sequence" => return "a list".to_owned(),
        _ => {}
    }
    let kinds = ["string ", "integer ", "floating point ", "boolean "];
    let value = kinds.iter().find_map(|kind| found.strip_prefix(kind)).unwrap_or(found);
    value.trim_matches('`').to_owned()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn says_what_was_expected_and_what_was_found() {
        for (reader, ours) in [
            ("invalid type: string \"abc\", expected u64", "expected a whole number of at least 0, found \"abc\""),
            ("invalid type: integer `3`, expected struct TrainingSettings", "expected a table, found 3"),
            ("invalid value: integer `-3`, expected u64", "expected a whole number of at least 0, found -3"),
            (
                "unknown field `stops`, expected one of `steps`, `batch`",
                "unknown key `stops`, expected one of steps, batch; did you mean `steps`?",
            ),
            ("missing field `name`", "expected the key `name`, found none"),
            ("something else", "something else"),
        ] {
            assert_eq!(plain(reader), ours);
        }
    }
}
