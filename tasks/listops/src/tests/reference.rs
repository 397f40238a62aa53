//! A plain recursive parser of expressions: the expected columns, straight from their definitions.

use std::collections::BTreeMap;

use haltbench_sdk::task::{Instance, Task};

use super::{by_height, draw, equal_lengths, listops, stream};

/// An expression as in a textbook.
pub enum Expression {
    Digit(u32),
    List(String, Vec<Expression>),
}

use Expression::{Digit, List};

impl Expression {
    pub fn read(words: &mut dyn Iterator<Item = &str>) -> Option<Self> {
        let word = words.next().unwrap();
        if word == "]" {
            return None;
        }
        match word.parse() {
            Ok(value) => Some(Digit(value)),
            Err(_) => {
                let mut arguments = Vec::new();
                while let Some(argument) = Self::read(words) {
                    arguments.push(argument);
                }
                Some(List(word.to_owned(), arguments))
            }
        }
    }

    fn arguments(&self) -> &[Expression] {
        match self {
            Digit(_) => &[],
            List(_, arguments) => arguments,
        }
    }

    /// The arguments that decide the value, and the value.
    fn decided(&self) -> (Vec<usize>, u32) {
        let List(operator, arguments) = self else { return (vec![], if let Digit(value) = self { *value } else { 0 }) };
        let values: Vec<u32> = arguments.iter().map(Self::value).collect();
        let mut sorted: Vec<(u32, usize)> = values.iter().copied().zip(0..).collect();
        sorted.sort();
        let count = sorted.len();
        match operator.as_str() {
            "[SM" => ((0..count).collect(), values.iter().sum::<u32>() % 10),
            "[MIN" => (vec![sorted[0].1], sorted[0].0),
            "[MAX" => {
                let largest = *values.iter().max().unwrap();
                (vec![values.iter().position(|value| *value == largest).unwrap()], largest)
            }
            "[MED" if count % 2 == 1 => (vec![sorted[count / 2].1], sorted[count / 2].0),
            "[MED" => {
                let [low, high] = [sorted[count / 2 - 1], sorted[count / 2]];
                (vec![low.1, high.1], (low.0 + high.0) / 2)
            }
            other => panic!("{other}"),
        }
    }

    pub fn value(&self) -> u32 {
        self.decided().1
    }

    fn operators(&self) -> usize {
        usize::from(matches!(self, List(..))) + self.arguments().iter().map(Self::operators).sum::<usize>()
    }

    pub fn height(&self) -> usize {
        let inner = self.arguments().iter().map(Self::height).max();
        inner.map_or(0, |height| 1 + height)
    }

    pub fn dependency(&self) -> usize {
        let inner = self.decided().0.into_iter().map(|argument| self.arguments()[argument].dependency()).max();
        inner.map_or(0, |depth| 1 + depth)
    }

    fn identity(&self) -> f32 {
        let List(operator, _) = self else { return f32::NAN };
        ["[MIN", "[MAX", "[MED", "[SM"].iter().position(|word| word == operator).unwrap() as f32
    }

    fn answer_columns(&self, span: usize) -> BTreeMap<&'static str, f32> {
        let List(operator, arguments) = self else { panic!("a digit has no answer") };
        let selected = if operator == "[SM" { f32::NAN } else { (self.decided().0[0] + 1) as f32 };
        let numbers = [
            ("ops", self.operators()),
            ("height", self.height()),
            ("dependency_depth", self.dependency()),
            ("arguments", arguments.len()),
            ("span", span),
        ];
        let numbers = numbers.into_iter().map(|(name, number)| (name, number as f32));
        numbers.chain([("operator", self.identity()), ("selected_argument", selected)]).collect()
    }

    /// The columns of every token: those of the parser, and those of the list at its closing bracket.
    fn rows(&self, open: usize, complete: usize, before: usize, rows: &mut Vec<BTreeMap<&'static str, f32>>) {
        let parser = |open: usize, complete: usize, before: usize| {
            let numbers = [("open_brackets", open), ("complete_arguments", complete), ("completed_subtree", before)];
            numbers.into_iter().map(|(name, number)| (name, number as f32)).collect::<BTreeMap<_, _>>()
        };
        rows.push(parser(open, complete, before));
        let List(_, arguments) = self else { return };
        let first = rows.len() - 1;
        rows[first].insert("operator", self.identity());
        let mut completed = 0;
        for (place, argument) in arguments.iter().enumerate() {
            argument.rows(open + 1, place, completed, rows);
            completed = argument.operators();
        }
        let mut last = parser(open + 1, arguments.len(), completed);
        last.extend(self.answer_columns(rows.len() - first));
        rows.push(last);
    }
}

