//! The per-token columns of both tasks: their declarations and values.

use haltbench_sdk::task::{Columns, ComplexitySpec, FeatureKind, FeatureSpec};

use crate::alphabet::{Operator, Symbol};
use crate::tree::{Measure, Printed, Tree};

/// The complexities; at answers.
pub const COMPLEXITIES: [ComplexitySpec; 4] = [
    ComplexitySpec { name: "ops", documentation: "Operators of the expression that is evaluated; at answers." },
    ComplexitySpec {
        name: "height",
        documentation: "Operators on the longest path from the root of the expression to a digit, root included; at \
                        answers.",
    },
    ComplexitySpec {
        name: "dependency_depth",
        documentation: "Operators on the longest path from the root to a digit through arguments that decide the \
                        value: the first smallest or largest one, the middle one or two, all of a sum; at answers.",
    },
    ComplexitySpec { name: "arguments", documentation: "Arguments of the operator at the root; at answers." },
];

/// The column of `height`.
pub const HEIGHT: usize = 1;

/// The features.
pub const FEATURES: [FeatureSpec; 9] = [
    FeatureSpec { name: "length", kind: FeatureKind::Static, documentation: "Tokens of the whole expression." },
    FeatureSpec {
        name: "nesting",
        kind: FeatureKind::Static,
        documentation: "Most brackets that are open at once in the whole expression, its height.",
    },
    FeatureSpec {
        name: "position",
        kind: FeatureKind::Static,
        documentation: "Place of the token in the sequence; `<bos>` is 0.",
    },
    FeatureSpec {
        name: "open_brackets",
        kind: FeatureKind::Static,
        documentation: "Brackets that are open before the token, the width of the computation; at the expression's \
                        tokens.",
    },
    FeatureSpec {
        name: "operator",
        kind: FeatureKind::Static,
        documentation: "0 for MIN, 1 for MAX, 2 for MED, 3 for SM; at brackets, and the root's at the single answer.",
    },
    FeatureSpec {
        name: "complete_arguments",
        kind: FeatureKind::State,
        documentation: "Complete arguments of the innermost open operator before the token, 0 without one; at the \
                        expression's tokens.",
    },
    FeatureSpec {
        name: "completed_subtree",
        kind: FeatureKind::State,
        documentation: "Operators of the sub-expression that the preceding token completed, 0 if it completed none or a \
                        lone digit; at the expression's tokens.",
    },
    FeatureSpec {
        name: "selected_argument",
        kind: FeatureKind::State,
        documentation: "Place of the first argument that decides the value, from 1 on; undefined for SM; at answers.",
    },
    FeatureSpec {
        name: "span",
        kind: FeatureKind::State,
        documentation: "Tokens from the operator of the evaluated expression to its closing bracket; at answers.",
    },
];

const OPEN_BRACKETS: usize = 3;
const OPERATOR: usize = 4;
const COMPLETE_ARGUMENTS: usize = 5;
const SELECTED_ARGUMENT: usize = 7;

/// Where the answers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// At this token alone, for the root.
    At(usize),
    /// At every closing bracket.
    AtBrackets,
}

/// Fills the complexities and features of a sequence of `length` tokens whose expression starts at token `start`.
pub fn fill(
    tree: &Tree,
    printed: &[Printed],
    [start, length]: [usize; 2],
    answers: Answers,
    [complexities, features]: [&mut Columns; 2],
) {
    complexities.reset(COMPLEXITIES.len(), 0..length);
    features.reset(FEATURES.len(), 0..length);
    let (expression, size) = (printed.len() as f32, f32::from(tree.root().height));
    (0..length).for_each(|token| features.write(token, 0, &[expression, size, token as f32]));
    let mut open: Vec<Open> = Vec::new();
    let mut completed = 0;
    for (place, Printed { symbol, node }) in printed.iter().enumerate() {
        let (token, measure) = (start + place, tree.nodes[*node].measure);
        let complete = open.last().map_or(0, |open| open.arguments);
        features.write(token, OPEN_BRACKETS, &[open.len() as f32]);
        features.write(token, COMPLETE_ARGUMENTS, &[f32::from(complete), f32::from(completed)]);
        completed = 0;
        match symbol {
            Symbol::Digit(_) => {}
            Symbol::Open(operator) => {
                features.write(token, OPERATOR, &[operator.index() as f32]);
                open.push(Open { operator: *operator, place, arguments: 0 });
                continue;
            }
            Symbol::Close => {
                completed = measure.operators;
                if let Some(open) = open.pop() {
                    features.write(token, OPERATOR, &[open.operator.index() as f32]);
                    let answer = match answers {
                        Answers::At(answer) => Some(answer).filter(|_| place + 1 == printed.len()),
                        Answers::AtBrackets => Some(token),
                    };
                    if let Some(answer) = answer {
                        write_answer(&open, place, measure, answer, [complexities, features]);
                    }
                }
            }
        }
        if let Some(open) = open.last_mut() {
            open.arguments += 1;
        }
    }
}

/// An operator whose bracket is open.
struct Open {
    operator: Operator,
    /// Place among the printed symbols.
    place: usize,
    /// Complete arguments so far.
    arguments: u16,
}

fn write_answer(
    open: &Open,
    place: usize,
    measure: Measure,
    token: usize,
    [complexities, features]: [&mut Columns; 2],
) {
    let Measure { operators, height, dependency, arguments, selected, .. } = measure;
    complexities.write(token, 0, &[operators, height, dependency, arguments].map(f32::from));
    features.write(token, OPERATOR, &[open.operator.index() as f32]);
    let selected = if selected == 0 { f32::NAN } else { f32::from(selected) };
    features.write(token, SELECTED_ARGUMENT, &[selected, (place - open.place) as f32]);
}
