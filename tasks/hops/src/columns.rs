//! The per-token columns: their declarations and values.

use haltbench_sdk::task::{Columns, ComplexitySpec, FeatureKind, FeatureSpec};

use crate::chain::Walk;

/// The complexities.
pub const COMPLEXITIES: [ComplexitySpec; 2] = [
    ComplexitySpec {
        name: "hops",
        documentation: "Hops that are taken: those asked for, or fewer where a letter has no earlier occurrence and the \
                        answer is `<none>`; at answers.",
    },
    ComplexitySpec {
        name: "parallel",
        documentation: "Rounds of doubling the function of one hop, ceil(log2(hops + 1)); at answers.",
    },
];

/// The features.
pub const FEATURES: [FeatureSpec; 11] = [
    FeatureSpec { name: "size", kind: FeatureKind::Static, documentation: "Letters of the string, N." },
    FeatureSpec { name: "asked_hops", kind: FeatureKind::Static, documentation: "Hops asked for, k." },
    FeatureSpec {
        name: "position",
        kind: FeatureKind::Static,
        documentation: "Place of the token in the sequence; `<bos>` is 0.",
    },
    FeatureSpec { name: "place", kind: FeatureKind::Static, documentation: "Letters before this one; at letters." },
    FeatureSpec {
        name: "letter",
        kind: FeatureKind::Static,
        documentation: "Number of the letter, 0 for the first of the alphabet; at letters.",
    },
    FeatureSpec {
        name: "occurrences",
        kind: FeatureKind::Static,
        documentation: "Earlier occurrences of the letter; at letters.",
    },
    FeatureSpec {
        name: "first_hop",
        kind: FeatureKind::State,
        documentation: "Letters that the first hop goes back, 0 if there is none; at letters.",
    },
    FeatureSpec {
        name: "chain_end",
        kind: FeatureKind::State,
        documentation: "Letters before the one where the hops end; at letters.",
    },
    FeatureSpec {
        name: "span",
        kind: FeatureKind::State,
        documentation: "Letters that all hops together go back; at letters.",
    },
    FeatureSpec {
        name: "defined",
        kind: FeatureKind::State,
        documentation: "1 if all hops asked for can be taken, 0 if the answer is `<none>`; at letters.",
    },
    FeatureSpec {
        name: "available_hops",
        kind: FeatureKind::State,
        documentation: "Hops until a letter has no earlier occurrence, however many are asked for; at letters.",
    },
];

/// A string with the hops of all its letters.
pub struct Chains<'a> {
    /// The letters.
    pub letters: &'a [usize],
    /// Number of letters of the alphabet.
    pub alphabet: usize,
    /// Hops asked for.
    pub asked: usize,
    /// Where one hop leads.
    pub hops: &'a [Option<usize>],
    /// The walks of the hops asked for.
    pub walks: &'a [Walk],
}

/// Fills the columns of a sequence whose string begins at token `start` and is answered from token `answered` on.
pub fn fill(chains: &Chains, [start, answered]: [usize; 2], [complexities, features]: [&mut Columns; 2]) {
    let Chains { letters, hops, walks, .. } = chains;
    let length = start + letters.len();
    let costs: &mut [[f32; COMPLEXITIES.len()]] = complexities.reset_rows(answered..length);
    for (row, walk) in costs.iter_mut().zip(&walks[answered - start..]) {
        let rounds = usize::BITS - walk.hops.leading_zeros();
        *row = [walk.hops as f32, rounds as f32];
    }
    let rows: &mut [[f32; FEATURES.len()]] = features.reset_rows(0..length);
    for (token, row) in rows.iter_mut().enumerate() {
        *row = [f32::NAN; FEATURES.len()];
        row[..3].copy_from_slice(&[letters.len(), chains.asked, token].map(|number| number as f32));
    }
    let mut occurrences = vec![0; chains.alphabet];
    let mut available: Vec<usize> = Vec::with_capacity(letters.len());
    for (place, letter) in letters.iter().enumerate() {
        let walk = walks[place];
        available.push(hops[place].map_or(0, |next| available[next] + 1));
        let first_hop = hops[place].map_or(0, |next| place - next);
        let is_defined = usize::from(walk.hops == chains.asked);
        let counted =
            [place, *letter, occurrences[*letter], first_hop, walk.end, place - walk.end, is_defined, available[place]];
        rows[start + place][3..].copy_from_slice(&counted.map(|number| number as f32));
        occurrences[*letter] += 1;
    }
}
