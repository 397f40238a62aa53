//! Questions as text: the generator writes them, the solver and the checker read them.

use haltbench_sdk::error::shorten;
use haltbench_sdk::{Error, Result, names};

use crate::answer::{whole, write_number};
use crate::input::{Graph, Input};
use crate::published::{Algorithm, Edges, Form, Row, TABLE};
use crate::{answer, finite};

/// The content of an input's field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Number,
    Vector,
    Matrix,
}

/// Most numbers of a list, four times as many as the largest published size: some checks take the fourth power of it.
const MOST_NUMBERS: usize = 256;

/// A field of an input: its name, its content, and whether its numbers are whole.
type Field = (&'static str, Shape, bool);

fn fields(form: Form) -> &'static [Field] {
    use Shape::{Matrix, Number, Vector};
    match form {
        Form::Keys => &[("key", Vector, false)],
        Form::Search => &[("key", Vector, false), ("target", Number, false)],
        Form::Dimensions => &[("p", Vector, false)],
        Form::Probabilities => &[("p", Vector, false), ("q", Vector, false)],
        Form::Activities => &[("s", Vector, false), ("f", Vector, false)],
        Form::Tasks => &[("d", Vector, true), ("w", Vector, false)],
        Form::Strings => &[("string", Vector, true), ("key", Vector, true)],
        Form::Points => &[("x", Vector, false), ("y", Vector, false)],
        Form::Graph(Edges { whole: true, .. }) => &[("A", Matrix, true)],
        Form::Graph(_) => &[("A", Matrix, false)],
        Form::SourcedGraph(Edges { whole: true, .. }) => &[("s", Number, true), ("A", Matrix, true)],
        Form::SourcedGraph(_) => &[("s", Number, true), ("A", Matrix, false)],
    }
}

/// Writes the question that gives `input` to an algorithm.
pub fn write(text: &mut String, row: &Row, input: &Input) {
    text.push_str(row.name);
    text.push_str(":\n");
    let (source, letters, strings);
    let values: [&[f64]; 2] = match input {
        Input::Keys(keys) => [keys, &[]],
        Input::Search { keys, target } => [keys, std::slice::from_ref(target)],
        Input::Pair(first, second) => [first, second],
        Input::Strings { first, second } => {
            strings = first.iter().map(|_| 0.0).chain(second.iter().map(|_| 1.0)).collect::<Vec<_>>();
            letters = first.iter().chain(second).map(|letter| f64::from(*letter)).collect::<Vec<_>>();
            [&strings, &letters]
        }
        Input::Graph(graph) if matches!(row.form, Form::SourcedGraph(_)) => {
            source = [graph.source as f64];
            [&source, &graph.weights]
        }
        Input::Graph(graph) => [&graph.weights, &[]],
    };
    for (number, ((name, shape, whole), values)) in fields(row.form).iter().zip(values).enumerate() {
        if number > 0 {
            text.push_str(", ");
        }
        text.push_str(name);
        text.push_str(": ");
        match shape {
            Shape::Number => write_list(text, values, *whole),
            Shape::Vector => {
                text.push('[');
                write_list(text, values, *whole);
                text.push(']');
            }
            Shape::Matrix => {
                for (place, line) in values.chunks(values.len().isqrt().max(1)).enumerate() {
                    text.push_str(if place == 0 { "[[" } else { "], [" });
                    write_list(text, line, *whole);
                }
                text.push_str("]]");
            }
        }
    }
    text.push('\n');
    text.push_str(row.outputs);
    text.push_str(":\n");
}

fn write_list(text: &mut String, values: &[f64], whole: bool) {
    for (place, value) in values.iter().enumerate() {
        if place > 0 {
            text.push(' ');
        }
        if whole { write_whole(text, *value) } else { write_number(text, *value) }
    }
}

fn write_whole(text: &mut String, value: f64) {
    use std::fmt::Write;
    // Writing to a string cannot fail.
    let _ = write!(text, "{}", value as i64);
}

/// Reads a question. Positions are bytes; errors count characters, which are the task's tokens.
struct Reader<'a> {
    text: &'a str,
    place: usize,
}

