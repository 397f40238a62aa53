//! Sequences of tokens, written name by name.

use super::names::{LONGEST, Name};

/// A sequence of tokens in the making.
pub struct Sequence {
    /// What is written, then room.
    tokens: Vec<u32>,
    length: usize,
}

impl Sequence {
    /// An empty sequence with room for `tokens` tokens.
    pub fn with_capacity(tokens: usize) -> Self {
        Self { tokens: vec![0; tokens + LONGEST], length: 0 }
    }

    /// Appends the tokens of a name. A copy of fixed length takes a few instructions; the next one overwrites the surplus.
    #[inline]
    pub fn name(&mut self, name: &Name) {
        self.room(LONGEST).copy_from_slice(&name.tokens);
        self.length += name.length;
    }

    /// Appends a token.
    #[inline]
    pub fn push(&mut self, token: u32) {
        self.room(1)[0] = token;
        self.length += 1;
    }

    /// Number of tokens.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The tokens.
    pub fn finish(mut self) -> Vec<u32> {
        self.tokens.truncate(self.length);
        self.tokens
    }

    /// The next `count` tokens.
    #[inline]
    fn room(&mut self, count: usize) -> &mut [u32] {
        let end = self.length + count;
        if end > self.tokens.len() {
            self.grow(end);
        }
        &mut self.tokens[self.length..end]
    }

    #[cold]
    fn grow(&mut self, end: usize) {
        self.tokens.resize(2 * end, 0);
    }
}
