//! Mutations of bytes.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::Index;

/// Values at which readers break: ends of integers, numbers that are none, empty and endless texts.
pub const NASTY: &[&str] = &[
    "",
    "0",
    "-1",
    "1",
    "255",
    "65536",
    "100000",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "1e-320",
    "-0.0",
    "3.0",
    "nan",
    "inf",
    "NaN",
    "true",
    "null",
    "\"\"",
    "\"3\"",
    "[]",
    "[1, 1]",
    "{}",
    "{ }",
    "\u{feff}",
    "\u{0}",
    "\u{1b}[31m",
    "\n",
    "\r\n",
    "é",
    "\u{202e}",
    "=",
    "|",
    "#",
    "->",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    "((((((((((((((((((((((((((((((((",
    "+ + + + + + + + + + + + + + + + ",
    "..",
    "/dev/zero",
];

/// Bytes at which binary readers break: lengths and offsets beyond any file.
const RAW: &[[u8; 8]] =
    &[[0; 8], [0xff; 8], [0, 0, 0, 0, 0, 0, 0, 0x80], [0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0, 0]];

/// A change to a text or a file.
#[derive(Debug, Clone)]
pub enum Mutation {
    /// Flips a bit.
    Flip(Index, u8),
    /// Overwrites a byte.
    Set(Index, u8),
    /// Removes some bytes.
    Remove(Index, usize),
    /// Repeats some bytes several times.
    Repeat(Index, usize, usize),
    /// Cuts off the end.
    Cut(Index),
    /// Copies some bytes to another place.
    Copy(Index, Index, usize),
    /// Inserts a nasty value.
    Insert(Index, usize),
    /// Replaces the word at a place with a nasty value.
    Replace(Index, usize),
    /// Overwrites eight bytes.
    Overwrite(Index, usize),
}

/// Up to six mutations.
pub fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let place = any::<Index>;
    let one = prop_oneof![
        (place(), 0..8_u8).prop_map(|(place, bit)| Mutation::Flip(place, bit)),
        (place(), any::<u8>()).prop_map(|(place, byte)| Mutation::Set(place, byte)),
        (place(), 1..40_usize).prop_map(|(place, count)| Mutation::Remove(place, count)),
        (place(), 1..40_usize, 1..60_usize).prop_map(|(place, count, times)| Mutation::Repeat(place, count, times)),
        place().prop_map(Mutation::Cut),
        (place(), place(), 1..60_usize).prop_map(|(from, to, count)| Mutation::Copy(from, to, count)),
        (place(), 0..NASTY.len()).prop_map(|(place, word)| Mutation::Insert(place, word)),
        (place(), 0..NASTY.len()).prop_map(|(place, word)| Mutation::Replace(place, word)),
        (place(), 0..NASTY.len()).prop_map(|(place, word)| Mutation::Replace(place, word)),
        (place(), 0..RAW.len()).prop_map(|(place, raw)| Mutation::Overwrite(place, raw)),
    ];
    prop_oneof![Just(1_usize), 1..7_usize].prop_flat_map(move |count| vec(one.clone(), count))
}

/// Applies mutations one after the other.
pub fn mutated(bytes: &[u8], mutations: &[Mutation]) -> Vec<u8> {
    mutations.iter().fold(bytes.to_vec(), apply)
}

fn apply(mut bytes: Vec<u8>, mutation: &Mutation) -> Vec<u8> {
    let at = |place: &Index, bytes: &[u8]| if bytes.is_empty() { 0 } else { place.index(bytes.len()) };
    let piece = |start: usize, count: usize, bytes: &[u8]| bytes[start..(start + count).min(bytes.len())].to_vec();
    match mutation {
        Mutation::Flip(place, bit) => {
            let place = at(place, &bytes);
            bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 1 << bit);
        }
        Mutation::Set(place, new) => {
            let place = at(place, &bytes);
            bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte = *new);
        }
        Mutation::Remove(place, count) => {
            let place = at(place, &bytes);
            let end = (place + count).min(bytes.len());
            bytes.drain(place..end);
        }
        Mutation::Repeat(place, count, times) => {
            let place = at(place, &bytes);
            let copies = piece(place, *count, &bytes).repeat(*times);
            bytes.splice(place..place, copies);
        }
        Mutation::Cut(place) => bytes.truncate(at(place, &bytes)),
        Mutation::Copy(from, to, count) => {
            let (from, to) = (at(from, &bytes), at(to, &bytes));
            let copy = piece(from, *count, &bytes);
            bytes.splice(to..to, copy);
        }
        Mutation::Insert(place, word) => {
            let place = at(place, &bytes);
            bytes.splice(place..place, NASTY[*word].bytes());
        }
        Mutation::Replace(place, word) => {
            let place = at(place, &bytes);
            let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-+".contains(byte);
            let start = place - bytes[..place].iter().rev().take_while(|byte| is_part(byte)).count();
            let end = place + bytes[place..].iter().take_while(|byte| is_part(byte)).count();
            bytes.splice(start..end, NASTY[*word].bytes());
        }
        Mutation::Overwrite(place, raw) => {
            let place = at(place, &bytes);
            bytes.iter_mut().skip(place).zip(RAW[*raw]).for_each(|(byte, new)| *byte = new);
        }
    }
    bytes
}
