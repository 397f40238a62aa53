//! `q-halting`: a head that predicts whether the answer is right halts a sequence (HRM, TRM).

use haltbench_sdk::prelude::*;

use crate::q_head::{Head, Heads};
use crate::success::{Success, head_loss};
use crate::supervised_steps::{explored_stops, shares, stops};

/// Declaration of the policy.
pub const DECLARATION: PolicyDeclaration = PolicyDeclaration {
    summary: "Q-halting of HRM and TRM: a head that predicts whether the answer is right halts the whole sequence.",
    documentation: "\
## What it computes

q = W s + b after each step, where s is the state that `reads` names: that of the sequence's first or last token, the
mean, or, with `token`, each token's own. q has one number, q_halt (TRM), or with `continues` a second, q_continue
(HRM). W starts at 0 and b at `bias`: the published -5 makes sigmoid(q_halt) .007 and, with `continues`, both numbers
equal, so that no sequence halts before the head has learned to.

## When it halts

At the first step from `minimum_steps` on at which q_halt, minus q_continue if there is one, exceeds `threshold`; a
sequence's tokens halt together. With `evaluate = \"full\"` every token takes D steps, as in the evaluation of both
published codes. With `reads = \"token\"` each token decides alone; this is ours, and the only choice that is causal
and can decode.

## Objective

The mean over steps of the answers' cross-entropy, plus `coefficient` times BCE(q_halt; success) and, with
`continues`, `coefficient` times BCE(q_continue; sigmoid(max(q_halt, q_continue) of the next step)), averaged over
sequences with answers. The `target` is 1 if all answers of the sequence are right (`exact`), the share that is right
(`accuracy`), or exp(-mean cross-entropy) (`likelihood`); with `reads = \"token\"` each answer stands for itself. No
target has a gradient. Step D has no next step and so no target for q_continue; the mean is over D steps all the same.
With `supervises = \"all\"` all D steps of every sequence count. With `until-halt`, steps after the first at which q_halt
exceeds 0 (or q_continue) do not, as in the published training, and the mean is over the steps that count; there a
sequence goes on, with probability `exploration` at each step, to a least depth drawn from 2..D.

## Cost

One dot product for each number in q, charged to every token, although a sequence needs only one.

## Published code

sapientinc/HRM, models/hrm/hrm_act_v1.py; SamsungSAILMontreal/TinyRecursiveModels, models/recursive_reasoning/trm.py.
They read the first token, which under a causal backbone sees nothing else, so our default is the last. They never
halt in evaluation, detach the states after every step where we backpropagate through all steps, sum over the batch,
train with stablemax cross-entropy, and count a sequence without answers as right; it has no target here. Their
cross-entropy is a mean over each sequence first, ours over all answers. HRM computes one more step for the target of
q_continue after step D, which has none here; TRM's branch for q_continue fails.",
    reference: "Wang et al. 2025, arXiv 2506.21734 (HRM), adaptive computation time; Jolicoeur-Martineau 2025, arXiv 2510.04871 (TRM)",
    recipe: Recipe { trains: Trains::All, ..Recipe::OBJECTIVE },
    causal: Holds::When("reads", "token"),
    parameters: &[
        ParameterSpec::choice("target", "exact", &["exact", "accuracy", "likelihood"], "what q_halt predicts"),
        ParameterSpec::flag("continues", false, "a second head predicts the value of going on, as in HRM"),
        ParameterSpec::choice("reads", "last", &["first", "last", "mean", "token"], "the state that the head reads"),
        ParameterSpec::real("coefficient", 0.5, (0.0, 1e6), "weight of the halting losses"),
        ParameterSpec::real("bias", -5.0, (-100.0, 100.0), "initial value of b"),
        ParameterSpec::choice("supervises", "all", &["all", "until-halt"], "the steps that count in training"),
        ParameterSpec::real(
            "exploration",
            0.1,
            (0.0, 1.0),
            "probability of a least depth, with supervises = \"until-halt\"",
        ),
        ParameterSpec::choice("evaluate", "halts", &["halts", "full"], "whether sequences halt in evaluation")
            .knob(Trend::None),
        ParameterSpec::real("threshold", 0.0, (-50.0, 50.0), "logit above which a sequence halts").knob(Trend::Deeper),
        ParameterSpec::integer("minimum_steps", 1, (1, 1 << 20), "first step that may halt").knob(Trend::None),
    ],
    examples: &[Example {
        title: "targets exact, accuracy and likelihood of three answers with the probabilities .9, .8 and, wrong, .1",
        run: || Ok(Success::worked_example()),
        expect: "0, 0.666667, 0.416017",
    }],
    ..PolicyDeclaration::new("q-halting", PolicyKind::Online, build)
};

haltbench_sdk::register_policy!(DECLARATION);

