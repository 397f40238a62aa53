//! Small traces whose replay can be computed by hand.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::replayed::{depths, replay};
use crate::written::{RIGHT, Raw, bytes, doubles, whole};

/// A trace of one sequence.
struct Small(BTreeMap<&'static str, Raw>);

impl Small {
    /// `tokens` tokens with states of width 1, `[D + 1, tokens]`.
    fn new(tokens: usize, states: &[f64]) -> Self {
        let steps = states.len() / tokens;
        Self(BTreeMap::from([("lengths", whole(&[tokens as i64])), ("states", doubles(&[steps, tokens, 1], states))]))
    }

    fn with(mut self, name: &'static str, raw: Raw) -> Self {
        self.0.insert(name, raw);
        self
    }

    /// With a linear map of a state x to x, as the policies' gates.
    fn with_gates(mut self) -> Self {
        for (weight, bias) in [
            ("policy.gate.weight", "policy.gate.bias"),
            ("policy.lambda.weight", "policy.lambda.bias"),
            ("policy.halting.weight", "policy.halting.bias"),
        ] {
            self = self.with(weight, doubles(&[1, 1], &[1.0])).with(bias, doubles(&[1], &[0.0]));
        }
        self
    }

    fn replay(&self, policy: &str, set: &[&str]) -> Vec<Value> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trace.safetensors");
        fs::write(&file, bytes(&self.0, &RIGHT)).unwrap();
        let given: Vec<&str> = set.iter().flat_map(|set| ["--set", set]).collect();
        replay(&file, policy, &given)
    }
}

#[track_caller]
fn near(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap();
    assert!((found - expected).abs() < 1e-12 * (1.0 + expected.abs()), "{found}, expected {expected}");
}

/// The numbers of a list; NaN for null.
fn list(found: &Value) -> Vec<f64> {
    found.as_array().unwrap().iter().map(|number| number.as_f64().unwrap_or(f64::NAN)).collect()
}

#[track_caller]
fn all_near(found: &Value, expected: &[f64]) {
    let found = list(found);
    let is_near =
        |(found, expected): (&f64, &f64)| (found - expected).abs() < 1e-12 || found.is_nan() && expected.is_nan();
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(is_near),
        "{found:?}, expected {expected:?}"
    );
}

const NULL: f64 = f64::NAN;

fn logit(probability: f64) -> f64 {
    (probability / (1.0 - probability)).ln()
}

/// Halting probabilities .2, .3, .5 give (.2, .24, .28, .28) with the mean 2.64, wherever the token halts.
#[test]
fn a_distribution_is_that_of_all_recorded_steps() {
    let states = [0.0, logit(0.2), logit(0.3), logit(0.5), 7.0];
    let trace = Small::new(1, &states).with_gates();
    for (policy, set, depth) in [
        ("pondernet", &["exit=quantile", "threshold=0.1"][..], Some(1)),
        ("pondernet", &["exit=quantile", "threshold=0.5"], Some(3)),
        ("pondernet", &["exit=quantile", "threshold=1"], Some(4)),
        ("pondernet", &["exit=bernoulli"], None),
        ("ouro", &["threshold=0.3"], Some(2)),
    ] {
        let found = &trace.replay(policy, set)[0];
        all_near(&found["distribution"], &[0.2, 0.24, 0.28, 0.28]);
        near(&found["expected_depth"], 2.64);
        let depth = depth.unwrap_or(found["depth"].as_u64().unwrap() as usize);
        assert_eq!(found["depth"], depth, "{policy} {set:?}");
        let cumulative = [0.2, 0.44, 0.72, NULL];
        let scores: Vec<f64> = (1..).zip(cumulative).map(|(step, f)| if step <= depth { f } else { NULL }).collect();
        all_near(&found["scores"], &scores);
    }
}

#[test]
fn one_step_has_probability_one() {
    let decider = |trace: Small| {
        trace
            .with("policy.norm.weight", doubles(&[1], &[1.0]))
            .with("policy.norm.bias", doubles(&[1], &[0.0]))
            .with("policy.up.weight", doubles(&[4, 1], &[1.0; 4]))
            .with("policy.down.weight", doubles(&[1, 4], &[1.0; 4]))
            .with("policy.down.bias", doubles(&[1], &[0.0]))
    };
    let trace = decider(Small::new(1, &[0.5, -0.5]).with_gates()).with("logits", doubles(&[1, 1, 2], &[0.0, 1.0]));
    for policy in ["pondernet", "ouro", "anira-o", "anira-e"] {
        let found = &trace.replay(policy, &[])[0];
        assert_eq!(list(&found["distribution"]), [1.0], "{policy}");
        assert_eq!(found["expected_depth"], 1.0, "{policy}");
    }
    for policy in ["calm", "huginn-kl", "huginn-latent-diff"] {
        let found = &trace.replay(policy, &[])[0];
        assert!(found["distribution"].is_null() && found["expected_depth"].is_null(), "{policy}");
    }
}

