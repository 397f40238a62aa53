//! Names of nodes: one token each, or several, of which the last marks the end of the name.

use crate::draws::Draws;
use crate::text::Label;

/// Most tokens of a name.
pub const LONGEST: usize = 8;

/// One name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// Symbols from 0 on, the first `length` of them in use.
    symbols: [u16; LONGEST],
    length: usize,
}

impl Name {
    /// Its symbols and what fills them up to the longest length.
    pub fn padded(&self) -> (&[u16; LONGEST], usize) {
        (&self.symbols, self.length)
    }

    /// Its symbols: numbers of words from 0 on.
    pub fn symbols(&self) -> &[u16] {
        &self.symbols[..self.length]
    }
}

/// The names that a task draws from.
///
/// A name of one token is a number, as in `12`. A name of several is written with a point after every token but the
/// last, as in `3.1.4`: tokens that end a name differ from those that do not, so names delimit themselves.
#[derive(Debug, Clone)]
pub struct Names {
    /// Numbers that tokens are made of, from 1 on.
    letters: u32,
    shortest: usize,
    longest: usize,
    words: Vec<String>,
    /// Number of the first symbol that ends a name.
    ends: u32,
}

impl Names {
    /// Names of `shortest` to `longest` tokens over the numbers from 1 to `letters`.
    pub fn new(letters: u32, shortest: usize, longest: usize) -> Self {
        let mut names = Self { letters, shortest, longest, words: Vec::new(), ends: 0 };
        names.ends = if longest > 1 { letters } else { 0 };
        names.words = names.vocabulary();
        names
    }

    /// The words of all symbols.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    fn vocabulary(&self) -> Vec<String> {
        let inner = (1..=self.ends).map(|letter| format!("{letter}."));
        inner.chain((1..=self.letters).map(|letter| letter.to_string())).collect()
    }

    /// How many names there are; `u64::MAX` if more than that.
    pub fn count(&self) -> u64 {
        let of_length = |length| u64::from(self.letters).saturating_pow(length as u32);
        (self.shortest..=self.longest).map(of_length).fold(0, u64::saturating_add)
    }

    /// Most tokens of a name.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Draws `count` distinct names: a length, then its tokens, all uniform; names already drawn are drawn anew. Comes
    /// with the number of each draw, ascending by name.
    pub fn draw(&self, count: usize, draws: &mut Draws) -> Vec<(u16, Name)> {
        if self.longest == 1 {
            return self.draw_numbers(count, draws);
        }
        let mut names = Vec::with_capacity(count);
        let mut drawn = Keys::with_room_for(count);
        while names.len() < count {
            let length = self.shortest + draws.below(self.longest - self.shortest + 1);
            let mut name = Name { symbols: [0; LONGEST], length };
            for symbol in &mut name.symbols[..length] {
                *symbol = draws.below(self.letters as usize) as u16;
            }
            name.symbols[length - 1] += self.ends as u16;
            let key = self.key(&name);
            if drawn.insert(key) {
                names.push((key, names.len() as u16, name));
            }
        }
        names.sort_unstable_by_key(|(key, ..)| *key);
        names.into_iter().map(|(_, number, name)| (number, name)).collect()
    }

    /// The same law for names of one token, without a chance to draw one twice.
    fn draw_numbers(&self, count: usize, draws: &mut Draws) -> Vec<(u16, Name)> {
        let mut pool: Vec<u16> = (0..self.letters as u16).collect();
        let mut numbers = vec![u16::MAX; pool.len()];
        for number in 0..count {
            let chosen = number + draws.below(pool.len() - number);
            pool.swap(number, chosen);
            numbers[usize::from(pool[number])] = number as u16;
        }
        let name = |symbol: u16| {
            let mut symbols = [0; LONGEST];
            symbols[0] = symbol;
            Name { symbols, length: 1 }
        };
        let mut names = Vec::with_capacity(count);
        let drawn = (0..).zip(numbers).filter(|(_, number)| *number < u16::MAX);
        names.extend(drawn.map(|(symbol, number)| (number, name(symbol))));
        names
    }

    /// A number that orders names lexicographically by their tokens and tells them apart.
    pub fn key(&self, name: &Name) -> u64 {
        let base = u64::from(self.ends + self.letters + 1);
        let digit = |place: usize| if place < name.length { u64::from(name.symbols[place]) + 1 } else { 0 };
        (0..self.longest).fold(0, |key, place| key * base + digit(place))
    }

    /// The text of `name`.
    pub fn label(&self, name: &Name) -> Label {
        let mut label = Label::EMPTY;
        for symbol in name.symbols() {
            label.append(&self.words[usize::from(*symbol)]);
        }
        label.end();
        label
    }

    /// The name that `word` writes, if it writes one the way this type does.
    pub fn read(&self, word: &str) -> Option<Name> {
        let mut name = Name { symbols: [0; LONGEST], length: 0 };
        for letter in word.split('.') {
            if name.length == self.longest {
                return None;
            }
            let plain = letter.bytes().all(|byte| byte.is_ascii_digit()) && !letter.starts_with('0');
            let letter = letter.parse().ok().filter(|letter| plain && (1..=self.letters).contains(letter))?;
            name.symbols[name.length] = (letter - 1) as u16;
            name.length += 1;
        }
        let last = name.length.checked_sub(1).filter(|_| name.length >= self.shortest)?;
        name.symbols[last] += self.ends as u16;
        Some(name)
    }

    /// What a name looks like, for messages.
    pub fn expected(&self) -> String {
        let Self { letters, shortest, longest, .. } = self;
        match (shortest, longest) {
            (_, 1) => format!("a node from 1 to {letters}"),
            (shortest, longest) if shortest == longest => {
                format!("a node of {longest} numbers from 1 to {letters} with points between them")
            }
            _ => format!("a node of {shortest} to {longest} numbers from 1 to {letters} with points between them"),
        }
    }
}

/// A set of keys that is only ever asked whether it has one: open addressing, at most half full.
struct Keys(Vec<u64>);

impl Keys {
    fn with_room_for(count: usize) -> Self {
        Self(vec![0; (2 * count + 2).next_power_of_two()])
    }

    /// Whether `key`, which is not 0, is new.
    fn insert(&mut self, key: u64) -> bool {
        let mask = self.0.len() - 1;
        let mut slot = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize & mask;
        while self.0[slot] != 0 {
            if self.0[slot] == key {
                return false;
            }
            slot = (slot + 1) & mask;
        }
        self.0[slot] = key;
        true
    }
}
