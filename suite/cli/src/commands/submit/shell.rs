//! Words of a shell's command line.

use std::ffi::OsStr;

use crate::failure::Failure;

/// Characters besides letters and digits that no shell interprets.
const PLAIN: &str = "_-./=:,+@%";

/// `word` as the shell reads it back, quoted if necessary.
pub fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || PLAIN.contains(letter);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// A command line with these words.
pub fn line<'a>(words: impl IntoIterator<Item = &'a String>) -> String {
    words.into_iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A path or argument as text for a script.
///
/// # Errors
/// If it is not UTF-8.
pub fn text(word: &OsStr) -> Result<String, Failure> {
    word.to_str().map(str::to_owned).ok_or_else(|| {
        let shown = word.to_string_lossy();
        Failure::usage(format!("submit: expected paths and arguments in UTF-8 for the script, found {shown}"))
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// `sh` is asked what it reads.
    #[test]
    fn words_are_read_back_by_a_shell() {
        let words =
            ["plain-1.0/a=b", "", "two words", "it's", "$HOME `ls` \"x\" \\ *", "ä 文 \u{1F600}", "line\nbreak", "~"];
        let command = line(&words.map(str::to_owned));
        let output = Command::new("sh").arg("-c").arg(format!("printf '%s\\0' {command}")).output().unwrap();
        let read: Vec<&str> = std::str::from_utf8(&output.stdout).unwrap().split_terminator('\0').collect();
        assert_eq!(read, words);
        assert_eq!(quoted("plain-1.0/a=b"), "plain-1.0/a=b");
    }
}
