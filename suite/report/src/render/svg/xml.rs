//! Elements of a picture. Every text goes through [`escaped`], every number through [`number`].

/// Which point of a text is at its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Font of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Font {
    pub size: f64,
    pub bold: bool,
    pub colour: &'static str,
}

/// Colour of main text.
pub(super) const INK: &str = "#1a1a1a";
/// Colour of secondary text.
pub(super) const SOFT: &str = "#555555";

pub(super) const TITLE: Font = Font { size: 17.0, bold: true, colour: INK };
pub(super) const HEADING: Font = Font { size: 13.0, bold: true, colour: INK };
pub(super) const LABEL: Font = Font { size: 12.0, bold: false, colour: INK };
pub(super) const SMALL: Font = Font { size: 11.0, bold: false, colour: SOFT };

impl Font {
    /// Width of a text, estimated generously: the reader's font is unknown.
    pub fn width(self, text: &str) -> f64 {
        let letter = |letter: char| match letter {
            'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '(' | ')' | '[' | ']' | ' ' => 0.4,
            'f' | 'r' | 't' | '-' | '/' => 0.43,
            'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.98,
            'A'..='Z' | '=' | '+' | '<' | '>' | '_' => 0.8,
            letter if letter >= '\u{1100}' => 1.0,
            _ => 0.63,
        };
        let bold = if self.bold { 1.1 } else { 1.0 };
        text.chars().map(letter).sum::<f64>() * self.size * bold
    }

    /// The text, or as much of its beginning as fits `width`, with an ellipsis.
    pub fn shortened(self, text: &str, width: f64) -> String {
        if self.width(text) <= width {
            return text.to_owned();
        }
        let mut short = String::new();
        for letter in text.chars() {
            short.push(letter);
            if self.width(&short) + self.size > width {
                short.pop();
                break;
            }
        }
        format!("{short}…")
    }

    /// Lines that fit `width`, broken between words; a longer word is shortened.
    pub fn wrapped(self, text: &str, width: f64) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            match lines.last_mut() {
                Some(line) if self.width(line) + self.width(word) + self.size <= width => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(self.shortened(word, width)),
            }
        }
        lines
    }
}

/// The elements drawn so far.
#[derive(Debug, Default)]
pub(super) struct Drawing(pub String);

impl Drawing {
    /// One line of text.
    pub fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, font: Font, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let bold = if font.bold { " font-weight=\"bold\"" } else { "" };
        let (size, colour) = (number(font.size), font.colour);
        self.0 += &format!(
            "<text x=\"{}\" y=\"{}\" font-size=\"{size}\" fill=\"{colour}\"{bold}{anchor}>{}</text>\n",
            number(x),
            number(y),
            escaped(text)
        );
    }

    /// Straight lines through the points.
    pub fn path(&mut self, points: &[(f64, f64)], colour: &str, width: f64, more: &str) {
        let place = |(x, y): &(f64, f64)| format!("{},{}", number(*x), number(*y));
        let places: Vec<String> = points.iter().map(place).collect();
        self.0 += &format!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{}\"{more}/>\n",
            places.join(" "),
            number(width)
        );
    }
}

/// Pixels with at most two decimals; never minus zero.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Escapes markup, and replaces characters that XML does not allow.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_control_characters_are_text() {
        assert_eq!(escaped("a<b>&\"c'\n\u{1b}é"), "a&lt;b&gt;&amp;&quot;c&#39; \u{fffd}é");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([12.0, 0.125, -0.001, 100.0, 1.5].map(number), ["12", "0.12", "0", "100", "1.5"]);
    }

    #[test]
    fn lines_and_labels_keep_their_width() {
        let text = "one two three four five six seven";
        let lines = SMALL.wrapped(text, 90.0);
        assert!(lines.len() > 1 && lines.iter().all(|line| SMALL.width(line) <= 90.0), "{lines:?}");
        assert_eq!(lines.join(" "), text);
        let long = "n".repeat(200);
        let short = LABEL.shortened(&long, 100.0);
        assert!(short.ends_with('…') && LABEL.width(&short) <= 100.0, "{short}");
        assert_eq!(LABEL.shortened("short", 100.0), "short");
        assert_eq!(SMALL.wrapped(&long, 90.0).len(), 1);
    }
}
