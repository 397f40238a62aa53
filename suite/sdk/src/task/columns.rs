//! Per-token numbers: an entry of a few columns for every token, in one piece of memory.

use std::ops::Range;

/// A row of entries for every token of a sequence, one for each declared complexity or feature; NaN where undefined.
///
/// Tokens of a prompt often have no entry, so rows are kept from a first token on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Columns {
    /// The rows, one after the other.
    entries: Vec<f32>,
    columns: usize,
    /// Tokens that have a row, up to the end of the sequence.
    tokens: Range<usize>,
}

impl Columns {
    /// Columns with undefined entries, with a row for each of `tokens`, the last tokens of the sequence. Tokens before
    /// the range have no row, so nothing can be written there.
    pub fn undefined(columns: usize, tokens: Range<usize>) -> Self {
        let mut all = Self::default();
        all.reset(columns, tokens);
        all
    }

    /// Makes these columns [`undefined`](Self::undefined) ones, in the same memory.
    pub fn reset(&mut self, columns: usize, tokens: Range<usize>) {
        self.entries.clear();
        self.entries.resize(columns * tokens.len(), f32::NAN);
        (self.columns, self.tokens) = (columns, tokens);
    }

    /// Rows for `tokens`, the last tokens of the sequence, in the same memory. Write every entry: until then they hold
    /// old values.
    #[inline]
    pub fn reset_rows<const COLUMNS: usize>(&mut self, tokens: Range<usize>) -> &mut [[f32; COLUMNS]] {
        self.entries.resize(COLUMNS * tokens.len(), f32::NAN);
        (self.columns, self.tokens) = (COLUMNS, tokens);
        self.entries.as_chunks_mut().0
    }

    /// Number of columns.
    pub fn count(&self) -> usize {
        self.columns
    }

    /// Number of tokens, those without a row included.
    pub fn tokens(&self) -> usize {
        self.tokens.end
    }

    /// The entries of a token in the order of the columns; empty where none is kept.
    #[inline]
    pub fn row(&self, token: usize) -> &[f32] {
        let row = token.checked_sub(self.tokens.start).map_or(0..0, |row| row * self.columns..(row + 1) * self.columns);
        &self.entries[row]
    }

    /// An entry.
    #[inline]
    pub fn get(&self, column: usize, token: usize) -> f32 {
        self.row(token).get(column).copied().unwrap_or(f32::NAN)
    }

    /// The entries of a column, one for every token.
    pub fn column(&self, column: usize) -> impl Iterator<Item = f32> {
        (0..self.tokens.end).map(move |token| self.get(column, token))
    }

    /// Writes entries of a token, those of the columns from `first` on. One by one: a copy of memory that was just written
    /// in other pieces has to wait for it.
    #[inline]
    pub fn write<const COUNT: usize>(&mut self, token: usize, first: usize, entries: &[f32; COUNT]) {
        let row = (token - self.tokens.start) * self.columns;
        let room = &mut self.entries[row..row + self.columns][first..first + COUNT];
        for (room, entry) in room.iter_mut().zip(entries) {
            *room = *entry;
        }
    }
}