struct QHalting {
    head: Head,
    target: Success,
    coefficient: f64,
    /// Probability of a least depth, if only the steps until the halt count in training.
    exploration: Option<f64>,
    halts: bool,
    threshold: f64,
    minimum: usize,
}

fn build(context: &PolicyContext) -> Result<Policy> {
    let parameters = context.parameters;
    Ok(Policy::online(QHalting {
        head: Head::new(context)?,
        target: Success::from_name(parameters.text("target")?),
        coefficient: parameters.real("coefficient")?,
        exploration: match parameters.text("supervises")? {
            "until-halt" => Some(parameters.real("exploration")?),
            _ => None,
        },
        halts: parameters.text("evaluate")? == "halts",
        threshold: parameters.real("threshold")?,
        minimum: match parameters.integer("minimum_steps")? {
            steps if steps <= context.max_depth => steps,
            steps => {
                let expected = format!("at most {}, the largest depth", context.max_depth);
                return Err(Error::invalid("parameter `minimum_steps` of q-halting", expected, steps));
            }
        },
    }))
}

impl OnlinePolicy for QHalting {
    fn observe(&self, view: &View, memory: &mut RowMemory) -> Result<OnlineDecision> {
        let Heads { read, halt, go_on } = self.head.read(view.states(), view.rows(), view.layout())?;
        let score = go_on.map_or(Ok(halt.clone()), |go_on| halt - go_on)?;
        let scores: Vec<f64> = score.to_dtype(DType::F64)?.to_vec1()?;
        if let (Phase::Training(_), Some(exploration)) = (view.phase(), self.exploration) {
            let of_rows = view.uniform("q-halting");
            // The number of a sequence is that of its last row.
            let mut uniform = vec![0.0; scores.len()];
            read.of_rows.iter().zip(of_rows).for_each(|(place, number)| uniform[*place] = number);
            let stops = explored_stops(&scores, &uniform, exploration, view.step(), view.max_depth());
            memory.stash("stops", &indicator(&read.spread(&stops), view.states())?);
        }
        let may_halt = self.halts && view.step() >= self.minimum;
        let halts: Vec<bool> = scores.iter().map(|score| may_halt && *score > self.threshold).collect();
        Ok(OnlineDecision::Scored { scores: read.spread(&scores), halts: read.spread(&halts) })
    }

    fn objective(&self, pass: &TrainingPass) -> Result<Objective> {
        let most = pass.record.max_depth;
        let is_token = self.head.is_of_tokens();
        let groups = if is_token {
            (0..pass.answers.len()).map(|place| vec![place]).collect()
        } else {
            pass.answers_of_sequences()
        };
        let first = |group: &Vec<usize>| group.first().map(|place| pass.answers.as_slice()[*place] as usize);
        let stops = stops(pass, &groups.iter().map(first).collect::<Vec<_>>())?;
        let shares = shares(&stops, most);
        let all: Vec<Heads> = (1..=most).map(|step| self.head.at(pass, step)).collect::<Result<_>>()?;
        let mut of_answers = vec![0; pass.answers.len()];
        groups
            .iter()
            .enumerate()
            .for_each(|(group, places)| places.iter().for_each(|place| of_answers[*place] = group));
        let (mut answers, mut halting): (Option<Tensor>, Option<Tensor>) = (None, None);
        for step in 1..=most {
            let Heads { halt, go_on, .. } = &all[step - 1];
            let mut loss = head_loss(halt, self.target.of(pass, step, &groups)?)?;
            if let (Some(go_on), Some(Heads { halt, go_on: Some(next), .. })) = (go_on, all.get(step)) {
                let target = sigmoid(&halt.maximum(next)?.detach())?;
                loss = (loss + binary_cross_entropy(go_on, &target)?)?;
            }
            let share: Vec<f64> = shares.iter().map(|shares| shares[step - 1]).collect();
            let of_answers = pass.constant(of_answers.iter().map(|group| share[*group]).collect())?;
            let weights = Tensor::from_vec(share, groups.len(), loss.device())?.to_dtype(loss.dtype())?;
            halting = Objective::add(halting, Some((loss * (weights * self.coefficient)?)?))?;
            // The loss of a step that does not count is left out even if it is infinite.
            let losses = pass.losses_at(step)?;
            let losses = of_answers.ne(0.0)?.where_cond(&losses, &losses.zeros_like()?)?;
            answers = Objective::add(answers, Some((losses * of_answers)?))?;
        }
        let answers = answers.map_or_else(|| pass.losses.zeros_like(), Ok)?;
        match halting {
            Some(halting) if is_token => Ok(Objective { answers: (answers + halting)?, tokens: None }),
            Some(halting) => Ok(Objective { answers, tokens: pass.per_sequence(&halting)? }),
            None => Ok(Objective { answers, tokens: None }),
        }
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        self.head.flops(d_model)
    }
}
