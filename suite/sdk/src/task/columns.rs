//! Per-token numbers: a few columns as long as the sequence, in one piece of memory.

use std::ops::{Index, IndexMut};

/// Columns of numbers, one for each declared complexity or feature, each with an entry for every token; NaN where
/// undefined. `columns[complexity][token]` reads and writes an entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Columns {
    /// One column after the other.
    values: Vec<f32>,
    columns: usize,
    tokens: usize,
}

impl Columns {
    /// Columns without a defined entry.
    pub fn undefined(columns: usize, tokens: usize) -> Self {
        Self { values: vec![f32::NAN; columns * tokens], columns, tokens }
    }

    /// Number of columns.
    pub fn count(&self) -> usize {
        self.columns
    }

    /// Entries of each column.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// The columns in order.
    pub fn iter(&self) -> impl Iterator<Item = &[f32]> {
        (0..self.columns).map(|column| &self[column])
    }

    /// All entries, column after column.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Writes the entries of one token, those of the columns from `first` on.
    #[inline]
    pub fn write(&mut self, first: usize, token: usize, entries: &[f32]) {
        assert!(token < self.tokens, "token {token} of {}", self.tokens);
        let mut place = first * self.tokens + token;
        for entry in entries {
            self.values[place] = *entry;
            place += self.tokens;
        }
    }
}

impl Index<usize> for Columns {
    type Output = [f32];

    #[inline]
    fn index(&self, column: usize) -> &[f32] {
        &self.values[column * self.tokens..][..self.tokens]
    }
}

impl IndexMut<usize> for Columns {
    #[inline]
    fn index_mut(&mut self, column: usize) -> &mut [f32] {
        &mut self.values[column * self.tokens..][..self.tokens]
    }
}
