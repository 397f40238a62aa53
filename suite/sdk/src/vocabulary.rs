//! What a model knows of a task's tokens.

/// Tokens of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vocabulary<'a> {
    /// Number of tokens.
    pub size: usize,
    /// The tokens that are decimal digits, ascending, for positions within numbers.
    pub digits: &'a [u32],
}

impl Vocabulary<'_> {
    /// A vocabulary without digits.
    pub const fn new(size: usize) -> Self {
        Self { size, digits: &[] }
    }
}
