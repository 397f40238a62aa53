//! The reference loop against computations by hand.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use haltbench_sdk::backbone::Backbone;
use haltbench_sdk::conformance::{Batch, Outcome, Sequence, Settings, miniature, run};
use haltbench_sdk::key_values::{HaltedKeysValues, KeyValues};
use haltbench_sdk::policy::Combine;
use haltbench_sdk::prelude::*;

const MAX_DEPTH: usize = 4;

fn sequence(identity: u64, tokens: &[u32]) -> Sequence {
    Sequence { identity, tokens: tokens.to_vec(), complexity: vec![f32::NAN; tokens.len()] }
}

fn batch() -> Batch {
    let sequences = [sequence(1, &[1, 2, 3, 4, 5]), sequence(2, &[6]), sequence(3, &[0, 3, 3, 6])];
    Batch::new(&sequences, false, &Device::Cpu).unwrap()
}

fn settings(halted: HaltedKeysValues) -> Settings {
    Settings { max_depth: MAX_DEPTH, halted, seed: 1 }
}

/// h(`depth`) and its logits, by hand.
fn unrolled(backbone: &dyn Backbone, batch: &Batch, depth: usize) -> (Tensor, Tensor) {
    let rows = RowSet::all(batch.rows());
    let mut states = backbone.begin(&batch.tokens, &mut BeginContext::new(&batch.layout)).unwrap().states;
    let mut key_values = KeyValues::new(HaltedKeysValues::FreezeState, backbone.dimensions().core_layers, batch.rows());
    for step in 1..=depth {
        let mut context = StepContext::new(step, &batch.layout, &rows, &mut key_values);
        states = backbone.step(&states, &mut context).unwrap();
    }
    let logits = backbone.coda(&states, &batch.layout, &rows, None).unwrap();
    (states, logits)
}

fn equal(left: &Tensor, right: &Tensor, row: usize) -> bool {
    let numbers = |tensor: &Tensor| tensor.get(row).unwrap().to_vec1::<f64>().unwrap();
    numbers(left).iter().zip(numbers(right)).all(|(left, right)| (left - right).abs() < 1e-12)
}

fn all_equal(left: &Tensor, right: &Tensor) -> bool {
    (0..left.dim(0).unwrap()).all(|row| equal(left, right, row))
}

/// An early policy with a list of depths, one per row.
struct Listed(Vec<u32>);

