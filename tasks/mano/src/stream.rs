//! The task `mano-stream`: a postfix expression with an answer at every operator.

use haltbench_sdk::Result;
use haltbench_sdk::parameters::{ParameterSpec, Parameters};
use haltbench_sdk::random::Stream;
use haltbench_sdk::task::{
    Columns, ComplexitySpec, FeatureKind, FeatureSpec, Instance, Supervision, Task, TaskDeclaration, TaskSpec,
    TokenSize, Verdict, admit_size,
};
use haltbench_sdk::text::Label;

use crate::alphabet::{Symbol, render};
use crate::settings::{Settings, parameters};
use crate::tree::{Measure, Tree};
use crate::{check, solve};

const NAME: &str = "mano-stream";
const PARAMETERS: &[ParameterSpec] = &parameters(1, 8, 16);
const MARKERS: [&str; 1] = ["<bos>"];
const BOS: u32 = 0;

/// Declaration of `mano-stream`.
pub const DECLARATION: TaskDeclaration = TaskDeclaration {
    name: NAME,
    summary: "Value of every operator of a postfix expression modulo 23, supervised at its token; L operators",
    documentation: "\
Evaluates every sub-expression of a postfix expression over `+`, `-` and `*` modulo `modulus`.

The sequence is `<bos>`, then the expression. At every operator the target is the value of the sub-expression that \
the operator completes, and it is read at that operator's own position; all other tokens are outside the loss. So one \
sequence holds L answers of graded difficulty, each with a complexity of its own. Expressions are drawn as in `mano`: \
a size of L is exactly L operators.

The size of an answer is that of its sub-expression. In an expression that is larger than those trained on, only \
sub-expressions that are larger as well are beyond training; the others are embedded: their sizes were trained on. That \
holds for sizes left out by `skip` too, because larger training expressions contain sub-expressions of these sizes.

What is held out: beginnings of expressions, up to and with their first operator, so that no context in which an answer \
is graded occurs in training. Single operations such as `1 2 *` cannot be held out where they stand later: with \
modulus 3 there are 27 of them, and a model needs them all.

The state features describe a stack machine that evaluates the expression: `stack_depth` and `completed_subtree` just \
before it reads a token, `operand_distance` and `zero_factor` at an operator.

A question is the expression, as in `3 4 17 * +`; the answer lists the values of its operators in order, `22 2`.",
    reference: "Haltbench; the expressions are those of the paper's MANO (section 5)",
    licence: "generated; no restriction",
    parameters: PARAMETERS,
    build,
};

const COMPLEXITIES: [ComplexitySpec; 3] = [
    ComplexitySpec { name: "ops", documentation: "Operators of the sub-expression completed; at operators." },
    ComplexitySpec {
        name: "height",
        documentation: "Operators on the longest path from this one to an operand, itself included, the length of \
                        the dependency chain; at operators.",
    },
    ComplexitySpec {
        name: "lazy_ops",
        documentation: "Fewest operators whose values settle this one's when a factor that is 0 settles its product: \
                        a product with one such factor counts itself and that factor, with two the cheaper one; at \
                        operators.",
    },
];

/// The column of `ops`.
const OPS: usize = 0;

const FEATURES: [FeatureSpec; 8] = [
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
        documentation: "0 for +, 1 for -, 2 for *; at operators.",
    },
    FeatureSpec {
        name: "stack_depth",
        kind: FeatureKind::State,
        documentation: "Values on the stack before the token; at the expression's tokens.",
    },
    FeatureSpec {
        name: "completed_subtree",
        kind: FeatureKind::State,
        documentation: "Operators of the sub-expression that the preceding token completed, 0 for a lone operand and \
                        before the first token; at the expression's tokens.",
    },
    FeatureSpec {
        name: "operand_distance",
        kind: FeatureKind::State,
        documentation: "Tokens from the operator back to the last token of its farther, left operand; at operators.",
    },
    FeatureSpec {
        name: "zero_factor",
        kind: FeatureKind::State,
        documentation: "1 for a product with a factor that is 0, else 0; at operators.",
    },
];

struct ManoStream {
    settings: Settings,
    spec: TaskSpec,
    /// Labels of the vocabulary.
    labels: Vec<Label>,
    /// The modulus in canonical texts.
    modulus: String,
}

