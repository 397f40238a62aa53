//! Texts of questions and answers, written word by word without allocating for each word.

use std::mem;

/// Length of the longest label, with its space: eight one-digit numbers with points. Names with eight larger numbers do
/// not occur, because there are too few names.
const WIDTH: usize = 16;

/// Mask of an ASCII character.
const ASCII: u8 = 0x7f;

/// A short ASCII text that ends with a space and is copied as a whole.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    bytes: [u8; WIDTH],
    length: usize,
}

impl Label {
    /// An empty label.
    pub const EMPTY: Self = Self { bytes: [b' '; WIDTH], length: 0 };

    /// The label of a word.
    pub fn of(word: &str) -> Self {
        let mut label = Self::EMPTY;
        label.append(word);
        label.append(" ");
        label
    }

    /// Appends as much of `text` as fits, with `?` for every byte that is not ASCII.
    pub fn append(&mut self, text: &str) {
        for (place, byte) in self.bytes[self.length..].iter_mut().zip(text.bytes()) {
            *place = if byte.is_ascii() { byte } else { b'?' };
            self.length += 1;
        }
    }
}

/// A text under construction.
pub struct Text {
    /// The written part, which is ASCII or whole pieces of text, then free space.
    bytes: Vec<u8>,
    length: usize,
}

impl Text {
    /// An empty text that reuses the buffer of `old`, with space for `tokens` tokens, each a word of up to four
    /// characters and a separator.
    pub fn over(old: &mut String, tokens: usize) -> Self {
        let size = 5 * tokens + 2 * WIDTH;
        // Its old content is free space like any other.
        let mut bytes = mem::take(old).into_bytes();
        // Memory that need not be zeroed is allocated faster.
        bytes.resize(size, b' ');
        Self { bytes, length: 0 }
    }

    /// Appends a label with its space. A copy of fixed length takes a few instructions; the next one overwrites the
    /// surplus.
    #[inline]
    pub fn label(&mut self, label: &Label) {
        put(self.room(WIDTH), label);
        self.length += label.length;
    }

    /// Appends labels.
    #[inline]
    pub fn labels<'a>(&mut self, labels: impl Iterator<Item = &'a Label>) {
        self.repeat(labels, |room, label| {
            put(room, label);
            label.length
        });
    }

    /// Appends labels, with the ASCII character `end` instead of each space.
    #[inline]
    pub fn labels_with<'a>(&mut self, end: u8, labels: impl Iterator<Item = &'a Label>) {
        self.repeat(labels, |room, label| {
            put(room, label);
            room[label.length.saturating_sub(1)] = end & ASCII;
            label.length
        });
    }

    /// Appends pairs of labels, with the ASCII character `middle` instead of the first label's space.
    #[inline]
    pub fn pairs<'a>(&mut self, middle: u8, pairs: impl Iterator<Item = [&'a Label; 2]>) {
        self.repeat(pairs, |room, [left, right]| {
            put(room, left);
            room[left.length.saturating_sub(1)] = middle & ASCII;
            put(&mut room[left.length..], right);
            left.length + right.length
        });
    }

    /// Appends every item with `write`, which copies up to two labels and returns their bytes. The written length is
    /// counted in a register, because every copy waits for it.
    #[inline]
    fn repeat<T>(&mut self, items: impl Iterator<Item = T>, write: impl Fn(&mut [u8; 2 * WIDTH], T) -> usize) {
        let mut length = self.length;
        items.for_each(|item| {
            let end = length + 2 * WIDTH;
            if end > self.bytes.len() {
                grow(&mut self.bytes, end);
            }
            if let Some(room) = self.bytes[length..].first_chunk_mut() {
                length += write(room, item);
            }
        });
        self.length = length;
    }

    /// Appends a piece of text.
    #[inline]
    pub fn text(&mut self, text: &str) {
        self.room(text.len()).copy_from_slice(text.as_bytes());
        self.length += text.len();
    }

    /// Appends a number and a space.
    pub fn number(&mut self, number: u32) {
        let places = (0..=number.checked_ilog10().unwrap_or(0)).rev();
        let digits = places.map(|place| b'0' + (number / 10_u32.pow(place) % 10) as u8);
        for digit in digits.chain([b' ']) {
            self.room(1)[0] = digit;
            self.length += 1;
        }
    }

    /// The text without its trailing space.
    pub fn finish(mut self) -> String {
        let length = if self.bytes[..self.length].ends_with(b" ") { self.length - 1 } else { self.length };
        self.bytes.truncate(length);
        // SAFETY: the first `length` bytes are labels, replacements of their ends, digits and spaces, all of which are
        // ASCII, and pieces of text that were copied as a whole. Labels only overwrite bytes after these.
        unsafe { String::from_utf8_unchecked(self.bytes) }
    }

    /// The next `count` bytes.
    #[inline]
    fn room(&mut self, count: usize) -> &mut [u8] {
        let end = self.length + count;
        if end > self.bytes.len() {
            grow(&mut self.bytes, end);
        }
        &mut self.bytes[self.length..end]
    }
}

/// Copies a label to the start of `room`, if it fits.
#[inline]
fn put(room: &mut [u8], label: &Label) {
    if let Some(room) = room.first_chunk_mut() {
        *room = label.bytes;
    }
}

/// Grows `bytes` to more than `end` bytes. It takes the position as an argument, so that the length stays in a
/// register.
#[cold]
fn grow(bytes: &mut Vec<u8>, end: usize) {
    bytes.resize(2 * end, 0);
}

#[cfg(test)]
mod tests {
    use super::{Label, Text};

    #[test]
    fn pieces_follow_each_other() {
        let [short, long, foreign] = ["ab", "a word of more than sixteen characters", "é"].map(Label::of);
        let mut text = Text::over(&mut "é".repeat(7), 0);
        text.labels([&short, &long].into_iter());
        text.labels_with(b'>', [&short, &foreign].into_iter());
        text.pairs(b'=', [[&short, &short]].into_iter());
        text.text("é ");
        text.number(0);
        text.number(1203);
        assert_eq!(text.finish(), "ab a word of more tab>??>ab=ab é 0 1203");
    }
}
