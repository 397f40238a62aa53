//! The task `mano`: a prefix expression, then its value.

use haltbench_sdk::Result;
use haltbench_sdk::parameters::{ParameterSpec, Parameters};
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{
    ComplexitySpec, FeatureKind, FeatureSpec, Instance, Supervision, Task, TaskDeclaration, TaskSpec, Verdict,
    admit_size,
};
use haltbench_sdk::text::Label;

use crate::alphabet::{Operator, Symbol, render};
use crate::settings::{Settings, parameters};
use crate::tree::{Place, Tree};
use crate::{check, solve};

const NAME: &str = "mano";
const PARAMETERS: &[ParameterSpec] = &with_length_token(parameters(3, 16, 32));
const LENGTH_TOKEN: &str = "length_token";
const MARKERS: [&str; 2] = ["<bos>", "<ans>"];
const BOS: u32 = 0;
const ANS: u32 = 1;

/// Declaration of `mano`.
pub const DECLARATION: TaskDeclaration = TaskDeclaration {
    name: NAME,
    summary: "Value of a prefix expression over + - * modulo 23; L operators, one answer token",
    documentation: "\
Evaluates a prefix expression over `+`, `-` and `*` modulo `modulus`.

The sequence is `<bos>`, `<len=L>`, the expression, `<ans>`, the value. Only the value is under the loss: the marker is \
deterministic. `<len=L>` says how many operators follow, as in the generator of Physics of Language Models; \
`length_token = false` leaves it out. At sizes that were not trained on it is a token that was never trained, which \
alone can make a model fail there. An expression of size L has exactly L operators. Its operator is uniform among `operators`, its left \
operand has 0 to L-1 operators, all equally likely, and an operand without operators is a uniform residue.

Complexities are defined at the value. With modulus 23 the value is 0 in about 7 % of all instances rather than in \
1 of 23, because products keep zeros: compare accuracies with that.

The state features `stack_depth`, `remaining_operands` and `completed_subtree` describe a deterministic stack parser \
just before it reads a token of the question. An operator is on its stack from its own token until both of its \
operands are complete.

What is held out: whole expressions. Sub-expressions of a held-out one occur in training, and so do expressions that \
differ from it by the order of a sum.

A question is the expression alone, as in `+ 3 * 4 17`; the answer is the value, `2`.",
    reference: "The paper's MANO (section 5); Physics of Language Models, part 4.1, arXiv 2512.17351, appendix A",
    licence: "generated; no restriction",
    parameters: PARAMETERS,
    build,
};

const fn with_length_token([a, b, c, d, e, f]: [ParameterSpec; 6]) -> [ParameterSpec; 7] {
    let documentation = "Whether a token after `<bos>` says the number of operators.";
    [a, b, c, d, e, f, ParameterSpec::flag(LENGTH_TOKEN, true, documentation)]
}

const COMPLEXITIES: [ComplexitySpec; 3] = [
    ComplexitySpec { name: "ops", documentation: "Operators of the expression; at the value." },
    ComplexitySpec {
        name: "height",
        documentation: "Operators on the longest path from the root to an operand, the length of the dependency \
                        chain; at the value.",
    },
    ComplexitySpec {
        name: "lazy_ops",
        documentation: "Fewest operators whose values settle the expression's when a factor that is 0 settles its \
                        product: a product with one such factor counts itself and that factor, with two the cheaper \
                        one; at the value.",
    },
];

const FEATURES: [FeatureSpec; 9] = [
    FeatureSpec { name: "length", kind: FeatureKind::Static, documentation: "Tokens of the expression, 2L + 1." },
    FeatureSpec { name: "size", kind: FeatureKind::Static, documentation: "Operators of the expression, L." },
    FeatureSpec {
        name: "position",
        kind: FeatureKind::Static,
        documentation: "Place of the token in the sequence; `<bos>` is 0.",
    },
    FeatureSpec {
        name: "operator",
        kind: FeatureKind::Static,
        documentation: "0 for +, 1 for -, 2 for *; at operators of the question.",
    },
    FeatureSpec {
        name: "stack_depth",
        kind: FeatureKind::State,
        documentation: "Operators on the parser's stack before the token; at question tokens.",
    },
    FeatureSpec {
        name: "remaining_operands",
        kind: FeatureKind::State,
        documentation: "Operands that the top operator still lacks before the token, 0 for the first token; at \
                        question tokens.",
    },
    FeatureSpec {
        name: "completed_subtree",
        kind: FeatureKind::State,
        documentation: "Operators of the sub-expression that the preceding token completed, 0 if it completed none \
                        or a lone operand; at question tokens.",
    },
    FeatureSpec {
        name: "peak_depth",
        kind: FeatureKind::State,
        documentation: "Largest stack depth while the expression is parsed, the width of the computation; at the \
                        value.",
    },
    FeatureSpec {
        name: "zero_products",
        kind: FeatureKind::State,
        documentation: "Products of the expression with a factor that is 0; at the value.",
    },
];

