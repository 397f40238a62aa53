//! Texts of questions and answers, written name by name without an allocation for each.

/// Longest label, the space included: eight numbers of three digits with points.
const WIDTH: usize = 32;

/// A short ASCII text that ends with a space, copied as a whole.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    bytes: [u8; WIDTH],
    length: usize,
}

impl Label {
    /// An empty label.
    pub const EMPTY: Self = Self { bytes: [b' '; WIDTH], length: 0 };

    /// Appends as much of `text` as there is room for.
    pub fn append(&mut self, text: &str) {
        let room = &mut self.bytes[self.length..];
        let length = text.len().min(room.len());
        room[..length].copy_from_slice(&text.as_bytes()[..length]);
        self.length += length;
    }
}

/// A text in the making.
pub struct Text(Vec<u8>);

impl Text {
    /// An empty text with room for `tokens` tokens, each with a word of up to four characters and another one after it.
    pub fn with_capacity(tokens: usize) -> Self {
        Self(Vec::with_capacity(5 * tokens + 2 * WIDTH))
    }

    /// Appends a label with its space. A copy of fixed length takes a few instructions; the surplus is cut off.
    #[inline]
    pub fn label(&mut self, label: &Label) {
        let length = self.0.len() + label.length;
        self.0.extend_from_slice(&label.bytes);
        self.0.truncate(length);
    }

    /// Appends a label with `end` in the place of its space.
    #[inline]
    pub fn label_with(&mut self, label: &Label, end: u8) {
        self.label(label);
        if let Some(last) = self.0.last_mut() {
            *last = end;
        }
    }

    /// Appends a piece of text.
    #[inline]
    pub fn text(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Appends a number and a space.
    #[inline]
    pub fn number(&mut self, number: u32) {
        for place in (0..=number.checked_ilog10().unwrap_or(0)).rev() {
            self.0.push(b'0' + (number / 10_u32.pow(place) % 10) as u8);
        }
        self.0.push(b' ');
    }

    /// The text without a trailing space.
    pub fn finish(mut self) -> String {
        if self.0.last() == Some(&b' ') {
            self.0.pop();
        }
        // Labels and texts are UTF-8 as a whole, so nothing is ever replaced.
        String::from_utf8(self.0).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}
