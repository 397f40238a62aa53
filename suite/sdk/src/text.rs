//! Texts of questions and answers, written word by word without an allocation for each.

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

    /// The label of a word.
    pub fn of(word: &str) -> Self {
        let mut label = Self::EMPTY;
        label.append(word);
        label.append(" ");
        label
    }

    /// Appends as much of `text` as there is room for.
    pub fn append(&mut self, text: &str) {
        let room = &mut self.bytes[self.length..];
        let length = text.len().min(room.len());
        room[..length].copy_from_slice(&text.as_bytes()[..length]);
        self.length += length;
    }
}

/// A text in the making.
pub struct Text {
    /// What is written, then room.
    bytes: Vec<u8>,
    length: usize,
}

impl Text {
    /// An empty text with room for `tokens` tokens, each with a word of up to four characters and another one after it.
    pub fn with_capacity(tokens: usize) -> Self {
        Self { bytes: vec![0; 5 * tokens + 2 * WIDTH], length: 0 }
    }

    /// Appends a label with its space. A copy of fixed length takes a few instructions; the next one overwrites the
    /// surplus.
    #[inline]
    pub fn label(&mut self, label: &Label) {
        self.room(WIDTH).copy_from_slice(&label.bytes);
        self.length += label.length;
    }

    /// Appends a label with `end` in the place of its space.
    #[inline]
    pub fn label_with(&mut self, label: &Label, end: u8) {
        self.label(label);
        if let Some(last) = self.length.checked_sub(1).and_then(|last| self.bytes.get_mut(last)) {
            *last = end;
        }
    }

    /// Appends a piece of text.
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

    /// The text without a trailing space.
    pub fn finish(mut self) -> String {
        let length = if self.bytes[..self.length].ends_with(b" ") { self.length - 1 } else { self.length };
        self.bytes.truncate(length);
        // Labels and texts are UTF-8 as a whole, so nothing is ever replaced.
        String::from_utf8(self.bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// The next `count` bytes.
    #[inline]
    fn room(&mut self, count: usize) -> &mut [u8] {
        let end = self.length + count;
        if end > self.bytes.len() {
            self.grow(end);
        }
        &mut self.bytes[self.length..end]
    }

    #[cold]
    fn grow(&mut self, end: usize) {
        self.bytes.resize(2 * end, 0);
    }
}
