//! Texts of questions and answers, written word by word without an allocation for each.

use haltbench_sdk::{Error, Result};

/// Longest word that a token may have.
const WIDTH: usize = 8;

/// A short ASCII word, copied as a whole.
#[derive(Debug, Clone, Copy)]
pub struct Word {
    bytes: [u8; WIDTH],
    length: usize,
}

impl Word {
    /// The first bytes of `text`, of which there are at most eight.
    pub fn new(text: &str) -> Self {
        let length = text.len().min(WIDTH);
        let mut bytes = [0; WIDTH];
        bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        Self { bytes, length }
    }
}

/// A text in the making.
pub struct Text(Vec<u8>);

impl Text {
    /// An empty text with room for `words` words.
    pub fn with_capacity(words: usize) -> Self {
        Self(Vec::with_capacity(WIDTH * (words + 1)))
    }

    /// Appends a word. All eight bytes are copied, which takes one instruction, and the surplus is cut off.
    pub fn word(&mut self, word: &Word) {
        let length = self.0.len() + word.length;
        self.0.extend_from_slice(&word.bytes);
        self.0.truncate(length);
    }

    /// Appends one ASCII character.
    pub fn character(&mut self, character: u8) {
        self.0.push(character);
    }

    /// The text without a trailing space.
    pub fn finish(mut self) -> Result<String> {
        if self.0.last() == Some(&b' ') {
            self.0.pop();
        }
        String::from_utf8(self.0).map_err(|error| Error::contract("brevo", error.to_string()))
    }
}

/// The start of a word, short enough for a message.
pub fn shorten(word: &str) -> String {
    let mut characters = word.chars();
    let head: String = characters.by_ref().take(24).collect();
    if characters.next().is_some() { format!("{head}…") } else { head }
}