fn compare(task: &dyn Task, instance: &Instance, is_stream: bool) {
    let expression = Expression::read(&mut instance.question.split(' ')).unwrap();
    let (length, size) = (instance.question.split(' ').count(), expression.height());
    let mut rows = vec![BTreeMap::new()];
    expression.rows(0, 0, 0, &mut rows);
    if !is_stream {
        // Answers are at the value alone.
        for row in &mut rows {
            for name in ["ops", "height", "dependency_depth", "arguments", "span", "selected_argument"] {
                row.remove(name);
            }
        }
        rows.extend([BTreeMap::new(), expression.answer_columns(length - 1)]);
        assert_eq!(instance.answer, expression.value().to_string());
    }
    for (token, row) in rows.iter_mut().enumerate() {
        row.extend([("length", length as f32), ("nesting", size as f32), ("position", token as f32)]);
    }
    assert_eq!(rows.len(), instance.tokens.len());
    let spec = task.spec();
    let complexities = spec.complexities.iter().map(|column| column.name).enumerate();
    let features = spec.features.iter().map(|column| column.name).enumerate();
    let columns = complexities
        .map(|(place, name)| (name, instance.complexities.column(place).collect::<Vec<_>>()))
        .chain(features.map(|(place, name)| (name, instance.features.column(place).collect())));
    for (name, column) in columns {
        for (token, value) in column.into_iter().enumerate() {
            let found = (!value.is_nan()).then_some(value);
            let expected = rows[token].remove(name).filter(|value| !value.is_nan());
            assert_eq!(found, expected, "{name} at {token} of {}", instance.question);
        }
    }
    assert!(rows.iter().all(|row| row.values().all(|value| value.is_nan())), "a column is missing");
}

/// The costs of `[SM 3 [MED 1 5 8 2 ] [MAX [MIN 9 6 ] 4 ] 7 ]`, whose value depends on all lists.
#[test]
fn known_costs() {
    let read = |text: &str| Expression::read(&mut text.split(' ')).unwrap();
    let costs = |text: &str| {
        let expression = read(text);
        (expression.value(), expression.height(), expression.operators(), expression.dependency())
    };
    assert_eq!(costs("[SM 3 [MED 1 5 8 2 ] [MAX [MIN 9 6 ] 4 ] 7 ]"), (9, 3, 4, 3));
    assert_eq!(costs("[MAX 9 [MIN 3 [SM 4 4 ] ] ]"), (9, 3, 3, 1));
    assert_eq!(costs("[MIN 9 [MIN 3 [SM 4 4 ] ] ]"), (3, 3, 3, 2));
    assert_eq!(costs("[MED 9 [MIN 3 [SM 4 4 ] ] ]"), (6, 3, 3, 2));
}

#[test]
fn columns_are_those_of_the_definitions() {
    let (default, single, stream) = (listops(), by_height(), stream());
    for size in 1..=8 {
        for seed in 0..250 {
            compare(&*default, &draw(&*default, size, seed % 50), false);
            compare(&*single, &draw(&*single, size, seed), false);
            compare(&*stream, &draw(&*stream, size, seed), true);
        }
    }
    let [single, stream] = equal_lengths();
    for size in 3..=8 {
        for seed in 0..100 {
            compare(&*single, &draw(&*single, size, seed), false);
            compare(&*stream, &draw(&*stream, size, seed), true);
        }
    }
}
