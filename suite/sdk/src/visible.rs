//! Text of users in messages and reports: characters that a terminal obeys, or does not show, are written as escapes.

use std::borrow::Cow;
use std::fmt::Write;

/// Characters besides control characters that leave no mark, or that turn the text around them: soft hyphen, fillers,
/// marks of direction, zero-width spaces, line and paragraph separators, the byte order mark, tags.
const UNSEEN: [(char, char); 11] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Whether a terminal obeys the character or shows nothing for it.
pub fn is_hidden(character: char) -> bool {
    character.is_control() || UNSEEN.iter().any(|(first, last)| (*first..=*last).contains(&character))
}

/// `text` on one line, with every hidden character as an escape such as `\n` or `\u{1b}`.
pub fn on_one_line(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden)
}

/// `text` on its own lines, with every other hidden character but tabs as an escape.
pub fn on_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |character| is_hidden(character) && character != '\n' && character != '\t')
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match is_escaped(character) {
            true => {
                // Writing to a string cannot fail.
                let _ = match character {
                    '\n' | '\r' | '\t' => write!(safe, "{}", character.escape_default()),
                    other => write!(safe, "{}", other.escape_unicode()),
                };
            }
            false => safe.push(character),
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        for (text, one, lines) in [
            ("plain · ü", "plain · ü", "plain · ü"),
            ("a\nb\tc\rd", "a\\nb\\tc\\rd", "a\nb\tc\\rd"),
            ("\u{1b}[31mred\u{7}", "\\u{1b}[31mred\\u{7}", "\\u{1b}[31mred\\u{7}"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("a\u{202e}b\u{200b}\u{2028}c", "a\\u{202e}b\\u{200b}\\u{2028}c", "a\\u{202e}b\\u{200b}\\u{2028}c"),
        ] {
            assert_eq!((&*on_one_line(text), &*on_lines(text)), (one, lines));
        }
        assert!(matches!(on_one_line("as it is"), Cow::Borrowed(_)), "nothing is copied");
    }
}
