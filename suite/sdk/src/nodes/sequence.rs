//! Sequences of tokens, written name by name.

use std::mem;

use super::names::{LONGEST, Name};

/// A sequence of tokens under construction.
pub struct Sequence {
    /// What is written, then room.
    tokens: Vec<u32>,
    length: usize,
}

impl Sequence {
    /// An empty sequence in the memory of `old`, which it takes, with room for `tokens` tokens.
    pub fn over(old: &mut Vec<u32>, tokens: usize) -> Self {
        // What is still in it is room like any other.
        let mut room = mem::take(old);
        room.resize(tokens + LONGEST, 0);
        Self { tokens: room, length: 0 }
    }

    /// Appends the tokens of a name. A copy of fixed length takes a few instructions; the next one overwrites the surplus.
    #[inline]
    pub fn name(&mut self, name: &Name) {
        if let Some(room) = self.room(LONGEST).first_chunk_mut() {
            *room = name.tokens;
        }
        self.length += name.length;
    }

    /// Appends the tokens of names. What has been written so far is counted in a register, because every copy waits for
    /// it.
    #[inline]
    pub fn names<'a>(&mut self, names: impl Iterator<Item = &'a Name>) {
        let mut length = self.length;
        names.for_each(|name| {
            let end = length + LONGEST;
            if end > self.tokens.len() {
                grow(&mut self.tokens, end);
            }
            if let Some(room) = self.tokens[length..end].first_chunk_mut() {
                *room = name.tokens;
            }
            length += name.length;
        });
        self.length = length;
    }

    /// Appends a token.
    #[inline]
    pub fn push(&mut self, token: u32) {
        self.room(1)[0] = token;
        self.length += 1;
    }

    /// Number of tokens.
    #[inline]
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
            grow(&mut self.tokens, end);
        }
        &mut self.tokens[self.length..end]
    }
}

/// Makes room for more than `end` tokens. It does not see the length, which stays in a register.
#[cold]
fn grow(tokens: &mut Vec<u32>, end: usize) {
    tokens.resize(2 * end, 0);
}
