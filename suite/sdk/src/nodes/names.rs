//! Names of nodes: one token each, or several with a final token that marks the end of the name.

use std::ops::Range;

use crate::random::Draws;
use crate::text::Label;

/// Most tokens of a name.
pub const LONGEST: usize = 8;

/// Most names that a task may have.
pub const MOST: u64 = 100_000;

/// One name.
#[derive(Debug, Clone)]
pub struct Name {
    /// Its tokens, the first `length` of them in use.
    pub tokens: [u32; LONGEST],
    /// Number of its tokens.
    pub length: usize,
    /// Its tokens in 16 bits each, the first in the highest ones: orders names and shows what they share.
    pub key: u128,
    /// Its text.
    pub label: Label,
}

/// How many tokens the names of two keys share before they differ; eight if they are the same.
#[inline]
pub fn shared(left: u128, right: u128) -> usize {
    (left ^ right).leading_zeros() as usize / 16
}

/// All names that a task draws from, numbered in the lexicographic order of their tokens.
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
    /// Token of the first word.
    first: u32,
    all: Vec<Name>,
    /// Numbers of the names of every length, from the shortest on.
    of_length: Vec<Vec<u32>>,
    /// For every name and every place in it, the range of numbers of the names with the same tokens before that place.
    /// Empty if names have one token.
    alike: Vec<[[u32; 2]; LONGEST]>,
}

impl Names {
    /// How many names of `shortest` to `longest` tokens `letters` numbers make; `u64::MAX` if more than that.
    pub fn count(letters: u32, shortest: usize, longest: usize) -> u64 {
        let of_length = |length| u64::from(letters).saturating_pow(length as u32);
        (shortest..=longest).map(of_length).fold(0, u64::saturating_add)
    }

    /// All names of `shortest` to `longest` tokens over the numbers from 1 to `letters`; their words are the tokens
    /// from `first` on.
    pub fn new(letters: u32, shortest: usize, longest: usize, first: u32) -> Self {
        let inner = if longest > 1 { letters } else { 0 };
        let words =
            (1..=inner).map(|letter| format!("{letter}.")).chain((1..=letters).map(|letter| letter.to_string()));
        let mut names = Self {
            letters,
            shortest,
            longest,
            words: words.collect(),
            first,
            all: Vec::new(),
            of_length: vec![Vec::new(); longest + 1 - shortest],
            alike: Vec::new(),
        };
        let mut started = vec![Vec::new()];
        for length in 1..=longest {
            if length >= shortest {
                let ended = started.iter().flat_map(|start| (inner..inner + letters).map(|end| names.name(start, end)));
                let ended: Vec<Name> = ended.collect();
                names.all.extend(ended);
            }
            let extend = |start: &Vec<u32>| {
                let start = start.clone();
                (0..inner).map(move |letter| [&start[..], &[letter]].concat())
            };
            started = started.iter().flat_map(extend).collect();
        }
        names.all.sort_unstable_by_key(|name| name.key);
        for (number, name) in (0..).zip(&names.all) {
            names.of_length[name.length - shortest].push(number);
        }
        if longest > 1 {
            names.alike = alike(&names.all);
        }
        names
    }

    /// The name of the words `start` and `end`.
    fn name(&self, start: &[u32], end: u32) -> Name {
        let mut name = Name { tokens: [0; LONGEST], length: start.len() + 1, key: 0, label: Label::EMPTY };
        for (place, word) in start.iter().chain([&end]).enumerate() {
            name.tokens[place] = self.first + word;
            name.label.append(&self.words[*word as usize]);
        }
        name.label.append(" ");
        name.key = key(&name.tokens, name.length);
        name
    }

    /// The words of all tokens that names are made of.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Most tokens of a name.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The name of a number.
    #[inline]
    pub fn get(&self, number: u32) -> &Name {
        &self.all[number as usize]
    }

    /// Numbers of the names that have the same tokens as the name `number` before `place`; all names for place 0.
    pub fn alike(&self, number: u32, place: usize) -> Range<u32> {
        match self.alike.get(number as usize) {
            Some(places) if place > 0 => places[place][0]..places[place][1],
            _ => 0..self.all.len() as u32,
        }
    }

    /// Numbers of `count` distinct names. Draws a length, then the tokens, all uniform; draws again if the name has
    /// already been drawn.
    pub fn draw(&self, count: usize, draws: &mut Draws) -> Vec<u32> {
        if let [names] = &self.of_length[..]
            && names.len() < 4 * count
        {
            // Same distribution when few names exist, without drawing one twice.
            let mut pool = names.clone();
            for place in 0..count {
                let chosen = place + draws.below(pool.len() - place);
                pool.swap(place, chosen);
            }
            pool.truncate(count);
            return pool;
        }
        let mut drawn = vec![0_u64; self.all.len().div_ceil(64)];
        let (mut numbers, mut length) = (vec![0; count], 0);
        while length < count {
            let names = &self.of_length[draws.below(self.of_length.len())];
            let number = names[draws.below(names.len())];
            let (bits, bit) = (&mut drawn[number as usize / 64], 1 << (number % 64));
            // Always written: the branch on whether it is new is unpredictable.
            numbers[length] = number;
            length += usize::from(*bits & bit == 0);
            *bits |= bit;
        }
        numbers
    }

    /// The number of the name with the text `word`, if there is one; the text must be in canonical form.
    pub fn read(&self, word: &str) -> Option<u32> {
        let (mut tokens, mut length) = ([0; LONGEST], 0);
        for letter in word.split('.') {
            let plain = letter.bytes().all(|byte| byte.is_ascii_digit()) && !letter.starts_with('0');
            let letter: u32 = letter.parse().ok().filter(|letter| plain && (1..=self.letters).contains(letter))?;
            *tokens.get_mut(length)? = self.first + letter - 1;
            length += 1;
        }
        if self.longest > 1 {
            tokens[length - 1] += self.letters;
        }
        let found = self.all.binary_search_by_key(&key(&tokens, length), |name| name.key);
        found.ok().map(|number| number as u32)
    }

    /// For each token of the name `node`, the tokens that may stand there: those with which the `candidates` go on whose
    /// names start like what is printed of it.
    pub fn continuations(&self, node: u32, candidates: &[u32]) -> Vec<Vec<u32>> {
        let name = self.get(node);
        let at = |place: usize| {
            let names = candidates.iter().map(|candidate| self.get(*candidate));
            names.filter(|other| shared(name.key, other.key) >= place).map(|other| other.tokens[place]).collect()
        };
        (0..name.length).map(at).collect()
    }

    /// Description of a valid name, for error messages.
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

/// Index of names that start alike, for [`Names`]; `all` must be sorted.
fn alike(all: &[Name]) -> Vec<[[u32; 2]; LONGEST]> {
    let mut alike = vec![[[0; 2]; LONGEST]; all.len()];
    for place in 0..LONGEST {
        let mut first = 0;
        while first < all.len() {
            let same = |name: &&Name| shared(name.key, all[first].key) >= place;
            let end = first + all[first..].iter().take_while(same).count();
            alike[first..end].iter_mut().for_each(|places| places[place] = [first as u32, end as u32]);
            first = end;
        }
    }
    alike
}

/// The first `length` of `tokens` in 16 bits each; none of them is 0.
fn key(tokens: &[u32; LONGEST], length: usize) -> u128 {
    let digit = |place: usize| if place < length { u128::from(tokens[place]) + 1 } else { 0 };
    (0..LONGEST).fold(0, |key, place| key << 16 | digit(place))
}
