//! The elements of lists and their words.

/// Elements with the ids 0 to `count` - 1, written from 1 on.
#[derive(Debug, Clone, Copy)]
pub struct Elements {
    /// Number of elements.
    pub count: u32,
}

impl Elements {
    /// The words, by id.
    pub fn words(self) -> impl Iterator<Item = String> {
        (1..=self.count).map(|number| number.to_string())
    }

    /// The id of the element that `word` stands for, if it is written as in the vocabulary (no sign, no leading zero).
    pub fn read(self, word: &str) -> Option<u32> {
        let is_plain = word.bytes().all(|byte| byte.is_ascii_digit()) && !word.starts_with('0');
        let number: u32 = word.parse().ok().filter(|_| is_plain)?;
        (number <= self.count).then(|| number - 1)
    }

    /// The words in words.
    pub fn expected(self) -> String {
        format!("an element from 1 to {}", self.count)
    }
}
