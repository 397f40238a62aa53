//! The per-token columns: their declarations and values.

use haltbench_sdk::task::{Columns, ComplexitySpec, FeatureKind, FeatureSpec};

use crate::group::Group;
use crate::word::Word;

/// The complexities.
pub const COMPLEXITIES: [ComplexitySpec; 2] = [
    ComplexitySpec {
        name: "sequential",
        documentation: "Elements that are multiplied: those up to this one, without identities that only pad; the length \
                        of the chain of products; at elements.",
    },
    ComplexitySpec {
        name: "parallel",
        documentation: "Rounds of a parallel prefix product, ceil(log2(sequential + 1)); at elements.",
    },
];

/// The column of `sequential`.
pub const SEQUENTIAL: usize = 0;

/// The features.
pub const FEATURES: [FeatureSpec; 9] = [
    FeatureSpec { name: "length", kind: FeatureKind::Static, documentation: "Elements of the sequence." },
    FeatureSpec {
        name: "size",
        kind: FeatureKind::Static,
        documentation: "Elements of the sequence without identities that only pad, N.",
    },
    FeatureSpec {
        name: "position",
        kind: FeatureKind::Static,
        documentation: "Place of the token in the sequence; `<bos>` is 0.",
    },
    FeatureSpec {
        name: "element",
        kind: FeatureKind::Static,
        documentation: "Number of the element, 0 for the identity; at elements.",
    },
    FeatureSpec {
        name: "element_order",
        kind: FeatureKind::Static,
        documentation: "Order of the element, 1 for the identity; at elements.",
    },
    FeatureSpec {
        name: "product_before",
        kind: FeatureKind::State,
        documentation: "Number of the product of all elements before this one; at elements.",
    },
    FeatureSpec {
        name: "product",
        kind: FeatureKind::State,
        documentation: "Number of the product of all elements up to this one; at elements.",
    },
    FeatureSpec {
        name: "product_order",
        kind: FeatureKind::State,
        documentation: "Order of the product of all elements up to this one; at elements.",
    },
    FeatureSpec {
        name: "returns",
        kind: FeatureKind::State,
        documentation: "Earlier elements, padding left out, with which the product came back to the identity; at \
                        elements.",
    },
];

/// Fills the columns of a sequence: a token before the word, then the word with its running `products`.
pub fn fill(group: &Group, word: &Word, products: &[usize], [complexities, features]: [&mut Columns; 2]) {
    let length = word.elements.len();
    let rounds = |count: u32| u32::BITS - count.leading_zeros();
    let costs: &mut [[f32; COMPLEXITIES.len()]] = complexities.reset_rows(1..length + 1);
    for (row, count) in costs.iter_mut().zip(&word.counts) {
        *row = [*count, rounds(*count)].map(|number| number as f32);
    }
    let size = word.counts.last().copied().unwrap_or_default();
    let rows: &mut [[f32; FEATURES.len()]] = features.reset_rows(0..length + 1);
    let Some((first, rows)) = rows.split_first_mut() else { return };
    *first = [f32::NAN; FEATURES.len()];
    first[..3].copy_from_slice(&[length as f32, size as f32, 0.0]);
    let (mut before, mut counted, mut returns) = (0, 0, 0);
    for (place, row) in rows.iter_mut().enumerate() {
        let (element, product) = (word.elements[place], products[place]);
        let orders = [element, product].map(|number| f32::from(group.order_of(number)));
        let [count, position, element, before_this, after] =
            [size as usize, place + 1, element, before, product].map(|number| number as f32);
        *row = [length as f32, count, position, element, orders[0], before_this, after, orders[1], returns as f32];
        returns += u32::from(product == 0 && word.counts[place] > counted);
        (before, counted) = (product, word.counts[place]);
    }
}