impl EarlyPolicy for Listed {
    fn decide(&self, _: &View) -> Result<EarlyDecision> {
        Ok(EarlyDecision::Depths(self.0.clone()))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}

/// The same as an online policy, as a soft policy with all weight on one step, and as a selecting policy.
struct Stops(Vec<u32>);

impl OnlinePolicy for Stops {
    fn observe(&self, view: &View, _: &mut RowMemory) -> Result<OnlineDecision> {
        Ok(OnlineDecision::Halt(view.rows().iter().map(|row| self.0[row] as usize == view.step()).collect()))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}

impl SoftPolicy for Stops {
    fn weigh(&self, view: &View, _: &mut RowMemory) -> Result<SoftDecision> {
        let stops: Vec<bool> = view.rows().iter().map(|row| self.0[row] as usize == view.step()).collect();
        let weight: Vec<f64> = stops.iter().map(|stops| f64::from(u8::from(*stops))).collect();
        let weight = Tensor::new(weight, &Device::Cpu)?;
        Ok(SoftDecision::new(weight, stops.iter().map(|stops| !stops).collect()))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}

impl SelectPolicy for Stops {
    fn select(&self, view: &View, _: &mut RowMemory) -> Result<Selection> {
        let chosen = view.rows().iter().map(|row| view.step() < self.0[row] as usize).collect();
        Ok(Selection::new(chosen))
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}

fn of_every_kind(depths: &[u32]) -> [Policy; 4] {
    [
        Policy::early(Listed(depths.to_vec())),
        Policy::online(Stops(depths.to_vec())),
        Policy::soft(Stops(depths.to_vec())),
        Policy::select(Stops(depths.to_vec())),
    ]
}

#[test]
fn a_fixed_depth_is_that_many_applications_of_the_backbone() {
    for core_layers in [1, 2] {
        let (backbone, _) = miniature(7, core_layers, 3, DType::F64, &Device::Cpu).unwrap();
        let batch = batch();
        for (_, option) in HaltedKeysValues::ALL {
            for depth in 1..=MAX_DEPTH {
                let (states, logits) = unrolled(backbone.as_ref(), &batch, depth);
                for policy in of_every_kind(&vec![depth as u32; batch.rows()]) {
                    let outcome = run(backbone.as_ref(), &policy, &batch, &settings(option)).unwrap();
                    assert_eq!(outcome.depths, vec![depth as u32; batch.rows()]);
                    assert_eq!(outcome.executed, (depth * batch.rows()) as u64);
                    assert!(all_equal(&outcome.states, &states) && all_equal(&outcome.logits, &logits));
                }
            }
        }
    }
}

#[test]
fn kinds_that_halt_the_same_tokens_agree() {
    let (backbone, _) = miniature(7, 2, 4, DType::F64, &Device::Cpu).unwrap();
    let batch = batch();
    let depths = [2, 4, 1, 3, 1, 2, 3, 1, 4, 2];
    for (name, option) in HaltedKeysValues::ALL {
        let outcomes: Vec<Outcome> = of_every_kind(&depths)
            .iter()
            .map(|policy| run(backbone.as_ref(), policy, &batch, &settings(option)).unwrap())
            .collect();
        // Under run-on the tokens of a selecting policy keep their state, because they may be woken.
        let alike = if option == HaltedKeysValues::RunOn { &outcomes[..3] } else { &outcomes[..] };
        for outcome in alike {
            assert_eq!(outcome.depths, depths);
            assert!(all_equal(&outcome.logits, &outcomes[0].logits), "{name}");
        }
    }
}

#[test]
fn a_token_is_restored_and_seen_as_the_option_says() {
    let (backbone, _) = miniature(7, 1, 5, DType::F64, &Device::Cpu).unwrap();
    let batch = batch();
    let mut depths = vec![2; batch.rows()];
    depths[0] = 1;
    let policy = Policy::early(Listed(depths));
    let with = |option| run(backbone.as_ref(), &policy, &batch, &settings(option)).unwrap();
    let (first, _) = unrolled(backbone.as_ref(), &batch, 1);
    let (second, _) = unrolled(backbone.as_ref(), &batch, 2);
    for (name, option) in HaltedKeysValues::ALL {
        let states = with(option).states;
        assert!(equal(&states, &first, 0), "{name}: the halted token keeps h(1)");
        assert!((5..batch.rows()).all(|row| equal(&states, &second, row)), "{name}: other sequences do not notice");
        // The second step projects h(1) of the halted token whether it is frozen or runs on; the keys and values of its
        // last executed step belong to h(0), and skipping hides it.
        let unchanged = (1..5).all(|row| equal(&states, &second, row));
        assert_eq!(unchanged, matches!(option, HaltedKeysValues::FreezeState | HaltedKeysValues::RunOn), "{name}");
    }
}

/// Weight one half on h(1) and on h(2); every step starts again from the carried h(1).
struct Halves;

impl SoftPolicy for Halves {
    fn weigh(&self, view: &View, memory: &mut RowMemory) -> Result<SoftDecision> {
        let rows = view.rows().len();
        let weight = if view.step() == 0 { 0.0 } else { 0.5 };
        if view.step() == 1 {
            memory.replace("first", view.states());
        }
        Ok(SoftDecision {
            carry: memory.get("first").map(|first| first * 2.0).transpose()?,
            ..SoftDecision::new(Tensor::full(weight, rows, &Device::Cpu)?, vec![view.step() < 2; rows])
        })
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}

#[test]
fn a_mixture_weighs_the_states_and_steps_from_what_is_carried() {
    let (backbone, _) = miniature(7, 1, 6, DType::F64, &Device::Cpu).unwrap();
    let batch = batch();
    let option = HaltedKeysValues::FreezeState;
    let outcome = run(backbone.as_ref(), &Policy::soft(Halves), &batch, &settings(option)).unwrap();
    let (first, _) = unrolled(backbone.as_ref(), &batch, 1);
    let rows = RowSet::all(batch.rows());
    let mut key_values = KeyValues::new(option, 1, batch.rows());
    let mut context = StepContext::new(2, &batch.layout, &rows, &mut key_values);
    let second = backbone.step(&(&first * 2.0).unwrap(), &mut context).unwrap();
    assert!(all_equal(&outcome.states, &((first + second).unwrap() * 0.5).unwrap()));
    assert_eq!(outcome.weights.unwrap()[3], [0.0, 0.5, 0.5, 0.0, 0.0]);
    assert_eq!(outcome.expected_depths.unwrap(), vec![1.5; batch.rows()]);
}

/// Chooses every row, with a gate of 0.25.
struct Quarter(Combine);

impl SelectPolicy for Quarter {
    fn select(&self, view: &View, _: &mut RowMemory) -> Result<Selection> {
        let rows = view.rows().len();
        let gate = Some(Tensor::full(0.25, rows, &Device::Cpu)?);
        Ok(Selection { gate, combine: self.0, ..Selection::new(vec![view.step() == 0; rows]) })
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}

#[test]
fn a_gate_scales_the_residual_or_the_result() {
    let (backbone, _) = miniature(7, 1, 7, DType::F64, &Device::Cpu).unwrap();
    let batch = batch();
    let option = HaltedKeysValues::FreezeState;
    let (start, first) = (unrolled(backbone.as_ref(), &batch, 0).0, unrolled(backbone.as_ref(), &batch, 1).0);
    for (combine, kept) in [(Combine::Residual, 0.75), (Combine::Added, 1.0)] {
        let outcome = run(backbone.as_ref(), &Policy::select(Quarter(combine)), &batch, &settings(option)).unwrap();
        let expected = ((&start * kept).unwrap() + (&first * 0.25).unwrap()).unwrap();
        assert!(all_equal(&outcome.states, &expected));
        assert_eq!(outcome.depths, vec![1; batch.rows()]);
    }
}

/// The hazards .2, .3, .5, .1 for every token.
struct Hazards(HaltingRule);

impl OnlinePolicy for Hazards {
    fn observe(&self, view: &View, _: &mut RowMemory) -> Result<OnlineDecision> {
        let hazard: f64 = [0.2, 0.3, 0.5, 0.1][view.step() - 1];
        Ok(OnlineDecision::HazardLogits(Tensor::full((hazard / (1.0 - hazard)).ln(), view.rows().len(), &Device::Cpu)?))
    }

    fn rule(&self) -> HaltingRule {
        self.0
    }

    fn decision_flops(&self, _: usize) -> f64 {
        0.0
    }
}

#[test]
fn hazards_halt_where_the_cumulative_probability_reaches_the_threshold() {
    // q = .2, .24, .28, .28
    let (backbone, _) = miniature(7, 1, 8, DType::F64, &Device::Cpu).unwrap();
    let batch = batch();
    let settings = settings(HaltedKeysValues::FreezeState);
    for (rule, depth) in [
        (HaltingRule::Median, 3),
        (HaltingRule::Threshold(0.2), 1),
        (HaltingRule::Threshold(0.4), 2),
        (HaltingRule::Threshold(0.9), 4),
    ] {
        let outcome = run(backbone.as_ref(), &Policy::online(Hazards(rule)), &batch, &settings).unwrap();
        assert_eq!(outcome.depths, vec![depth; batch.rows()], "{rule:?}");
    }
    let full = Policy::online(Hazards(HaltingRule::Threshold(1.0)));
    let outcome = run(backbone.as_ref(), &full, &batch, &settings).unwrap();
    assert!(outcome.expected_depths.unwrap().iter().all(|depth| (depth - 2.64).abs() < 1e-12));
}
