//! JSON lines in, JSON lines out: one reply for every line, even for an invalid one.

use std::io::{self, BufRead, Read};

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::notice;
use crate::output::Output;

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
    while read_line(&mut input, &mut bytes).map_err(|error| Failure::stdin(&error))? {
        lines += 1;
        let line = if lines == 1 { bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes) } else { &bytes };
        let object = parse(line);
        let id = object.as_ref().ok().and_then(|_| raw_id(line));
        match object.as_ref().map_err(Clone::clone).and_then(&reply) {
            Ok(reply) => output.line(&line_of(id, &reply)?)?,
            Err(message) => {
                unusable += 1;
                notice::say(&format!("line {lines}"), &message);
                output.line(&line_of(id, &Complaint { error: &message })?)?;
            }
        }
        output.flush()?;
    }
    match unusable {
        0 => Ok(0),
        _ => Err(Failure::damaged(format!("{unusable} of {lines} lines of standard input cannot be used"))),
    }
}

/// Most bytes of a line.
const LONGEST: u64 = 1 << 24;

/// What some editors write at the start of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads the next line into `line`, with its line end; false at the end of the input. Of a line that is too long, keeps
/// one byte more than allowed.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let count = input.by_ref().take(LONGEST + 1).read_until(b'\n', line)?;
    if count as u64 > LONGEST && line.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
    }
    Ok(count > 0)
}

/// A line of the output: the input's key `id` as it was written, if there is one, and the reply.
fn line_of(id: Option<&str>, reply: &impl Serialize) -> Result<String, Failure> {
    let reply = serde_json::to_string(reply).map_err(|error| Failure::internal(&error.to_string()))?;
    Ok(id.map_or_else(|| reply.clone(), |id| format!("{{\"id\":{id},{}", reply.trim_start_matches('{'))))
}

/// The value of the key `id` of an object as it is written: another spelling of a number may be another name. As for
/// every key, the last of several counts.
fn raw_id(object: &[u8]) -> Option<&str> {
    let mut rest = object.trim_ascii().strip_prefix(b"{")?;
    let mut id = None;
    loop {
        let Some((key, _, after)) = first::<String>(rest) else { return id };
        let (_, value, after) = first::<IgnoredAny>(after.trim_ascii_start().strip_prefix(b":")?)?;
        if key == "id" {
            id = std::str::from_utf8(value).ok();
        }
        let after = after.trim_ascii_start();
        rest = after.strip_prefix(b",").unwrap_or(after);
    }
}

/// The JSON value at the start of `text`, how it is written, and what follows.
fn first<T: DeserializeOwned>(text: &[u8]) -> Option<(T, &[u8], &[u8])> {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<T>();
    let value = values.next()?.ok()?;
    let (written, rest) = text.split_at(values.byte_offset());
    Some((value, written.trim_ascii(), rest))
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
    if line.len() as u64 > LONGEST {
        return Err(format!("expected a JSON object of at most {LONGEST} bytes, found a longer line"));
    }
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

    #[test]
    fn an_id_is_given_back_as_it_is_written() {
        for id in ["123456789012345678901234567890", "1.10", "1e3", "-0", "\"\\u00e9\"", "[1, {\"a\": 2.50}]", "null"] {
            let line = format!("{{\"id\": {id}, \"question\": \"1\"}}");
            let raw = raw_id(line.as_bytes()).unwrap();
            let told = line_of(Some(raw), &Complaint { error: "no" }).unwrap();
            assert_eq!(told, format!("{{\"id\":{id},\"error\":\"no\"}}"));
        }
        assert_eq!(raw_id(b"{\"id\": 1, \"id\": 2}"), Some("2"));
        assert_eq!(raw_id(b" {\"a\": {\"id\": 1}, \"b,\": [\"}\"], \"\\u0069d\" : 1.0 }\n"), Some("1.0"));
        assert_eq!(raw_id(b"{\"question\": 2}"), None);
        assert_eq!(raw_id(b"{}"), None);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let mut input = vec![b'x'; LONGEST as usize + 9];
        input.extend(b"\n{}\n");
        let (mut input, mut line) = (input.as_slice(), Vec::new());
        assert!(read_line(&mut input, &mut line).unwrap());
        assert!(parse(&line).unwrap_err().ends_with("found a longer line"));
        assert!(read_line(&mut input, &mut line).unwrap() && line == b"{}\n");
        assert!(!read_line(&mut input, &mut line).unwrap());
    }
}
