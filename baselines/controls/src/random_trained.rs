//! `random-trained`: a model that was trained at depths drawn from another policy's histogram.

use haltbench_sdk::prelude::*;

const NAME: &str = "random-trained";

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Trained at depths drawn from another policy's histogram; which token gets which depth is chance.",
    documentation: "\
## What it computes

The histogram of the depths that the policy named by `of` gives to tokens of instances that training may see, separately
for rows whose prediction is part of an answer. Every token draws its depth from the histogram of its role, in training and
in evaluation.

`random-matched` shuffles depths under weights that have never seen such depths, and so measures what misplacing them
costs these weights. Here the weights have been trained at them: how much better a policy is than this is what choosing the
tokens is worth.

## When it halts

After the depth drawn, keyed in evaluation by the token.

## Cost

No decisions; a training run of its own.",
    reference: "control",
    role: Role::Control,
    stochastic: Holds::Always,
    source: Source::Depths,
    ..PolicyDeclaration::new(NAME, PolicyKind::Early, build)
};

haltbench_sdk::register_policy!(DECLARATION);

/// How often each depth occurred, from 1 on, among prompts and among answers.
struct RandomTrained([Vec<u64>; 2]);

fn build(context: &PolicyContext) -> Result<Policy> {
    let mut histograms = [(); 2].map(|()| vec![0; context.max_depth]);
    for token in context.source.iter().flat_map(|source| &source.training) {
        let counts: &mut Vec<u64> = &mut histograms[usize::from(token.is_answer)];
        if let Some(count) = (token.depth as usize).checked_sub(1).and_then(|place| counts.get_mut(place)) {
            *count += 1;
        }
    }
    if context.source.is_some() && histograms.iter().flatten().all(|count| *count == 0) {
        return Err(Error::contract(NAME, "the source cell has no depths to draw from"));
    }
    Ok(Policy::early(RandomTrained(histograms)))
}

impl EarlyPolicy for RandomTrained {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        let depth = |(row, uniform): (usize, f64)| {
            let own = &self.0[usize::from(view.layout().is_answer(row))];
            // A role without tokens in the source, such as the prompt of a task without prompts, uses the other role's
            // histogram.
            let counts = if own.iter().any(|count| *count > 0) {
                own
            } else {
                &self.0[usize::from(!view.layout().is_answer(row))]
            };
            drawn(counts, uniform)
        };
        let uniform = view.uniform("random-trained");
        Ok(EarlyDecision::Depths(view.rows().iter().zip(uniform).map(depth).collect()))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}

/// The smallest depth at which the cumulative count reaches the share `uniform` of the total.
fn drawn(counts: &[u64], uniform: f64) -> u32 {
    let wanted = uniform * counts.iter().sum::<u64>() as f64;
    let mut below = 0;
    let reached = counts.iter().position(|count| {
        below += count;
        below as f64 > wanted
    });
    reached.unwrap_or(counts.len().saturating_sub(1)) as u32 + 1
}

#[cfg(test)]
mod tests {
    use super::drawn;

    #[test]
    fn draws_follow_the_histogram() {
        let counts = [1, 0, 3, 0];
        let depths: Vec<u32> = [0.0, 0.2, 0.3, 0.6, 0.99].map(|uniform| drawn(&counts, uniform)).into();
        assert_eq!(depths, [1, 1, 3, 3, 3]);
    }
}
