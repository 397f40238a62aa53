//! `position-regressor`: predicts another policy's depths from length and position alone.

use haltbench_sdk::prelude::*;

use crate::regression::Polynomial;

const NAME: &str = "position-regressor";

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Another policy's weights; depth from a polynomial in length and position, fitted to that policy's depths.",
    documentation: "\
## What it computes

For a token at position p of a sequence of S tokens, the value of the polynomial with the terms 1, S, p, S^2, S p and p^2 that is
nearest, in least squares, to the depths that the policy named by `of` gives to instances which training may see. It is
rounded to the nearest whole number, halves up, and kept within 1 and D. A term that the others determine is left out.

## When it halts

After that depth, whatever the tokens are. A policy that is no better than this counts tokens. It knows the length of the whole
sequence, so it is not causal and knows more than a policy under test can. Unlike the control `position`, which looks up means by
size, position and role, it extends to sizes that training does not have.

## Cost

No decisions; no training of its own.

## Published code

None: a baseline of this suite.",
    reference: "baseline: depth from length and position",
    role: Role::Cue,
    source: Source::DepthsAndModel,
    causal: Holds::Never,
    examples: &[Example {
        title: "fitted to the depths 1, 2, 3 and 1, 2 of two sequences: depths of a sequence of 4 tokens",
        run: || {
            let tokens = [(3, 0, 1), (3, 1, 2), (3, 2, 3), (2, 0, 1), (2, 1, 2)];
            let fitted = Polynomial::fit(tokens.into_iter());
            Ok(format!("{:?}", (0..4).map(|position| fitted.depth(4, position, 6)).collect::<Vec<u32>>()))
        },
        expect: "[1, 2, 3, 4]",
    }],
    ..PolicyDeclaration::new(NAME, PolicyKind::Early, |context| {
        let polynomial = match context.source {
            // The engine only checks a plan.
            None => Polynomial::fit(std::iter::empty()),
            Some(source) if source.training.is_empty() => {
                return Err(Error::contract(NAME, "the source cell has no training tokens to fit a polynomial to"));
            }
            Some(source) => Polynomial::fit(tokens(source)),
        };
        Ok(Policy::early(PositionRegressor { polynomial }))
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct PositionRegressor {
    polynomial: Polynomial,
}

/// Length of the sequence, position and depth of every training token.
fn tokens(source: &SourceDepths) -> impl Iterator<Item = (usize, usize, u32)> {
    let sequences = source.training.chunk_by(|left, right| left.identity == right.identity);
    sequences.flat_map(|sequence| sequence.iter().map(|token| (sequence.len(), token.position as usize, token.depth)))
}

impl EarlyPolicy for PositionRegressor {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        let layout = view.layout();
        let depth = |row: usize| {
            let length = layout.rows_of(layout.sequence(row)).len();
            self.polynomial.depth(length, layout.position(row), view.max_depth())
        };
        Ok(EarlyDecision::Depths(view.rows().iter().map(depth).collect()))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}
