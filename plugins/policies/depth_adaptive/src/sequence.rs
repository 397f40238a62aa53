//! `elbayad-sequence`: one distribution over depths for a whole sequence.

use haltbench_sdk::layers::Linear;
use haltbench_sdk::prelude::*;

use crate::oracle::{ALPHA, LAMBDA, OBJECTIVE, ORACLE, Oracle, STAGES, Target};

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Depth-adaptive Transformer, sequence: one depth for all tokens of a sequence, as an oracle would choose.",
    documentation: "\
## What it computes

q = softmax(W m + b) over the depths 1..=D, where m is the mean of h(0) over all tokens of the sequence. b starts at 0, so
that q is near uniform at first.

## When it halts

All tokens of the sequence halt after the most probable depth, the smallest of several. The mean reads the whole sequence,
so the policy is not causal and cannot decode.

## Objective

The uniform mean of the cross-entropies of all D exits, averaged over answers, plus `alpha` times -log q(d*), averaged over
sequences with answers. d* is the depth with the largest score minus `lambda` d, the smallest of several: the sum over the
sequence's answers of the log-likelihood of the target (`oracle = \"likelihood\"`) or the number that are predicted
(`correctness`). The oracle has no gradient; the exit loss trains the backbone too. The first stage trains the exits alone.

## Cost

The mean, and D dot products once, which are charged to every token. W has a row for each depth, so a model cannot be
evaluated at another `max_depth` than it was trained with.

## Published code

None: transcribed from the paper, with its aligned training alone, not the mixed one that samples exits. Readings: the paper
pools the encoder's output, which a decoder alone lacks, so h(0) takes its place; the exit loss is a mean over sequences.",
    reference: "Elbayad et al. 2020, arXiv 1910.10073, sequence-specific depth, eqs. 8 to 17",
    recipe: OBJECTIVE,
    stages: STAGES,
    causal: Holds::Never,
    parameters: &[ORACLE, LAMBDA, ALPHA],
    examples: &[Example {
        title: "means of h(0) over sequences of two tokens and one",
        run: || {
            let layout = TokenLayout::new(&[2, 1], &[0, 1])?;
            Ok(format!("{:?}", means(&Tensor::new(&[[1.0f64], [2.0], [7.0]], &Device::Cpu)?, &layout)?.to_vec2::<f64>()?))
        },
        expect: "[[1.5], [7.0]]",
    }],
    ..PolicyDeclaration::new("elbayad-sequence", PolicyKind::Early, |context| {
        let (most, variables) = (context.max_depth, context.variables.pp("exit"));
        let exit = Linear::with_bias(context.d_model, most, variables)?;
        Ok(Policy::early(Sequence { exit, oracle: Oracle::new(context.parameters, Target::Sequence)?, most }))
    })
};

haltbench_sdk::register_policy!(DECLARATION);

struct Sequence {
    exit: Linear,
    oracle: Oracle,
    most: usize,
}

/// Mean of the states of each sequence, `[sequences, d_model]`.
///
/// # Errors
/// If a sequence lacks its first tokens.
fn means(states: &Tensor, layout: &TokenLayout) -> Result<Tensor> {
    layout.require_whole(DECLARATION.name, "all tokens of a sequence halt together")?;
    let sequences = Tensor::new(sequences(layout), states.device())?;
    let shares: Vec<f64> =
        (0..layout.sequences()).map(|sequence| (layout.rows_of(sequence).len() as f64).recip()).collect();
    let shares = Tensor::from_vec(shares, (layout.sequences(), 1), states.device())?.to_dtype(states.dtype())?;
    let nothing = Tensor::zeros((layout.sequences(), states.dim(1)?), states.dtype(), states.device())?;
    Ok(nothing.index_add(&sequences, states, 0)?.broadcast_mul(&shares)?)
}

/// The sequence of each row.
fn sequences(layout: &TokenLayout) -> Vec<u32> {
    (0..layout.rows()).map(|row| layout.sequence(row) as u32).collect()
}

impl EarlyPolicy for Sequence {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        let layout = view.layout();
        let logits = self.exit.forward(&means(view.states(), layout)?)?;
        let of_rows = Tensor::new(sequences(layout), logits.device())?;
        Ok(EarlyDecision::Logits(logits.index_select(&of_rows, 0)?))
    }

    fn objective(&self, pass: &TrainingPass) -> Result<Objective> {
        self.oracle.objective(pass, Target::Sequence)
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        ((2 * self.most + 1) * d_model) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_sequence_is_refused() {
        let cut = TokenLayout::new(&[2], &[0]).unwrap().with_positions(vec![0, 3]).unwrap();
        let states = Tensor::zeros((2, 1), DType::F64, &Device::Cpu).unwrap();
        let error = means(&states, &cut).unwrap_err().to_string();
        let expected = "sequences of elbayad-sequence: expected whole ones, because all tokens of a sequence halt together, \
                        found one whose token 1 is at position 3";
        assert_eq!(error, expected);
    }
}
