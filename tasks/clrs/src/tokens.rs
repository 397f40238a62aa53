//! The vocabulary: one token per character.

/// Characters whose words differ from them.
const NAMED: [(&str, char); 2] = [("<space>", ' '), ("<newline>", '\n')];

/// First token of every sequence.
pub const BOS: u32 = 0;

/// Characters of questions and answers; unused letters are included, so that names can be added.
const CHARACTERS: &str = "0123456789.-+[],:_APabcdefghijklmnopqrstuvwxyz";

/// The words of all tokens.
pub fn vocabulary() -> Vec<String> {
    let named = NAMED.iter().map(|(word, _)| *word);
    ["<bos>"].into_iter().chain(named).map(str::to_owned).chain(CHARACTERS.chars().map(String::from)).collect()
}

/// The token of every byte; 0 for bytes without a token.
pub const fn table() -> [u8; 128] {
    let mut tokens = [0; 128];
    let mut index = 0;
    while index < NAMED.len() {
        tokens[NAMED[index].1 as usize] = 1 + index as u8;
        index += 1;
    }
    let characters = CHARACTERS.as_bytes();
    let mut index = 0;
    while index < characters.len() {
        tokens[characters[index] as usize] = (1 + NAMED.len() + index) as u8;
        index += 1;
    }
    tokens
}

/// [`BOS`] and the tokens of a text written by the task.
pub fn encode(text: &str) -> Vec<u32> {
    const TOKENS: [u8; 128] = table();
    let mut tokens = Vec::with_capacity(text.len() + 1);
    tokens.push(BOS);
    tokens.extend(text.bytes().map(|byte| u32::from(TOKENS[usize::from(byte & 127)])));
    tokens
}
