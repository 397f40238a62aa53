//! The per-token columns: their declarations and values, all at the copy and `<eos>`.

use haltbench_sdk::task::{Columns, ComplexitySpec, FeatureKind, FeatureSpec};

/// The complexities.
pub const COMPLEXITIES: [ComplexitySpec; 3] = [
    ComplexitySpec {
        name: "context",
        documentation: "Fewest tokens right before this one, the start of the copy counted as one, that occur at one \
                        place of the list only; at the copy and `<eos>`.",
    },
    ComplexitySpec {
        name: "lookback",
        documentation: "Tokens from the position that predicts the token to its place in the list, N for all; at the copy \
                        and `<eos>`, whose place is the token after the list.",
    },
    ComplexitySpec {
        name: "depth",
        documentation: "Look-ups that depend on each other, always 1: a constant; at the copy and `<eos>`.",
    },
];

/// The features.
pub const FEATURES: [FeatureSpec; 6] = [
    FeatureSpec { name: "size", kind: FeatureKind::Static, documentation: "Elements of the list, N." },
    FeatureSpec {
        name: "position",
        kind: FeatureKind::Static,
        documentation: "Place of the token in the sequence; `<bos>` is 0.",
    },
    FeatureSpec {
        name: "place",
        kind: FeatureKind::Static,
        documentation: "Place of the token in the copy, from 1 on.",
    },
    FeatureSpec {
        name: "preceding_occurrences",
        kind: FeatureKind::Static,
        documentation: "Occurrences in the list of the element copied before; 0 at the first.",
    },
    FeatureSpec {
        name: "run",
        kind: FeatureKind::Static,
        documentation: "Equal elements at the end of what is copied so far; 0 at the first.",
    },
    FeatureSpec {
        name: "conflicts",
        kind: FeatureKind::State,
        documentation: "Occurrences in the list of the element copied before that are followed by something else than \
                        this token; 0 at the first.",
    },
];

/// Fills the complexities and features of a sequence whose copy starts at token `first`.
pub fn fill(list: &[u32], first: usize, [complexities, features]: [&mut Columns; 2]) {
    let size = list.len();
    let length = first + size + 1;
    complexities.reset(COMPLEXITIES.len(), first..length);
    features.reset(FEATURES.len(), first..length);
    // By place: how many elements before it, itself included, equal those before the last copied one.
    let mut common = vec![0; size];
    let mut run = 0;
    for place in 0..=size {
        let token = first + place;
        let mut ambiguity = 0;
        let (mut occurrences, mut conflicts) = (0, 0);
        if let Some(copied) = place.checked_sub(1) {
            run = if place > 1 && list[copied - 1] == list[copied] { run + 1 } else { 1 };
            // Backwards, because every entry needs the one before it from the last place.
            for other in (0..size).rev() {
                let before = if other > 0 { common[other - 1] } else { 0 };
                let is_same = list[other] == list[copied];
                common[other] = if is_same { before + 1 } else { 0 };
                conflicts += usize::from(is_same && list.get(other + 1) != list.get(place));
            }
            let others = common.iter().enumerate().filter(|(other, _)| *other != copied);
            ambiguity = others.map(|(_, common)| *common).max().unwrap_or(0);
            occurrences = list.iter().filter(|element| **element == list[copied]).count();
        }
        complexities.write(token, 0, &[(ambiguity + 1) as f32, size as f32, 1.0]);
        let counts = [size, token, place + 1, occurrences, run, conflicts];
        features.write(token, 0, &counts.map(|count| count as f32));
    }
}
