//! What streams start from: the blake3 hashes of their names.
//!
//! Most names fit into one block of the hash, whose steps wait for one another: one name leaves most of a processor idle.
//! Those of many are found side by side, one in each lane of its registers.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

/// Bytes of the seed and of the purpose's length, which come first in a name.
const HEAD: usize = 16;

/// Words of 32 bits of a block of the hash.
const WORDS: usize = 16;

/// Bytes of a block.
const BLOCK: usize = 4 * WORDS;

/// Names that are hashed side by side: as many as there are lanes in the widest registers.
const NAMES: usize = 16;

/// What a stream starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Key(pub(super) [u8; 32]);

impl Key {
    /// The key of `purpose` at `index` under `seed`.
    pub fn new(seed: u64, purpose: &str, index: &[u64]) -> Self {
        // Memory of the stack holds the name of an instance.
        let (mut short, mut long) = ([0; 128], Vec::new());
        let length = HEAD + purpose.len() + 8 * index.len();
        let name = match short.get_mut(..length) {
            Some(short) => short,
            None => {
                long.resize(length, 0);
                &mut long[..]
            }
        };
        write(name, seed, purpose, index);
        Self(*blake3::hash(name).as_bytes())
    }
}

/// Writes a name, which `name` has the length of.
#[inline]
fn write(name: &mut [u8], seed: u64, purpose: &str, index: &[u64]) {
    let (head, tail) = name.split_at_mut(HEAD + purpose.len());
    head[..8].copy_from_slice(&seed.to_le_bytes());
    head[8..HEAD].copy_from_slice(&(purpose.len() as u64).to_le_bytes());
    head[HEAD..].copy_from_slice(purpose.as_bytes());
    for (bytes, part) in tail.chunks_exact_mut(8).zip(index) {
        bytes.copy_from_slice(&part.to_le_bytes());
    }
}

/// The keys of many names of one purpose, each with what it is the key for.
pub struct Keys<'a, const PARTS: usize, T, I> {
    purpose: &'a str,
    /// What a key is for, its seed and its index.
    names: I,
    found: [(T, Key); NAMES],
    /// Those found that were not given out yet.
    ready: Range<usize>,
}

impl<'a, const PARTS: usize, T, I> Keys<'a, PARTS, T, I>
where
    T: Copy + Default,
    I: Iterator<Item = (T, u64, [u64; PARTS])>,
{
    /// The keys of `purpose`; `names` say what each is for, and its seed and index.
    pub fn new(purpose: &'a str, names: I) -> Self {
        Self { purpose, names, found: [Default::default(); NAMES], ready: 0..0 }
    }

    #[cold]
    #[inline(never)]
    fn find(&mut self) {
        let mut blocks = [[0; BLOCK]; NAMES];
        let length = HEAD + self.purpose.len() + 8 * PARTS;
        let is_short = length <= BLOCK;
        let mut count = 0;
        // In this order no name is taken that finds no place.
        for ((block, found), (value, seed, index)) in blocks.iter_mut().zip(&mut self.found).zip(&mut self.names) {
            found.0 = value;
            if is_short {
                write(&mut block[..length], seed, self.purpose, &index);
            } else {
                found.1 = Key::new(seed, self.purpose, &index);
            }
            count += 1;
        }
        if is_short && count > 0 {
            for (found, hash) in self.found.iter_mut().zip(hash(&blocks, length)) {
                found.1 = Key(hash);
            }
        }
        self.ready = 0..count;
    }
}

impl<const PARTS: usize, T, I> Iterator for Keys<'_, PARTS, T, I>
where
    T: Copy + Default,
    I: Iterator<Item = (T, u64, [u64; PARTS])>,
{
    type Item = (T, Key);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty() {
            self.find();
        }
        self.ready.next().and_then(|next| self.found.get(next)).copied()
    }
}

/// The blake3 hashes of messages that fill the first `length` bytes of their only blocks, which are 0 behind them.
#[inline(never)]
fn hash(blocks: &[[u8; BLOCK]; NAMES], length: usize) -> [[u8; 32]; NAMES] {
    // Word by word instead of message by message.
    let mut words = [[0; NAMES]; WORDS];
    for (lane, block) in blocks.iter().enumerate() {
        for (words, bytes) in words.iter_mut().zip(block.as_chunks().0) {
            words[lane] = u32::from_le_bytes(*bytes);
        }
    }
    let hashed = Arch::new().dispatch(Hash { words: &words, length: length as u32 });
    let mut hashes = [[0; 32]; NAMES];
    for (lane, hash) in hashes.iter_mut().enumerate() {
        for (bytes, words) in hash.as_chunks_mut().0.iter_mut().zip(&hashed) {
            *bytes = words[lane].to_le_bytes();
        }
    }
    hashes
}

/// The work of [`hash`]: words and hashes have an entry for each message.
struct Hash<'a> {
    words: &'a [[u32; NAMES]; WORDS],
    length: u32,
}

/// Start of the state: the fractional parts of square roots of primes, as in SHA-256.
const START: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The flags of a block that starts and ends the only chunk, and is the root of the tree.
const ONLY_BLOCK: u32 = 1 | 2 | 8;

/// How many times all words are mixed in.
const ROUNDS: usize = 7;

impl WithSimd for Hash<'_> {
    type Output = [[u32; NAMES]; 8];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let mut hashes = [[0; NAMES]; 8];
        for group in 0..NAMES / S::U32_LANES {
            // Loops, since what is passed to functions of arrays is not compiled for the processor.
            let mut words = [simd.splat_u32s(0); WORDS];
            for (word, lanes) in words.iter_mut().zip(self.words) {
                *word = S::as_simd_u32s(lanes).0[group];
            }
            for (hash, found) in hashes.iter_mut().zip(compress(simd, words, self.length)) {
                S::as_mut_simd_u32s(hash).0[group] = found;
            }
        }
        hashes
    }
}

