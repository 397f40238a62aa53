//! JSON lines in, JSON lines out: one reply for every line, even for an invalid one.

use std::io::{self, BufRead};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::notice;
use crate::output::Output;

/// A line of the output: the input's key `id`, if there is one, and the result.
#[derive(Serialize)]
struct Line<'a, T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Value>,
    #[serde(flatten)]
    reply: T,
}

/// The reply to an invalid line.
#[derive(Serialize)]
struct Complaint<'a> {
    error: &'a str,
}

/// Replies to each line of standard input on standard output as soon as it is read. The reply to an invalid line is
/// `{"error": …}`, also reported on standard error; all other lines are still processed.
///
/// # Errors
/// If a stream fails, or at the end if there were invalid lines: damaged data.
pub fn converse<T: Serialize>(reply: impl Fn(&Map<String, Value>) -> Result<T, String>) -> Result<i32, Failure> {
    let mut input = io::stdin().lock();
    let mut output = Output::new();
    let (mut lines, mut unusable) = (0_u64, 0_u64);
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let count = input
            .read_until(b'\n', &mut bytes)
            .map_err(|error| Failure::usage(format!("standard input: cannot be read: {error}")))?;
        if count == 0 {
            break;
        }
        lines += 1;
        let object = parse(&bytes);
        let id = object.as_ref().ok().and_then(|object| object.get("id"));
        match object.as_ref().map_err(Clone::clone).and_then(&reply) {
            Ok(reply) => output.json_line(&Line { id, reply })?,
            Err(message) => {
                unusable += 1;
                notice::say(&format!("line {lines}"), &message);
                output.json_line(&Line { id, reply: Complaint { error: &message } })?;
            }
        }
        output.flush()?;
    }
    match unusable {
        0 => Ok(0),
        _ => Err(Failure::damaged(format!("{unusable} of {lines} lines of standard input cannot be used"))),
    }
}

/// The text under `key`.
///
/// # Errors
/// A message that says what was found instead.
pub fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Result<&'a str, String> {
    match object.get(key) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(format!("key `{key}`: expected a text, found {}", kind(other))),
        None => {
            let near = haltbench_sdk::names::nearest(key, object.keys().map(String::as_str));
            let near = near.map(|name| format!("; there is `{name}`")).unwrap_or_default();
            Err(format!("key `{key}`: expected a text, found no such key{near}"))
        }
    }
}

fn parse(line: &[u8]) -> Result<Map<String, Value>, String> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    match serde_json::from_slice(line) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(format!("expected a JSON object, found {}", kind(&other))),
        Err(_) if line.trim_ascii().is_empty() => Err("expected a JSON object, found an empty line".to_owned()),
        Err(error) => {
            // The parser counts lines within this line.
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            Err(format!("expected a JSON object: {message} at column {}", error.column()))
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_wrong_with_a_line() {
        let message =
            |line: &str| parse(line.as_bytes()).and_then(|object| text(&object, "question").map(str::to_owned));
        assert_eq!(message("{\"question\": \"+ 1 2\"}\n").unwrap(), "+ 1 2");
        for (line, expected) in [
            ("", "expected a JSON object, found an empty line"),
            ("[1]", "expected a JSON object, found an array"),
            ("{\"a\": }", "expected a JSON object: expected value at column 7"),
            ("{\"question\": 3}", "key `question`: expected a text, found a number"),
            ("{\"qestion\": \"\"}", "key `question`: expected a text, found no such key; there is `qestion`"),
        ] {
            assert_eq!(message(line).unwrap_err(), expected);
        }
        assert!(parse(b"{\"question\": \"\xff\"}").is_err());
    }
}