/// KL((1/2, 1/2, 0) || (1/4, 3/4, 0)) is 0.1438 nats; the uniform distribution before has mass where (1/2, 1/2, 0) has none.
#[test]
fn a_token_without_probability_adds_nothing_to_a_divergence() {
    let never = f64::NEG_INFINITY;
    let logits = [0.0, 0.0, never, 0.25f64.ln(), 0.75f64.ln(), never, 0.0, 0.0, never, 0.0, 0.0, never];
    let trace = Small::new(1, &[0.0; 5]).with("logits", doubles(&[4, 1, 3], &logits));
    let found = &trace.replay("huginn-kl", &["threshold=0"])[0];
    let back = 0.25 * 0.5f64.ln() + 0.75 * 1.5f64.ln();
    all_near(&found["scores"], &[NULL, 0.143_841_036_225_890_4, back, NULL]);
    let found = &trace.replay("calm", &["threshold=2"])[0];
    all_near(&found["scores"], &[0.0, 0.5, 0.0, NULL]);
}

/// The target has probability 0 after step 1, whose loss no policy here counts, and 1/2 after step 2.
#[test]
fn an_infinite_loss_without_weight_does_not_count() {
    let logits = [f64::NEG_INFINITY, 0.0, 0.0, 0.0];
    let trace = Small::new(1, &[0.0, -800.0, 1.0])
        .with_gates()
        .with("logits", doubles(&[2, 1, 2], &logits))
        .with("targets", whole(&[0]));
    near(&trace.replay("fixed", &["depth=2"])[0]["objective"], 2.0f64.ln());
    // The halting probability of step 1 is 0.
    near(&trace.replay("pondernet", &["beta=0"])[0]["objective"], 2.0f64.ln());
    assert!(trace.replay("calm", &[])[0]["objective"].is_null(), "all losses count");
    // The gain is infinite: the wish is to go on, whose cross-entropy is softplus(1), over D.
    near(&trace.replay("ouro", &[])[0]["objective"], (1.0 + 1.0f64.exp()).ln() / 2.0);
}

/// The ponder cost of a token does not depend on other tokens' targets, nor on its own.
#[test]
fn token_costs_need_no_answers() {
    let count = 5000;
    let targets = |last: i64| whole(&[vec![-1; count - 1], vec![last]].concat());
    // h = 1/2, 1/2: two steps and the remainder 1/2.
    let trace = || Small::new(count, &vec![0.0; 3 * count]).with_gates().with("lengths", whole(&vec![1; count]));
    for last in [0, -1] {
        for line in trace().with("targets", targets(last)).replay("act", &["tau=1"]) {
            near(&line["objective"], 2.5);
        }
    }
    assert!(trace().replay("act", &[]).iter().all(|line| line["objective"].is_null()));
    let none = trace().with("targets", targets(-1)).with("logits", doubles(&[2, count, 2], &vec![0.0; 4 * count]));
    // p = (1/2, 1/2) and the prior (1/5, 4/5).
    let divergence = 0.5 * (2.5f64.ln() + 0.625f64.ln());
    for line in none.replay("pondernet", &["beta=1"]) {
        near(&line["objective"], divergence);
    }
    assert!(none.replay("calm", &[]).iter().all(|line| line["objective"] == 0.0));
}

/// tensor2tensor: a position runs while H < 1, and takes its remainder when H + p > 1 - epsilon.
#[test]
fn universal_transformer_act_stops_where_the_sum_is_exactly_one() {
    let trace = Small::new(1, &[0.0; 5]).with_gates().with("targets", whole(&[-1]));
    for force in ["force_remainder=true", "force_remainder=false"] {
        let found = &trace.replay("ut-act", &["epsilon=0", "tau=1", force])[0];
        assert_eq!(found["depth"], 2);
        assert_eq!(list(&found["weights"]), [0.0, 0.5, 0.5, 0.0, 0.0]);
        assert_eq!(found["objective"], 2.0, "the remainder is 0");
        all_near(&found["scores"], &[0.5, 1.0, NULL, NULL]);
    }
    let found = &trace.replay("ut-act", &["epsilon=0.01", "tau=1"])[0];
    assert_eq!((&found["depth"], &found["objective"]), (&Value::from(2), &Value::from(2.5)));
}

/// p = .1 twice is not enough; expected_depth is .1 + 2 (.1), not divided by .2.
#[test]
fn weights_that_do_not_sum_to_one_are_not_normalised() {
    let trace = Small::new(1, &[logit(0.1); 3]).with_gates();
    let found = &trace.replay("ut-act", &["force_remainder=false"])[0];
    all_near(&found["weights"], &[0.0, 0.1, 0.1]);
    near(&found["expected_depth"], 0.3);
    all_near(&found["scores"], &[0.1, 0.2]);
}

