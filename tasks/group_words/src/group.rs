//! Finite groups: their elements, words and products.

use std::collections::{BTreeMap, BTreeSet};

use haltbench_sdk::{Error, Result};

use crate::settings::NAME;

/// Points that the permutations of every group act on. A group that needs fewer leaves the last ones in place.
pub const POINTS: usize = 5;

/// An element of a direct product of a group of permutations and a cyclic group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Element {
    /// The image of every point.
    pub images: [u8; POINTS],
    /// The part in the cyclic group.
    pub residue: u8,
}

impl Element {
    /// `self` after `next` has been applied: the image of point i is `self.images[next.images[i]]`. Residues modulo
    /// `modulus` are added.
    pub fn then(self, next: Self, modulus: u8) -> Self {
        let images = next.images.map(|point| self.images[usize::from(point)]);
        Self { images, residue: (self.residue + next.residue) % modulus }
    }
}

/// A group that the task knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Cyclic, of order 60.
    Z60,
    /// Even permutations of four points, and residues modulo 5: of order 60, solvable, not commutative.
    A4Z5,
    /// Even permutations of five points, of order 60: the smallest group that is not solvable.
    A5,
    /// All permutations of five points, of order 120.
    S5,
}

impl Kind {
    /// All groups.
    pub const ALL: [Self; 4] = [Self::Z60, Self::A4Z5, Self::A5, Self::S5];

    /// Names of [`ALL`](Self::ALL), in its order.
    pub const NAMES: [&str; 4] = ["z60", "a4xz5", "a5", "s5"];

    /// Points that its permutations move.
    pub fn points(self) -> usize {
        match self {
            Self::Z60 => 0,
            Self::A4Z5 => 4,
            Self::A5 | Self::S5 => 5,
        }
    }

    /// Order of its cyclic part.
    pub fn modulus(self) -> u8 {
        match self {
            Self::Z60 => 60,
            Self::A4Z5 => 5,
            Self::A5 | Self::S5 => 1,
        }
    }

    /// What an element of a question is, for messages.
    pub fn expected(self) -> &'static str {
        match self {
            Self::Z60 => "a number from 0 to 59",
            Self::A4Z5 => "an even permutation of 0123, a point and a number from 0 to 4, such as `1203.4`",
            Self::A5 => "an even permutation of 01234, such as `12034`",
            Self::S5 => "a permutation of 01234, such as `12340`",
        }
    }

    /// The elements in ascending order; the first is the identity.
    fn elements(self) -> Vec<Element> {
        let mut found = Vec::new();
        arrange(&mut [0, 1, 2, 3, 4], 0, self.points(), &mut found);
        found.retain(|images| self == Self::S5 || is_even(images));
        found.sort_unstable();
        let residues = |images| (0..self.modulus()).map(move |residue| Element { images, residue });
        found.into_iter().flat_map(residues).collect()
    }

    fn word(self, element: &Element) -> String {
        let images: String = element.images[..self.points()].iter().map(u8::to_string).collect();
        match self {
            Self::Z60 => element.residue.to_string(),
            Self::A4Z5 => format!("{images}.{}", element.residue),
            Self::A5 | Self::S5 => images,
        }
    }
}

/// All arrangements of the points from `place` up to `end`.
fn arrange(images: &mut [u8; POINTS], place: usize, end: usize, found: &mut Vec<[u8; POINTS]>) {
    if place >= end {
        found.push(*images);
        return;
    }
    for other in place..end {
        images.swap(place, other);
        arrange(images, place + 1, end, found);
        images.swap(place, other);
    }
}

fn is_even(images: &[u8; POINTS]) -> bool {
    let inversions = (0..POINTS).flat_map(|right| (0..right).map(move |left| [left, right]));
    inversions.filter(|[left, right]| images[*left] > images[*right]).count().is_multiple_of(2)
}

/// A group with its multiplication table. Elements are numbered; 0 is the identity.
pub struct Group {
    /// Which group it is.
    pub kind: Kind,
    /// The elements by number.
    pub elements: Vec<Element>,
    /// Their words.
    pub words: Vec<String>,
    numbers: BTreeMap<String, u8>,
    /// The product of elements a and b at `a * order + b`.
    products: Vec<u8>,
    /// The order of every element.
    orders: Vec<u8>,
}

impl Group {
    /// The group of this kind.
    pub fn new(kind: Kind) -> Self {
        let elements = kind.elements();
        let words: Vec<String> = elements.iter().map(|element| kind.word(element)).collect();
        let numbers = words.iter().cloned().zip(0..).collect();
        let places: BTreeMap<Element, u8> = elements.iter().copied().zip(0..).collect();
        let products = elements.iter().flat_map(|left| {
            let product = |right: &Element| places.get(&left.then(*right, kind.modulus())).copied().unwrap_or_default();
            elements.iter().map(product).collect::<Vec<u8>>()
        });
        let products = products.collect();
        let mut group = Self { kind, elements, words, numbers, products, orders: Vec::new() };
        group.orders = (0..group.order()).map(|number| group.count_powers(number)).collect();
        group
    }

    /// Number of elements.
    pub fn order(&self) -> usize {
        self.elements.len()
    }

    /// The product of two elements, by their numbers.
    #[inline]
    pub fn product(&self, left: usize, right: usize) -> usize {
        usize::from(self.products[left * self.order() + right])
    }

    /// Order of the element with this number.
    pub fn order_of(&self, number: usize) -> u8 {
        self.orders[number]
    }

    /// Number of the element that `word` stands for.
    pub fn read(&self, word: &str) -> Option<usize> {
        self.numbers.get(word).copied().map(usize::from)
    }

    /// The word of an element of this group.
    ///
    /// # Errors
    /// [`Error::Contract`] for an element of another group.
    pub fn word(&self, element: &Element) -> Result<&str> {
        let number = self.elements.binary_search(element);
        number
            .map(|number| self.words[number].as_str())
            .map_err(|_| Error::contract(NAME, "a product leaves the group"))
    }

    /// For every element the elements that products of the same factors in another order may be: its coset of the
    /// commutator subgroup.
    pub fn reorderings(&self) -> Vec<Vec<usize>> {
        let order = self.order();
        let pairs = (0..order).flat_map(|left| (0..order).map(move |right| [left, right]));
        // x = [a, b] solves (ba) x = ab.
        let commutator =
            |[left, right]: [usize; 2]| self.quotient(self.product(right, left), self.product(left, right));
        let mut subgroup: BTreeSet<usize> = pairs.map(commutator).collect();
        loop {
            let products = subgroup.iter().flat_map(|left| subgroup.iter().map(|right| self.product(*left, *right)));
            let larger: BTreeSet<usize> = products.collect();
            if larger.len() == subgroup.len() {
                break;
            }
            subgroup = larger;
        }
        (0..order).map(|element| subgroup.iter().map(|other| self.product(element, *other)).collect()).collect()
    }

    /// The element x with `left` x = `product`.
    fn quotient(&self, left: usize, product: usize) -> usize {
        (0..self.order()).find(|right| self.product(left, *right) == product).unwrap_or_default()
    }

    fn count_powers(&self, number: usize) -> u8 {
        let mut power = number;
        let mut count = 1;
        while power != 0 {
            power = self.product(power, number);
            count += 1;
        }
        count
    }
}
