//! Shared by the policies `token-role`, `local-context` and `position`, which predict another policy's depths from a
//! cue.

use std::collections::BTreeMap;

use haltbench_sdk::prelude::*;

use crate::recorded::RecordedDepths;

/// The cues of one token, from the most to the least specific. The last cue is empty, so that every token has a cue
/// seen in training.
pub type Cues = Vec<Vec<u32>>;

/// Fewest training tokens with a cue for the cue to be used; otherwise the next cue is tried.
const FEWEST: u64 = 5;

/// Mean depth of the source for every cue seen in training.
struct MeanDepths(BTreeMap<Vec<u32>, (u64, u64)>);

impl MeanDepths {
    /// Fits mean depths to the training tokens of a source.
    fn fit(source: &SourceDepths, cues: &dyn Fn(&[SourceToken]) -> Cues) -> Self {
        let mut sums: BTreeMap<Vec<u32>, (u64, u64)> = BTreeMap::new();
        for sequence in sequences(&source.training) {
            for (place, token) in sequence.iter().enumerate() {
                for cue in cues(&sequence[..=place]) {
                    let (sum, count) = sums.entry(cue).or_default();
                    *sum += u64::from(token.depth);
                    *count += 1;
                }
            }
        }
        Self(sums)
    }

    /// The mean depth at the first cue with enough tokens, rounded to the nearest whole number, halves up.
    fn depth(&self, cues: &[Vec<u32>]) -> Option<u32> {
        let mut seen = cues.iter().filter_map(|cue| self.0.get(cue));
        let (sum, count) = seen.clone().find(|(_, count)| *count >= FEWEST).or(seen.next_back())?;
        Some(((2 * sum + count) / (2 * count)) as u32)
    }
}

/// The tokens of each sequence.
fn sequences(tokens: &[SourceToken]) -> impl Iterator<Item = &[SourceToken]> {
    tokens.chunk_by(|left, right| left.identity == right.identity)
}

/// Gives each token the mean depth, under another policy, of training tokens with the same cue.
pub struct Imitation {
    name: &'static str,
    depths: RecordedDepths,
}

impl Imitation {
    /// Builds the policy `name`: fits mean depths on the source's training tokens and looks them up for its evaluation
    /// tokens. `cues` gets a sequence up to and including the token whose cues it returns.
    pub fn build(name: &'static str, context: &PolicyContext, cues: impl Fn(&[SourceToken]) -> Cues) -> Result<Policy> {
        let Some(source) = context.source else {
            return Ok(Policy::early(Self { name, depths: RecordedDepths::default() }));
        };
        let means = MeanDepths::fit(source, &cues);
        let prefixes =
            sequences(&source.evaluation).flat_map(|sequence| (1..=sequence.len()).map(|end| &sequence[..end]));
        let depth = |prefix: &[SourceToken]| {
            let depth = means.depth(&cues(prefix));
            depth.ok_or_else(|| Error::contract(name, "the source cell has no training tokens to fit a rule on"))
        };
        let depths = prefixes.map(depth).collect::<Result<Vec<u32>>>()?;
        let depths = RecordedDepths::new(source.evaluation.iter(), depths.into_iter());
        Ok(Policy::early(Self { name, depths }))
    }
}

impl EarlyPolicy for Imitation {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        self.depths.decide(self.name, view)
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(identity: u64, position: u32, input_token: u32, depth: u32) -> SourceToken {
        SourceToken { identity, position, input_token, size: 1, split: 0, is_answer: false, depth }
    }

    /// Token 7 has the depths 1, 1, 1, 2, 2, 2; token 8, too rare to be used, has the depth 4.
    fn source() -> SourceDepths {
        let depths = [(7, 1), (7, 1), (7, 1), (7, 2), (7, 2), (7, 2), (8, 4)];
        let training = depths.iter().zip(0..).map(|((input, depth), name)| token(name, 0, *input, *depth)).collect();
        let evaluation = vec![token(50, 0, 7, 9), token(50, 1, 8, 9), token(51, 0, 9, 9)];
        SourceDepths { evaluation, training }
    }

    #[test]
    fn means_are_rounded_and_rare_cues_give_way_to_coarser_ones() {
        let cues = |prefix: &[SourceToken]| vec![vec![1, prefix[prefix.len() - 1].input_token], vec![]];
        let means = MeanDepths::fit(&source(), &cues);
        assert_eq!(means.depth(&[vec![1, 7], vec![]]), Some(2), "1.5 rounds up");
        assert_eq!(means.depth(&[vec![1, 8], vec![]]), Some(2), "13 / 7 over all");
        assert_eq!(means.depth(&[vec![1, 9], vec![]]), Some(2));
        assert_eq!(means.depth(&[vec![1, 9]]), None);
    }

    #[test]
    fn depths_of_the_evaluation_come_from_training_alone() {
        let cues = |prefix: &[SourceToken]| vec![vec![prefix[prefix.len() - 1].input_token], vec![]];
        let layout = TokenLayout::new(&[2, 1], &[50, 51]).unwrap();
        let rows = RowSet::all(3);
        let states = Tensor::zeros((3, 2), DType::F32, &Device::Cpu).unwrap();
        let logits = || Err(Error::contract("test", "needs no logits"));
        let phase = haltbench_sdk::policy::Phase::Evaluation;
        let view = View::new(0, 4, &layout, &rows, &states, &logits, phase, 1, None);
        let parameters = Parameters::default();
        let build = |source: &SourceDepths| {
            Imitation::build(
                "test",
                &PolicyContext {
                    d_model: 2,
                    d_ff: 2,
                    vocabulary: 10,
                    max_depth: 4,
                    parameters: &parameters,
                    variables: VarBuilder::zeros(DType::F32, &Device::Cpu),
                    source: Some(source),
                    seed: 1,
                },
                cues,
            )
        };
        let decision = build(&source()).unwrap().decide(&view, &mut RowMemory::default()).unwrap();
        assert!(matches!(decision.halting, Halting::Depths(depths) if depths == [2, 2, 2]));
        let error = build(&SourceDepths { training: vec![], ..source() }).err().unwrap();
        assert!(error.to_string().contains("no training tokens"), "{error}");
    }
}
