//! The per-token columns: their declarations and values, all at the answer.

use std::collections::BTreeMap;

use haltbench_sdk::task::{Columns, ComplexitySpec, FeatureKind, FeatureSpec};

use super::list::List;

/// The complexities.
pub const COMPLEXITIES: [ComplexitySpec; 3] = [
    ComplexitySpec {
        name: "skipped",
        documentation: "Elements of the list that are repeats, between the last one listed and this one, at `<eos>` up to \
                        the end of the list; at the answer and `<eos>`.",
    },
    ComplexitySpec {
        name: "repeat_distance",
        documentation: "Largest distance in the list from one of these repeats to its occurrence before; 0 without \
                        repeats; at the answer and `<eos>`.",
    },
    ComplexitySpec {
        name: "lookback",
        documentation: "Tokens from the position that predicts the token to the element's first occurrence in the list, \
                        at `<eos>` to the last element of the list.",
    },
];

/// The features.
pub const FEATURES: [FeatureSpec; 8] = [
    FeatureSpec { name: "size", kind: FeatureKind::Static, documentation: "Elements of the list, N." },
    FeatureSpec {
        name: "position",
        kind: FeatureKind::Static,
        documentation: "Place of the token in the sequence; `<bos>` is 0.",
    },
    FeatureSpec {
        name: "place",
        kind: FeatureKind::Static,
        documentation: "Place of the token in the answer, from 1 on.",
    },
    FeatureSpec {
        name: "preceding_occurrences",
        kind: FeatureKind::Static,
        documentation: "Occurrences in the list of the element listed before; 0 at the first.",
    },
    FeatureSpec {
        name: "source",
        kind: FeatureKind::State,
        documentation: "Place in the list of the element's first occurrence, from 1 on; one past the end at `<eos>`.",
    },
    FeatureSpec {
        name: "repeats_before",
        kind: FeatureKind::State,
        documentation: "All repeats in the list before the element's first occurrence.",
    },
    FeatureSpec { name: "distinct", kind: FeatureKind::State, documentation: "Distinct elements of the list." },
    FeatureSpec {
        name: "remaining",
        kind: FeatureKind::State,
        documentation: "Distinct elements that are not listed yet, this one included; 0 at `<eos>`.",
    },
];

/// Fills the complexities and features of a sequence whose answer starts at token `first`.
pub fn fill(list: &List, first: usize, [complexities, features]: [&mut Columns; 2]) {
    let (size, distinct) = (list.elements.len(), list.firsts.len());
    let length = first + distinct + 1;
    complexities.reset(COMPLEXITIES.len(), first..length);
    features.reset(FEATURES.len(), first..length);
    // Distance of every element from its occurrence before, and occurrences in total.
    let mut seen: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
    let mut distances = vec![0; size];
    for (place, element) in list.elements.iter().enumerate() {
        let (before, count) = seen.entry(*element).or_insert((place, 0));
        distances[place] = place - *before;
        (*before, *count) = (place, *count + 1);
    }
    let mut next = 0;
    for answered in 0..=distinct {
        let token = first + answered;
        let source = list.firsts.get(answered).copied().unwrap_or(size);
        let passed = &distances[next..source];
        let farthest = passed.iter().max().copied().unwrap_or(0);
        // The list ends right before `<ans>`, and the answer starts right after.
        let looked_at = first - 1 - size + source.min(size - 1);
        complexities.write(token, 0, &[passed.len(), farthest, token - 1 - looked_at].map(|count| count as f32));
        let before = answered.checked_sub(1).and_then(|before| seen.get(&list.elements[list.firsts[before]]));
        let preceding = before.map_or(0, |(_, count)| *count);
        let counted =
            [size, token, answered + 1, preceding, source + 1, source - answered, distinct, distinct - answered];
        features.write(token, 0, &counted.map(|count| count as f32));
        next = source + 1;
    }
}