impl Reader<'_> {
    fn error<T>(&self, place: usize, message: impl Into<String>) -> Result<T> {
        let position = self.text[..place].chars().count() + 1;
        Err(Error::malformed(position, message))
    }

    fn found(&self) -> String {
        match self.text[self.place..].lines().next() {
            None => "the end".to_owned(),
            Some("") => "the end of the line".to_owned(),
            Some(line) => format!("`{}`", shorten(line)),
        }
    }

    fn expect(&mut self, literal: &str) -> Result<()> {
        let rest = &self.text[self.place..];
        if rest.starts_with(literal) {
            self.place += literal.len();
            return Ok(());
        }
        // The error is at the first character that differs.
        let common = rest.bytes().zip(literal.bytes()).take_while(|(found, wanted)| found == wanted).count();
        let place = self.place + common;
        self.error(place, format!("expected `{}`, found {}", literal.escape_debug(), self.found()))
    }

    fn sees(&self, literal: &str) -> bool {
        self.text[self.place..].starts_with(literal)
    }

    /// A number and its position.
    fn number(&mut self, integral: bool) -> Result<(f64, usize)> {
        let start = self.place;
        let rest = &self.text[start..];
        let word = &rest[..rest.find([' ', ']', ',', '\n']).unwrap_or(rest.len())];
        let Some(number) = (if integral { integer(word) } else { answer::finite(word) }) else {
            let expected = if integral { "a whole number" } else { "a number" };
            return self.error(start, format!("expected {expected}, found {}", self.found()));
        };
        self.place += word.len();
        Ok((number, start))
    }

    /// Reads numbers up to a closing bracket; the opening one has been read.
    fn list(&mut self, whole: bool, values: &mut Values) -> Result<()> {
        self.expect("[")?;
        let first = values.numbers.len();
        loop {
            let (value, place) = self.number(whole)?;
            values.numbers.push(value);
            values.places.push(place);
            if values.numbers.len() - first > MOST_NUMBERS {
                return self.error(place, format!("expected at most {MOST_NUMBERS} numbers in a list, found more"));
            }
            if self.sees("]") {
                return self.expect("]");
            }
            self.expect(" ")?;
        }
    }

    fn field(&mut self, (name, shape, whole): Field) -> Result<Values> {
        self.expect(name)?;
        self.expect(": ")?;
        let mut values = Values { start: self.place, ..Values::default() };
        match shape {
            Shape::Number => {
                let (value, place) = self.number(whole)?;
                values.numbers.push(value);
                values.places.push(place);
            }
            Shape::Vector => self.list(whole, &mut values)?,
            Shape::Matrix => {
                self.expect("[")?;
                self.list(whole, &mut values)?;
                let side = values.numbers.len();
                for row in 1..side {
                    self.expect(", ")?;
                    let start = self.place;
                    self.list(whole, &mut values)?;
                    let found = values.numbers.len() - row * side;
                    if found != side {
                        return self.error(start, format!("expected a row of {side} numbers, found {found}"));
                    }
                }
                self.expect("]")?;
            }
        }
        values.end = self.place;
        Ok(values)
    }
}

/// A whole number, with any number of decimals that are 0.
fn integer(word: &str) -> Option<f64> {
    let as_decimal = || answer::finite(word).filter(|number| number.fract() == 0.0 && number.abs() < MOST_INTEGER);
    whole(word).or_else(as_decimal)
}

/// Whole numbers are smaller.
const MOST_INTEGER: f64 = 2_147_483_648.0;

/// The numbers of a field with their positions in the question.
#[derive(Default)]
struct Values {
    numbers: Vec<f64>,
    places: Vec<usize>,
    start: usize,
    end: usize,
}

/// Where CLRS-Text writes the states of an algorithm: in a field of the input, and before the outputs.
const TRACES: [&str; 2] = ["initial_trace", "trace | "];

/// Reads a question.
///
/// # Errors
/// [`Error::Malformed`] with the first invalid character.
pub fn read(text: &str) -> Result<(&'static Row, Input)> {
    let mut reader = Reader { text, place: 0 };
    if let Some(place) = TRACES.iter().filter_map(|trace| text.find(trace)).min() {
        reader.place = place;
        let expected = "a question without a trace, because traces of states are not supported";
        return reader.error(place, format!("expected {expected}, found {}", reader.found()));
    }
    let name = text.split([':', '\n']).next().unwrap_or_default();
    let Some(row) = TABLE.iter().find(|row| row.name == name) else {
        let near = names::nearest(name, TABLE.iter().map(|row| row.name));
        let near = near.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        return reader.error(0, format!("expected the name of an algorithm, found {}{near}", reader.found()));
    };
    reader.expect(row.name)?;
    reader.expect(":\n")?;
    let mut read = Vec::new();
    for (number, field) in fields(row.form).iter().enumerate() {
        if number > 0 {
            reader.expect(", ")?;
        }
        read.push(reader.field(*field)?);
    }
    let input = understand(&reader, row, read)?;
    reader.expect("\n")?;
    reader.expect(row.outputs)?;
    reader.expect(":")?;
    let rest = &text[reader.place..];
    match rest.find(|character: char| !character.is_whitespace()) {
        None => Ok((row, input)),
        Some(extra) => {
            reader.place += extra;
            reader.error(reader.place, format!("expected the end, found {}", reader.found()))
        }
    }
}