fn build(parameters: &Parameters) -> Result<Box<dyn Task>> {
    let settings = Settings::new(NAME, parameters)?;
    let spec = TaskSpec {
        vocabulary: settings.alphabet.vocabulary(&MARKERS),
        size: Some(settings.knob.clone()),
        supervision: Supervision::AtToken,
        features: FEATURES.to_vec(),
        complexities: COMPLEXITIES.to_vec(),
        headline: "height",
    };
    let labels = spec.vocabulary.iter().map(|word| Label::of(word)).collect();
    let modulus = format!("mod {}: ", settings.alphabet.modulus);
    Ok(Box::new(ManoStream { settings, spec, labels, modulus }))
}

impl Task for ManoStream {
    fn spec(&self) -> &TaskSpec {
        &self.spec
    }

    fn draw(&self, size: u32, stream: &mut Stream, instance: &mut Instance) -> Result<()> {
        admit_size(NAME, &self.settings.knob, size)?;
        let tree = Tree::grow(size as usize, &self.settings.alphabet, stream);
        self.write(&tree, instance);
        Ok(())
    }

    /// Training has sub-expressions of every size up to its largest size, skipped sizes included.
    fn token_size(&self, size: u32, instance: &Instance, token: usize) -> TokenSize {
        // Undefined, which counts as 0, if the token completes nothing.
        self.settings.knob.part(size, instance.complexities.get(OPS, token) as u32)
    }

    fn answer(&self, question: &str) -> Result<String> {
        let values = solve::postfix(question, &self.settings.alphabet)?;
        Ok(values.iter().map(u32::to_string).collect::<Vec<_>>().join(" "))
    }

    fn check(&self, question: &str, answer: &str) -> Result<Verdict> {
        check::postfix(question, answer, &self.settings.alphabet)
    }
}

impl ManoStream {
    fn write(&self, tree: &Tree, instance: &mut Instance) {
        let Instance {
            tokens, targets, loss_mask, complexities, features, question, answer, canonical, problem, ..
        } = instance;
        let token = |symbol: u16| MARKERS.len() as u32 + u32::from(symbol);
        let order = tree.postfix();
        tokens.clear();
        tokens.push(BOS);
        tokens.extend(order.iter().map(|index| token(tree.nodes[*index].symbol)));
        let targets = targets.get_or_insert_default();
        targets.clone_from(tokens);
        loss_mask.clear();
        loss_mask.resize(tokens.len(), false);
        let mut values = Vec::new();
        complexities.reset(COMPLEXITIES.len(), 0..tokens.len());
        for (place, index) in order.iter().enumerate() {
            let node = tree.nodes[*index];
            if node.operator().is_some() {
                let Measure { value, operators, height, lazy, .. } = node.measure;
                targets[place + 1] = token(Symbol::Operand(u32::from(value)).number());
                loss_mask[place + 1] = true;
                values.push(targets[place + 1]);
                complexities.write(place + 1, 0, &[operators, height, lazy].map(f32::from));
            }
        }
        write_features(tree, &order, features);
        render(&tokens[1..], &self.labels, question);
        render(&values, &self.labels, answer);
        let canonical = canonical.get_or_insert_default();
        canonical.clear();
        canonical.push_str(&self.modulus);
        canonical.push_str(question);
        // Every operator has an answer, so the first operator must already determine the problem.
        let first = question.bytes().position(|byte| !byte.is_ascii_digit() && byte != b' ');
        *problem = first.map(|place| self.modulus.len() + place + 1);
    }
}

/// Fills the columns of [`FEATURES`] for `<bos>` and the nodes in postfix `order`.
fn write_features(tree: &Tree, order: &[usize], columns: &mut Columns) {
    let length = order.len() + 1;
    columns.reset(FEATURES.len(), 0..length);
    let (expression, size) = (order.len() as f32, f32::from(tree.root().operators));
    (0..length).for_each(|token| columns.write(token, 0, &[expression, size, token as f32]));
    let mut values = 0;
    for (place, index) in order.iter().enumerate() {
        let (token, node) = (place + 1, tree.nodes[*index]);
        // In postfix order the preceding token is the root of the operand that it completed.
        let completed = if place == 0 { 0 } else { tree.nodes[order[place - 1]].measure.operators };
        columns.write(token, 4, &[values, completed].map(f32::from));
        match node.operator() {
            None => values += 1,
            Some(identity) => {
                values -= 1;
                columns.write(token, 3, &[identity.index() as f32]);
                let [left, right] = tree.operands(*index).map(|operand| tree.nodes[operand].measure);
                // The right operand, of 2n + 1 tokens for n operators, is between the left one and the operator.
                let distance = 2 * right.operators + 2;
                let zero_factor = node.measure.zero_products - left.zero_products - right.zero_products;
                columns.write(token, 6, &[distance, zero_factor].map(f32::from));
            }
        }
    }
}