/// The compression of section 2.2 of the BLAKE3 paper, for a block as in [`Hash`].
#[inline(always)]
fn compress<S: Simd>(simd: S, mut words: [S::u32s; WORDS], length: u32) -> [S::u32s; 8] {
    let [a, b, c, d, e, f, g, h] = START;
    // The zeros are the number of the chunk.
    let start = [a, b, c, d, e, f, g, h, a, b, c, d, 0, 0, length, ONLY_BLOCK];
    let mut state = [simd.splat_u32s(0); WORDS];
    for (state, start) in state.iter_mut().zip(start) {
        *state = simd.splat_u32s(start);
    }
    for _ in 0..ROUNDS {
        // Written out, so that all words stay in registers.
        let [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15] = words;
        mix(simd, &mut state, [0, 4, 8, 12], [w0, w1]);
        mix(simd, &mut state, [1, 5, 9, 13], [w2, w3]);
        mix(simd, &mut state, [2, 6, 10, 14], [w4, w5]);
        mix(simd, &mut state, [3, 7, 11, 15], [w6, w7]);
        mix(simd, &mut state, [0, 5, 10, 15], [w8, w9]);
        mix(simd, &mut state, [1, 6, 11, 12], [w10, w11]);
        mix(simd, &mut state, [2, 7, 8, 13], [w12, w13]);
        mix(simd, &mut state, [3, 4, 9, 14], [w14, w15]);
        // Where each word of the next round comes from.
        words = [w2, w6, w3, w10, w7, w0, w4, w13, w1, w11, w12, w5, w9, w14, w15, w8];
    }
    let mut hash = [simd.splat_u32s(0); 8];
    for (word, hash) in hash.iter_mut().enumerate() {
        *hash = simd.xor_u32s(state[word], state[word + 8]);
    }
    hash
}

/// Mixes two words of the messages into four words of the states.
#[inline(always)]
fn mix<S: Simd>(simd: S, state: &mut [S::u32s; WORDS], [a, b, c, d]: [usize; 4], [first, second]: [S::u32s; 2]) {
    for (word, [left, right]) in [(first, [16, 12]), (second, [8, 7])] {
        state[a] = simd.add_u32s(simd.add_u32s(state[a], state[b]), word);
        state[d] = rotate(simd, simd.xor_u32s(state[d], state[a]), left);
        state[c] = simd.add_u32s(state[c], state[d]);
        state[b] = rotate(simd, simd.xor_u32s(state[b], state[c]), right);
    }
}

/// Rotates every word to the right.
#[inline(always)]
fn rotate<S: Simd>(simd: S, words: S::u32s, bits: u32) -> S::u32s {
    let lower = simd.wrapping_dyn_shr_u32s(words, simd.splat_u32s(bits));
    simd.or_u32s(lower, simd.wrapping_dyn_shl_u32s(words, simd.splat_u32s(32 - bits)))
}

#[cfg(test)]
mod tests {
    use std::array;

    use pulp::{Scalar, WithSimd};

    use super::{BLOCK, HEAD, Hash, Key, Keys, NAMES, WORDS};

    /// Names of several numbers of a purpose are hashed as the crate hashes each, and none is left out or comes twice.
    #[track_caller]
    fn assert_same(purpose: &str, count: u64) {
        let names =
            (0..count).map(|number| (number, number.wrapping_mul(0x9e37_79b9_7f4a_7c15), [number, !number << 7]));
        let expected: Vec<(u64, Key)> =
            names.clone().map(|(number, seed, index)| (number, Key::new(seed, purpose, &index))).collect();
        assert_eq!(Keys::new(purpose, names).collect::<Vec<_>>(), expected, "{purpose}, {count}");
    }

    #[test]
    fn many_keys_are_those_of_each_name() {
        let longest = "x".repeat(BLOCK - HEAD - 16);
        for purpose in ["", "a", "instance", "training-size", &longest, &format!("{longest}x"), &"x".repeat(200)] {
            [0, 1, 2, 15, 16, 17, 40].into_iter().for_each(|count| assert_same(purpose, count));
        }
    }

    #[test]
    fn every_processor_hashes_alike() {
        let words: [[u32; NAMES]; WORDS] =
            array::from_fn(|word| array::from_fn(|lane| 0x9e37_79b9_u32.wrapping_mul((NAMES * word + lane) as u32)));
        let expected: [[u32; NAMES]; 8] = {
            let message = |lane: usize| words.map(|word| word[lane].to_le_bytes());
            let hashes: [_; NAMES] = array::from_fn(|lane| *blake3::hash(message(lane).as_flattened()).as_bytes());
            array::from_fn(|word| hashes.map(|hash| u32::from_le_bytes(hash.as_chunks().0[word])))
        };
        let hash = || Hash { words: &words, length: BLOCK as u32 };
        assert_eq!(hash().with_simd(Scalar::new()), expected);
        #[cfg(target_arch = "x86_64")]
        {
            let [wide, wider] = [
                pulp::x86::V3::try_new().map(|simd| hash().with_simd(simd)),
                pulp::x86::V4::try_new().map(|simd| hash().with_simd(simd)),
            ];
            assert!(wide.is_none_or(|found| found == expected) && wider.is_none_or(|found| found == expected));
        }
    }
}