/// Validates the numbers together.
fn understand(reader: &Reader, row: &Row, read: Vec<Values>) -> Result<Input> {
    let refuse = |values: &Values, bad: &dyn Fn(f64) -> bool, expected: &str| match values
        .numbers
        .iter()
        .position(|number| bad(*number))
    {
        Some(index) => {
            reader.error(values.places[index], format!("expected {expected}, found {}", values.numbers[index]))
        }
        None => Ok(()),
    };
    let overflow = |values: &Values, found: Option<usize>, expected: &str| match found {
        Some(index) => {
            reader.error(values.places[index], format!("expected {expected}, found {:?}", values.numbers[index]))
        }
        None => Ok(()),
    };
    let mut read = read.into_iter();
    let first = read.next().unwrap_or_default();
    let second = read.next();
    Ok(match (row.form, second) {
        (Form::Graph(edges), _) => Input::Graph(graph(reader, edges, first, 0)?),
        (Form::SourcedGraph(edges), Some(matrix)) => {
            let nodes = matrix.numbers.len().isqrt();
            let expected = format!("a node from 0 to {}", nodes - 1);
            refuse(&first, &|source| !(0.0..nodes as f64).contains(&source), &expected)?;
            Input::Graph(graph(reader, edges, matrix, first.numbers[0] as usize)?)
        }
        (Form::Dimensions, _) => {
            refuse(&first, &|number| number < 0.0, "a number of at least 0")?;
            overflow(&first, finite::product_overflows(&first.numbers), "dimensions whose products are finite")?;
            Input::Keys(first.numbers)
        }
        (Form::Search, Some(target)) => {
            if let Some(index) = first.numbers.windows(2).position(|pair| pair[0] > pair[1]) {
                return reader.error(first.places[index + 1], "expected keys in ascending order");
            }
            Input::Search { keys: first.numbers, target: target.numbers[0] }
        }
        (Form::Strings, Some(letters)) => {
            refuse(&first, &|string| string != 0.0 && string != 1.0, "0 or 1")?;
            same_length(reader, &first, &letters)?;
            refuse(&letters, &|letter| !(0.0..4.0).contains(&letter), "a letter from 0 to 3")?;
            let split = first.numbers.iter().filter(|string| **string == 0.0).count();
            if !first.numbers.is_sorted() || split == 0 || split == first.numbers.len() {
                return reader.error(first.start, "expected one or more 0, then one or more 1");
            }
            let mut letters: Vec<u8> = letters.numbers.iter().map(|letter| *letter as u8).collect();
            let second = letters.split_off(split);
            Input::Strings { first: letters, second }
        }
        (form, Some(second)) => {
            same_length(reader, &first, &second)?;
            match form {
                Form::Probabilities => {
                    refuse(&first, &|number| !(0.0..=1.0).contains(&number), "a probability from 0 to 1")?;
                    refuse(&second, &|number| !(0.0..=1.0).contains(&number), "a probability from 0 to 1")?;
                    if first.numbers.last() != Some(&0.0) {
                        let last = first.places.last().copied().unwrap_or(first.start);
                        return reader.error(last, "expected 0.0, which fills the keys up");
                    }
                }
                Form::Points if row.name == "segments_intersect" && first.numbers.len() != 4 => {
                    return reader.error(first.start, format!("expected 4 numbers, found {}", first.numbers.len()));
                }
                Form::Points => {
                    for values in [&first, &second] {
                        overflow(
                            values,
                            finite::area_overflows(&values.numbers),
                            "coordinates whose areas are finite",
                        )?;
                    }
                }
                _ => {}
            }
            Input::Pair(first.numbers, second.numbers)
        }
        (_, None) => {
            if row.algorithm == Algorithm::FindMaximumSubarrayKadane {
                overflow(&first, finite::sum_overflows(&first.numbers), "keys whose sums are finite")?;
            }
            Input::Keys(first.numbers)
        }
    })
}

fn same_length(reader: &Reader, first: &Values, second: &Values) -> Result<()> {
    let (wanted, found) = (first.numbers.len(), second.numbers.len());
    if wanted == found {
        return Ok(());
    }
    let place = second.places.get(wanted).copied().unwrap_or(second.end.saturating_sub(1));
    reader.error(place, format!("expected {wanted} numbers, found {found}"))
}

fn graph(reader: &Reader, edges: Edges, matrix: Values, source: usize) -> Result<Graph> {
    let bad = |weight: f64| if edges.weighted { weight < 0.0 } else { weight != 0.0 && weight != 1.0 };
    if let Some(index) = matrix.numbers.iter().position(|weight| bad(*weight)) {
        let expected = if edges.weighted { "a weight of at least 0" } else { "0 or 1" };
        return reader.error(matrix.places[index], format!("expected {expected}, found {}", matrix.numbers[index]));
    }
    if let Some(index) = finite::sum_overflows(&matrix.numbers) {
        let found = matrix.numbers[index];
        return reader.error(matrix.places[index], format!("expected weights whose sum is finite, found {found:?}"));
    }
    let nodes = matrix.numbers.len().isqrt();
    let graph = Graph { nodes, weights: matrix.numbers, source };
    if edges.undirected
        && let Some((from, to)) = graph.asymmetry()
    {
        let message = format!("expected the weight of the edge from {from} to {to}, which goes both ways");
        return reader.error(matrix.places[to * nodes + from], message);
    }
    if edges.acyclic
        && let Some(node) = graph.on_cycle()
    {
        let message = format!("expected a graph without cycles, and node {node} cannot be put in order");
        return reader.error(matrix.places[node * nodes], message);
    }
    Ok(graph)
}
