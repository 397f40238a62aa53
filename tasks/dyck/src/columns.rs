//! The per-token columns: their declarations and values.

use haltbench_sdk::task::{Columns, ComplexitySpec, FeatureKind, FeatureSpec};

use crate::brackets::Word;

/// The complexities.
pub const COMPLEXITIES: [ComplexitySpec; 4] = [
    ComplexitySpec {
        name: "distance",
        documentation: "Brackets from a closing bracket back to the one that opens its pair; at closing brackets.",
    },
    ComplexitySpec {
        name: "depth",
        documentation: "Pairs around the bracket, its own included: brackets open before it closes or after it opens; at \
                        answers.",
    },
    ComplexitySpec {
        name: "brackets",
        documentation: "Brackets up to this one: what a counter has to add up; at answers.",
    },
    ComplexitySpec {
        name: "parallel",
        documentation: "Rounds that match brackets over doubled distances, ceil(log2(distance + 1)); at closing \
                        brackets.",
    },
];

/// The column of `brackets`.
pub const BRACKETS: usize = 2;

/// The features.
pub const FEATURES: [FeatureSpec; 9] = [
    FeatureSpec { name: "length", kind: FeatureKind::Static, documentation: "Tokens of the word." },
    FeatureSpec { name: "size", kind: FeatureKind::Static, documentation: "Pairs of the word, N." },
    FeatureSpec {
        name: "position",
        kind: FeatureKind::Static,
        documentation: "Place of the token in the sequence; `<bos>` is 0.",
    },
    FeatureSpec {
        name: "is_closing",
        kind: FeatureKind::Static,
        documentation: "1 for a closing bracket, 0 for an opening one; at brackets.",
    },
    FeatureSpec {
        name: "last_kind",
        kind: FeatureKind::Static,
        documentation: "Kind of the last opening bracket up to this one, 0 for the first kind; at brackets.",
    },
    FeatureSpec {
        name: "depth_before",
        kind: FeatureKind::State,
        documentation: "Brackets open before the token, the width of the computation; at brackets.",
    },
    FeatureSpec {
        name: "peak_depth",
        kind: FeatureKind::State,
        documentation: "Most brackets open at the same time, up to the token; at brackets.",
    },
    FeatureSpec {
        name: "returns",
        kind: FeatureKind::State,
        documentation: "Earlier brackets that left no other open; at brackets.",
    },
    FeatureSpec {
        name: "opener",
        kind: FeatureKind::State,
        documentation: "Brackets before the one that opens the pair; at closing brackets.",
    },
];

/// Fills the columns of a sequence: a token before the word, then the word. `is_answered` says which brackets are.
pub fn fill(word: &Word, is_answered: impl Fn(usize) -> bool, [complexities, features]: [&mut Columns; 2]) {
    let undefined = f32::NAN;
    complexities.reset(COMPLEXITIES.len(), 0..word.length + 1);
    let rows: &mut [[f32; FEATURES.len()]] = features.reset_rows(0..word.length + 1);
    for (token, row) in rows.iter_mut().enumerate() {
        *row = [undefined; FEATURES.len()];
        row[..3].copy_from_slice(&[word.length, word.brackets.len() / 2, token].map(|number| number as f32));
    }
    let (mut before, mut peak, mut returns, mut last_kind) = (0, 0, 0, 0);
    for (number, (bracket, place)) in word.brackets.iter().zip(&word.places).enumerate() {
        let token = place + 1;
        let distance = number - bracket.opener;
        peak = peak.max(bracket.depth);
        let is_closing = u8::from(!bracket.is_opening);
        if bracket.is_opening {
            last_kind = bracket.kind;
        }
        let opener = if bracket.is_opening { undefined } else { bracket.opener as f32 };
        let state = [before, peak, returns].map(|number| number as f32);
        rows[token][3..].copy_from_slice(&[
            f32::from(is_closing),
            last_kind as f32,
            state[0],
            state[1],
            state[2],
            opener,
        ]);
        if is_answered(number) {
            let rounds = usize::BITS - distance.leading_zeros();
            let back =
                [distance, rounds as usize].map(|number| if bracket.is_opening { undefined } else { number as f32 });
            let counted = [bracket.level(), number + 1].map(|number| number as f32);
            complexities.write(token, 0, &[back[0], counted[0], counted[1], back[1]]);
        }
        before = bracket.depth;
        returns += usize::from(bracket.depth == 0);
    }
}
