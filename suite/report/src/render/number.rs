//! Numbers for people, and the footnotes that explain missing ones.

use haltbench_engine::store::MetricRow;

/// How a measure is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// A share, as percent.
    Percent,
    /// A difference of shares, as signed percentage points.
    Points,
    /// A number of steps.
    Steps,
    /// A difference of numbers of steps, with its sign.
    Added,
    /// A correlation.
    Correlation,
    /// Natural units of information.
    Nats,
    /// A number of operations, without its interval.
    Operations,
    /// A speed-up factor.
    Times,
    /// A probability, to three digits.
    Probability,
    /// A number without a unit, in full.
    Plain,
}

/// Values closer to zero count as zero.
const ROUNDING: f64 = 1e-12;

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            // A value that rounds to 100.0 gets one digit less, so that an interval fits its column.
            Self::Percent => match fixed(100.0 * value, 1) {
                text if text == "100.0" => "100".to_owned(),
                text => text,
            },
            Self::Points => signed(fixed(100.0 * value, 1)),
            Self::Added => signed(fixed(value, 2)),
            Self::Steps | Self::Correlation => fixed(value, 2),
            Self::Nats => fixed(value, 3),
            Self::Operations => operations(value),
            Self::Times => format!("{}×", fixed(value, 2)),
            Self::Probability if value < 0.0005 => "<0.001".to_owned(),
            Self::Probability => fixed(value, 3),
            Self::Plain => (value as f32).to_string(),
        }
    }
}

impl Unit {
    /// An end of an interval. An end that rounds to zero keeps its sign, because readers must see whether the interval
    /// contains zero.
    fn end(self, value: f64) -> String {
        let text = self.show(value);
        let is_zero = text.chars().all(|digit| matches!(digit, '0' | '.'));
        let has_sign = matches!(self, Self::Points | Self::Added | Self::Correlation);
        match value {
            _ if !is_zero || !has_sign || value.abs() < ROUNDING => text,
            below if below < 0.0 => format!("-{text}"),
            _ if self == Self::Correlation => text,
            _ => format!("+{text}"),
        }
    }
}

/// Puts a plus before positive numbers.
fn signed(text: String) -> String {
    let is_zero = text.chars().all(|digit| matches!(digit, '0' | '.'));
    if text.starts_with('-') || is_zero { text } else { format!("+{text}") }
}

/// A number with a fixed number of decimals; never minus zero.
fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let zero = text.trim_start_matches('-').chars().all(|digit| matches!(digit, '0' | '.'));
    if zero { text.trim_start_matches('-').to_owned() } else { text }
}

/// Three significant digits with a unit prefix.
fn operations(value: f64) -> String {
    let mut scaled = value;
    let mut prefixes = ["", " k", " M", " G", " T", " P"].into_iter();
    let mut prefix = prefixes.next().unwrap_or_default();
    // 999.5 would be rounded to 1000 of this prefix.
    while scaled.abs() >= 999.5 {
        let Some(next) = prefixes.next() else { break };
        (scaled, prefix) = (scaled / 1000.0, next);
    }
    let decimals = match scaled.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        _ => 2,
    };
    format!("{}{prefix}", fixed(scaled, decimals))
}

/// Explanations of a board's missing numbers, each once.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<String>);

impl Notes {
    /// The mark of an explanation.
    pub fn mark(&mut self, text: &str) -> String {
        let known = self.0.iter().position(|note| note == text);
        let place = known.unwrap_or_else(|| {
            self.0.push(text.to_owned());
            self.0.len() - 1
        });
        superscript(place + 1)
    }

    /// All explanations with their marks.
    pub fn lines(&self) -> Vec<String> {
        self.0.iter().zip(1..).map(|(note, number)| format!("{} {note}", superscript(number))).collect()
    }
}

fn superscript(number: usize) -> String {
    let raised = |digit: char| digit.to_digit(10).and_then(|digit| "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(digit as usize));
    number.to_string().chars().filter_map(raised).collect()
}

/// A measure with its interval. A missing measure or interval is a dash with a mark.
pub(super) fn measure(metric: Option<&MetricRow>, unit: Unit, notes: &mut Notes) -> String {
    let Some(metric) = metric else { return missing("it was not measured", notes) };
    let number =
        Number { value: metric.value, interval: metric.low.zip(metric.high), reason: metric.reason.as_deref() };
    number.show(unit, notes)
}

/// A missing number.
pub(super) fn missing(reason: &str, notes: &mut Notes) -> String {
    format!("–{}", notes.mark(reason))
}

/// A number with its interval.
pub(super) struct Number<'a> {
    pub value: Option<f64>,
    pub interval: Option<(f64, f64)>,
    /// Why the value or its interval is missing.
    pub reason: Option<&'a str>,
}

impl Number<'_> {
    /// The number as text. A missing number or interval has a mark.
    pub fn show(&self, unit: Unit, notes: &mut Notes) -> String {
        let Some(value) = self.value else {
            return missing(self.reason.unwrap_or("no reason is recorded"), notes);
        };
        match self.interval {
            Some((low, high)) if unit != Unit::Operations => {
                format!("{} [{}, {}]", unit.show(value), unit.end(low), unit.end(high))
            }
            Some(_) => unit.show(value),
            None => {
                let mark = self.reason.map(|reason| notes.mark(&format!("no interval: {reason}"))).unwrap_or_default();
                format!("{}{mark}", unit.show(value))
            }
        }
    }
}

/// A measure without its interval; `None` if it is missing.
pub(super) fn value(metric: Option<&MetricRow>, unit: Unit) -> Option<String> {
    metric.and_then(|metric| metric.value).map(|value| unit.show(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_without_minus_zero_and_within_the_width() {
        assert_eq!(Unit::Percent.show(0.9996), "100");
        assert_eq!(Unit::Percent.show(0.9994), "99.9");
        assert_eq!(Unit::Points.show(-0.0001), "0.0");
        assert_eq!(Unit::Points.show(0.012), "+1.2");
        assert_eq!(Unit::Points.show(-0.012), "-1.2");
        assert_eq!(Unit::Correlation.show(-0.004), "0.00");
        assert_eq!(Unit::Nats.show(0.1236), "0.124");
        assert_eq!(Unit::Times.show(1.5), "1.50×");
    }

    #[test]
    fn ends_of_intervals_keep_their_sign() {
        let points = [-0.0004, 0.0004, 0.0, -1e-15, 0.012].map(|value| Unit::Points.end(value));
        assert_eq!(points, ["-0.0", "+0.0", "0.0", "0.0", "+1.2"]);
        let correlations = [-0.004, 0.004, 0.0, -0.3].map(|value| Unit::Correlation.end(value));
        assert_eq!(correlations, ["-0.00", "0.00", "0.00", "-0.30"]);
        assert_eq!([-0.0004, 0.0004].map(|value| Unit::Percent.end(value)), ["0.0", "0.0"]);
    }

    #[test]
    fn operations_have_three_digits() {
        let shown = [0.0, 7.5, 99.94, 99.96, 999.4, 999.6, 12_345.0, 3.2e9, 1e20].map(operations);
        assert_eq!(shown, ["0.00", "7.50", "99.9", "100", "999", "1.00 k", "12.3 k", "3.20 G", "100000 P"]);
    }

    #[test]
    fn notes_are_numbered_once() {
        let mut notes = Notes::default();
        for number in 1..=12 {
            notes.mark(&number.to_string());
        }
        assert_eq!((notes.mark("10"), notes.mark("1")), ("¹⁰".to_owned(), "¹".to_owned()));
        assert_eq!(notes.lines()[11], "¹² 12");
    }
}