struct Mano {
    settings: Settings,
    spec: TaskSpec,
    /// Labels of the vocabulary.
    labels: Vec<Label>,
    /// Token of the length of an expression without operators, followed by the larger lengths; `None` if lengths are
    /// not written.
    lengths: Option<u32>,
}

fn build(parameters: &Parameters) -> Result<Box<dyn Task>> {
    let settings = Settings::new(NAME, parameters)?;
    let mut vocabulary = settings.alphabet.vocabulary(&MARKERS);
    let lengths = parameters.flag(LENGTH_TOKEN)?.then_some(vocabulary.len() as u32 - 1);
    if lengths.is_some() {
        // Lengths come last, so that every other word has the same token with and without them.
        vocabulary.extend((1..=settings.knob.maximum).map(|size| format!("<len={size}>")));
    }
    let spec = TaskSpec {
        vocabulary,
        size: Some(settings.knob.clone()),
        supervision: Supervision::NextToken,
        features: FEATURES.to_vec(),
        complexities: COMPLEXITIES.to_vec(),
        headline: "height",
    };
    let labels = spec.vocabulary.iter().map(|word| Label::of(word)).collect();
    Ok(Box::new(Mano { settings, spec, labels, lengths }))
}

impl Task for Mano {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn draw(&self, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
        admit_size(NAME, &self.settings.knob, size)?;
        let tree = Tree::grow(size as usize, &self.settings.alphabet, stream);
        self.write(&tree, instance);
        Ok(())
    }

    fn answer(&self, question: &str) -> Result<String> {
        solve::prefix(question, &self.settings.alphabet).map(|value| value.to_string())
    }

    fn check(&self, question: &str, answer: &str) -> Result<Verdict> {
        check::prefix(question, answer, &self.settings.alphabet)
    }
}

impl Mano {
    fn write(&self, tree: &Tree, instance: &mut Instance) {
        let token = |symbol: u16| MARKERS.len() as u32 + u32::from(symbol);
        let root = tree.root();
        let Instance {
            tokens, targets, loss_mask, complexities, features, question, answer, canonical, problem, ..
        } = instance;
        (*targets, *canonical, *problem) = (None, None, None);
        tokens.clear();
        tokens.reserve(tree.nodes.len() + 4);
        tokens.push(BOS);
        tokens.extend(self.lengths.map(|before| before + u32::from(root.operators)));
        let start = tokens.len();
        tokens.extend(tree.nodes.iter().map(|node| token(node.symbol)));
        render(&tokens[start..], &self.labels, question);
        tokens.extend([ANS, token(Symbol::Operand(u32::from(root.value)).number())]);
        let value = tokens.len() - 1;
        loss_mask.clear();
        loss_mask.resize(value, false);
        loss_mask.push(true);
        complexities.reset_rows(value..value + 1).fill([root.operators, root.height, root.lazy].map(f32::from));
        write_features(tree, start, features.reset_rows(0..tokens.len()));
        answer.clear();
        answer.push_str(&self.spec.vocabulary[tokens[value] as usize]);
    }
}

/// Writes the [`FEATURES`] of an instance whose expression starts at token `start`.
fn write_features(tree: &Tree, start: usize, rows: &mut [[f32; FEATURES.len()]]) {
    let (expression, size) = (tree.nodes.len() as f32, f32::from(tree.root().operators));
    let counted = |token: usize| {
        let none = f32::NAN;
        [expression, size, token as f32, none, none, none, none, none, none]
    };
    let expressed = start..start + tree.nodes.len();
    for token in (0..start).chain(expressed.end..rows.len()) {
        rows[token] = counted(token);
    }
    // Looked up by the symbol's number, because a branch on whether it is an operator would be mispredicted.
    let operators = [0.0, 1.0, 2.0, f32::NAN];
    for ((row, token), node) in rows[expressed].iter_mut().zip(start as u16..).zip(&tree.nodes) {
        let operator = operators[usize::from(node.symbol).min(Operator::ALL.len())];
        // A parser's stack holds all operators above a node.
        let Place { depth, lacks, completed } = node.place;
        let [token, depth, lacks, completed] = [token, depth, lacks, completed].map(f32::from);
        *row = [expression, size, token, operator, depth, lacks, completed, f32::NAN, f32::NAN];
    }
    // The peak is at the operand under the longest chain.
    if let Some([.., peak_depth, zero_products]) = rows.last_mut() {
        [*peak_depth, *zero_products] = [tree.root().height, tree.root().zero_products].map(f32::from);
    }
}