/// F(1) = 1 - 5e-10 is below 1, and F(1) = 1/2 reaches 1/2.
#[test]
fn thresholds_are_compared_without_a_tolerance() {
    let near_one = -(5e-10f64).ln();
    for (first, quantile, depth) in [(near_one, "1", 2), (0.0, "0.5", 1), (-1e-9, "0.5", 2)] {
        let trace = Small::new(1, &[0.0, first, 800.0, 0.0]).with_gates();
        let given = format!("threshold={quantile}");
        assert_eq!(depths(&trace.replay("ouro", &[&given])), [depth], "{first} {quantile}");
    }
}

/// Steps of ratios 2 and 1/3, and their cosines, at sizes whose squares overflow or vanish.
#[test]
fn ratios_of_states_do_not_depend_on_their_size() {
    for size in [1.0, 1e160, 1e-170] {
        let trace = Small::new(1, &[1.0, -1.0, -1.5, -1.5].map(|state| state * size));
        let found = &trace.replay("huginn-latent-diff", &["threshold=0"])[0];
        all_near(&found["scores"], &[2.0, 1.0 / 3.0, NULL]);
        let found = &trace.replay("calm", &["confidence=state", "threshold=2"])[0];
        all_near(&found["scores"], &[-1.0, 1.0, NULL]);
    }
}

/// Router logits 2, 1, -1 and then 1, 0.5, 3: two tokens take step 1, as training chooses, and one of them takes step 2.
#[test]
fn routers_score_candidates_and_learn_the_largest() {
    let (first, second) = ([2.0, 1.0, -1.0], [1.0, 0.5, 3.0]);
    let trace = Small::new(3, &[first, second, [0.0; 3]].concat())
        .with("policy.router.0.weight", doubles(&[1, 1], &[1.0]))
        .with("policy.router.1.weight", doubles(&[1, 1], &[1.0]))
        .with("targets", whole(&[0, 0, 0]));
    let chosen = trace.replay("mor-expert-choice", &["capacity=0.34", "auxiliary=1"]);
    assert_eq!(depths(&chosen), [2, 0, 0]);
    for (line, scores) in chosen.iter().zip([[2.0, 1.0], [1.0, NULL], [-1.0, NULL]]) {
        all_near(&line["scores"], &scores);
    }
    let softplus = |x: f64| (1.0 + x.exp()).ln();
    let costs = [(softplus(2.0) - 2.0) + 3.0 * (softplus(1.0) - 1.0), softplus(1.0), softplus(-1.0)];
    let by_threshold = trace.replay("mor-expert-choice", &["capacity=0.34", "auxiliary=1", "choice=threshold"]);
    assert_eq!(depths(&by_threshold), [2, 2, 0]);
    let given = ["capacity=0.34", "auxiliary=1", "capacity_warmup=100"];
    for lines in [chosen, by_threshold, trace.replay("mor-expert-choice", &given)] {
        lines.iter().zip(costs).for_each(|(line, cost)| near(&line["objective"], cost));
    }
}

/// A sequence without answers adds no cost to an objective over answers.
#[test]
fn without_answers_a_classifier_has_nothing_to_learn() {
    let trace = Small::new(2, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
        .with("logits", doubles(&[2, 2, 2], &[0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0]))
        .with("targets", whole(&[-1, -1]))
        .with("policy.classifier.weight", doubles(&[2, 1], &[1.0, -1.0]))
        .with("policy.classifier.bias", doubles(&[2], &[0.0, 0.0]));
    for loss in ["balanced", "geometric"] {
        let given = format!("classifier_loss={loss}");
        for line in trace.replay("calm", &["confidence=classifier", &given]) {
            near(&line["objective"], 0.0);
        }
    }
}

/// A sequence halts at step 1, and the right token has probability 0 after step 2 alone.
#[test]
fn a_loss_after_the_halt_does_not_count_even_if_it_is_infinite() {
    let trace = Small::new(1, &[0.0, 5.0, 5.0])
        .with("logits", doubles(&[2, 1, 2], &[0.0, 0.0, f64::NEG_INFINITY, 0.0]))
        .with("targets", whole(&[0]))
        .with("policy.head.weight", doubles(&[1, 1], &[1.0]))
        .with("policy.head.bias", doubles(&[1], &[0.0]));
    let found = &trace.replay("q-halting", &["supervises=until-halt", "exploration=0"])[0];
    // Of equal logits the first is predicted, and it is right.
    near(&found["objective"], 2.0f64.ln() + 0.5 * (1.0 + (-5.0f64).exp()).ln());
    assert!(trace.replay("q-halting", &["supervises=all"])[0]["objective"].is_null());
}

/// The model's output is x + g f(x), whose logits no trace has; its other costs remain.
#[test]
fn an_output_that_is_no_state_has_no_cost_as_an_answer() {
    let trace = Small::new(1, &[0.0, 1.0, 2.0])
        .with("logits", doubles(&[2, 1, 2], &[3.0, 0.0, 0.0, 7.0]))
        .with("targets", whole(&[1]))
        .with("policy.router.weight", doubles(&[2, 1], &[1.0, -1.0]));
    near(&trace.replay("mor-token-choice", &["balance=0", "z_loss=0"])[0]["objective"], 0.0);
}
