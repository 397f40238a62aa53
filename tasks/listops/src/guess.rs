//! A guess that does not evaluate nested expressions.

use haltbench_sdk::task::Instance;
use haltbench_sdk::task::guess::{Guess, RandomValid};

use crate::alphabet::{Operators, Symbol};
use crate::solve;

/// The value of an operator over its own digits, as if nested expressions were not there.
pub struct OwnDigits<'a> {
    /// The operators in use.
    pub operators: &'a Operators,
    /// Number of tokens before the symbols.
    pub markers: u32,
    /// Whether every operator has an answer, or the root alone.
    pub is_stream: bool,
}

impl<'a> OwnDigits<'a> {
    /// The guess.
    pub fn guess(self) -> impl Guess + 'a {
        RandomValid {
            name: "own-digits",
            documentation: "The operator's value over its own digits, without nested expressions; any digit if it has \
                            none.",
            choices: move |instance: &Instance| {
                let mut choices = self.choices(&instance.question);
                // The root closes last.
                let unanswered = if self.is_stream { 0 } else { choices.len().saturating_sub(1) };
                choices.drain(..unanswered);
                choices
            },
        }
    }

    /// The tokens to choose from for every operator, in the order of closing brackets.
    fn choices(&self, question: &str) -> Vec<Vec<u32>> {
        let token = |digit: u8| self.markers + Symbol::Digit(digit).number();
        let mut open: Vec<String> = Vec::new();
        let mut choices = Vec::new();
        for word in question.split_whitespace() {
            match self.operators.read(word, 1) {
                Ok(Symbol::Open(_)) => open.push(word.to_owned()),
                Ok(Symbol::Digit(_)) => open.iter_mut().next_back().into_iter().for_each(|open| {
                    open.push(' ');
                    open.push_str(word);
                }),
                Ok(Symbol::Close) => {
                    let own = open.pop().unwrap_or_default() + " ]";
                    let value = solve::single(&own, self.operators);
                    choices.push(value.map_or_else(|_| (0..10).map(token).collect(), |value| vec![token(value)]));
                }
                // Questions of instances always parse.
                Err(_) => {}
            }
        }
        choices
    }
}
