//! The per-token columns: their declarations and values, all at the bits of reads.

use haltbench_sdk::task::{Columns, ComplexitySpec, FeatureKind, FeatureSpec};

use crate::instruction::Operation;
use crate::program::Program;

/// The complexities.
pub const COMPLEXITIES: [ComplexitySpec; 3] = [
    ComplexitySpec {
        name: "lag",
        documentation: "Instructions from the last write to the read; at the bits of reads.",
    },
    ComplexitySpec {
        name: "distractors",
        documentation: "Ignored bits since the last write, among which attention has to find the written one; at the \
                        bits of reads.",
    },
    ComplexitySpec {
        name: "depth",
        documentation: "Look-ups that depend on each other, always 1: a constant; at the bits of reads.",
    },
];

/// The column of `lag`.
pub const LAG: usize = 0;

/// The features.
pub const FEATURES: [FeatureSpec; 8] = [
    FeatureSpec {
        name: "position",
        kind: FeatureKind::Static,
        documentation: "Place of the token in the sequence; `<bos>` is 0.",
    },
    FeatureSpec { name: "writes_before", kind: FeatureKind::Static, documentation: "Writes before the read." },
    FeatureSpec { name: "reads_before", kind: FeatureKind::Static, documentation: "Other reads before the read." },
    FeatureSpec { name: "ones_before", kind: FeatureKind::Static, documentation: "Bits before the read that are 1." },
    FeatureSpec {
        name: "preceding_bit",
        kind: FeatureKind::Static,
        documentation: "The bit right before the read, of any instruction.",
    },
    FeatureSpec { name: "stored_bit", kind: FeatureKind::State, documentation: "The bit that is read." },
    FeatureSpec {
        name: "copy_distance",
        kind: FeatureKind::State,
        documentation: "Instructions from the last write or other read to the read: both show the bit.",
    },
    FeatureSpec {
        name: "conflicts",
        kind: FeatureKind::State,
        documentation: "Ignored bits since the last write that differ from the written one.",
    },
];

/// Token of the bit of an instruction, counted from 0: `<bos>` is before all, its operation before it.
pub const fn bit_token(instruction: usize) -> usize {
    2 * instruction + 2
}

/// Fills the complexities and features of a program's sequence.
pub fn fill(program: &Program, [complexities, features]: [&mut Columns; 2]) {
    let length = bit_token(program.operations.len() - 1) + 1;
    let first = program.operations.iter().position(|operation| *operation == Operation::Read);
    let first = first.map_or(length, bit_token);
    complexities.reset(COMPLEXITIES.len(), first..length);
    features.reset(FEATURES.len(), first..length);
    let (mut written, mut shown, mut stored, mut preceding) = (0, 0, 0, 0);
    let (mut writes, mut reads, mut ones) = (0, 0, 0);
    // Ignored bits since the last write, by bit.
    let mut ignored = [0; 2];
    for (place, (operation, bit)) in program.iter().enumerate() {
        match operation {
            Operation::Write => {
                (written, shown, stored, ignored) = (place, place, bit, [0; 2]);
                writes += 1;
            }
            Operation::Ignore => ignored[usize::from(bit)] += 1,
            Operation::Read => {
                let token = bit_token(place);
                let lag = (place - written) as f32;
                complexities.write(token, 0, &[lag, (ignored[0] + ignored[1]) as f32, 1.0]);
                let counted = [token, writes, reads, ones].map(|count| count as f32);
                features.write(token, 0, &counted);
                let conflicts = ignored[usize::from(1 - stored)];
                let state = [f32::from(preceding), f32::from(stored), (place - shown) as f32, conflicts as f32];
                features.write(token, counted.len(), &state);
                shown = place;
                reads += 1;
            }
        }
        ones += usize::from(bit);
        preceding = bit;
    }
}
