//! Numbers of hops: their distributions and their tokens.

use haltbench_sdk::nodes::Sequence;
use haltbench_sdk::random::Draws;

/// How a number of hops is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// One token per number.
    Token,
    /// As many tokens as hops.
    Unary,
    /// Decimal digits.
    Digits,
}

/// The distribution of numbers of hops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Law {
    /// From 1 to the largest, all equally likely.
    Uniform,
    /// Powers of two up to the largest, and the largest itself, all equally likely.
    Powers,
    /// Always the largest.
    Largest,
}

/// The numbers of hops of a task.
#[derive(Debug, Clone)]
pub struct Hops {
    /// Their encoding.
    pub encoding: Encoding,
    /// The largest possible number.
    pub largest: u32,
    /// The possible numbers.
    choices: Vec<u32>,
}

impl Hops {
    /// Numbers up to `largest`.
    pub fn new(encoding: Encoding, law: Law, largest: u32) -> Self {
        let choices = match law {
            Law::Uniform => (1..=largest).collect(),
            Law::Largest => vec![largest],
            Law::Powers => {
                let powers = (0..32).map(|power| 1 << power).take_while(|number| *number < largest);
                powers.chain([largest]).collect()
            }
        };
        Self { encoding, largest, choices }
    }

    /// Draws a number of hops.
    pub fn draw(&self, draws: &mut Draws) -> u32 {
        self.choices[draws.below(self.choices.len())]
    }

    /// The words that encode numbers of hops.
    pub fn words(&self) -> Vec<String> {
        match self.encoding {
            Encoding::Token => (1..=self.largest).map(|number| format!("#{number}")).collect(),
            Encoding::Unary => vec!["#".to_owned()],
            Encoding::Digits => (0..10).map(|digit| format!("#{digit}")).collect(),
        }
    }

    /// Largest number of tokens of a number.
    pub fn longest(&self) -> usize {
        match self.encoding {
            Encoding::Token => 1,
            Encoding::Unary => self.largest as usize,
            Encoding::Digits => self.largest.ilog10() as usize + 1,
        }
    }

    /// Appends the tokens of `number`; the token of the first word is `first`.
    pub fn print(&self, number: u32, first: u32, tokens: &mut Sequence) {
        match self.encoding {
            Encoding::Token => tokens.push(first + number - 1),
            Encoding::Unary => (0..number).for_each(|_| tokens.push(first)),
            Encoding::Digits => {
                let places = (0..=number.ilog10()).rev();
                places.for_each(|place| tokens.push(first + number / 10_u32.pow(place) % 10));
            }
        }
    }

    /// The number of hops in a question's `word`, without sign or leading zero, if the task can encode it.
    pub fn read(&self, word: &str) -> Option<u64> {
        let plain = word.bytes().all(|byte| byte.is_ascii_digit()) && !word.starts_with('0');
        let most = if self.encoding == Encoding::Token { u64::from(self.largest) } else { u64::MAX };
        word.parse().ok().filter(|number| plain && (1..=most).contains(number))
    }

    /// The expected form of a number of hops, for messages.
    pub fn expected(&self) -> String {
        match self.encoding {
            Encoding::Token => format!("a number of hops from 1 to {}", self.largest),
            Encoding::Unary | Encoding::Digits => "a number of hops, at least 1".to_owned(),
        }
    }
}
