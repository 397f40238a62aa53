//! The analytic costs of backbones against the sizes of their weights, and what the ledger makes of them.

use haltbench_engine::decoding::Decoder;
use haltbench_engine::recurrence::{Execution, evaluate};
use haltbench_sdk::backbone::PartCost;
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::Value;

use crate::ledger::LISTED;
use crate::setup::{Setup, Subject};

/// How a step of a backbone uses its weights.
struct Use {
    backbone: (&'static str, &'static [(&'static str, &'static str)]),
    /// How often a row is multiplied with the core's matrix of this name.
    times: fn(&str) -> f64,
    /// Operations of a row besides products.
    beside: fn(f64) -> f64,
    /// How often a step applies each of its layers.
    applied: f64,
}

const PLAIN: Use = Use { backbone: ("anira", &[]), times: |_| 1.0, beside: |_| 0.0, applied: 1.0 };

/// A row selects two of three experts.
const USES: [Use; 11] = [
    PLAIN,
    Use { backbone: ("gated-ut", &[]), ..PLAIN },
    Use { backbone: ("huginn", &[]), ..PLAIN },
    Use { backbone: ("looped", &[]), ..PLAIN },
    Use { backbone: ("looped", &[("injection", "concat")]), ..PLAIN },
    Use { backbone: ("looped", &[("injection", "diagonal")]), beside: |d| 4.0 * d, ..PLAIN },
    // What a step is told is embedded once for all rows.
    Use {
        backbone: ("loopformer", &[]),
        times: |name| f64::from(u8::from(!name.contains("modulation") && !name.contains("embedder"))),
        ..PLAIN
    },
    Use { backbone: ("moeut", &[]), times: share_of_experts, ..PLAIN },
    Use { backbone: ("ouro", &[]), ..PLAIN },
    // Two cycles of two updates of z_L and one of z_H; ten sums of two states.
    Use {
        backbone: ("recursive-reasoner", &[]),
        times: |name| if name.starts_with("core.low") { 4.0 } else { 2.0 },
        beside: |d| 10.0 * d,
        applied: 3.0,
    },
    Use { backbone: ("unshared", &[]), times: |name| f64::from(u8::from(name.starts_with("core.steps.0."))), ..PLAIN },
];

fn share_of_experts(name: &str) -> f64 {
    if name.contains("_experts") { 2.0 / 3.0 } else { 1.0 }
}

/// Every weight of a matrix is one multiply-add for each row that is multiplied with it.
#[test]
fn costs_of_a_step_are_those_of_its_matrices() {
    for Use { backbone, times, beside, applied } in USES {
        for (core_layers, around) in [(1, 0), (2, 1)] {
            let setup = Setup { backbone, core_layers, around, ..Setup::PLAIN };
            let model = Subject::registered("fixed", &[]).model(&setup);
            let matrices = |part: &str, wanted: &dyn Fn(&str) -> bool, times: fn(&str) -> f64| -> f64 {
                let weights = model.variables.weights().unwrap();
                let own = weights.iter().filter(|(name, tensor)| {
                    name.starts_with(part) && wanted(name) && tensor.rank() == 2 && !name.contains("positions")
                });
                own.map(|(name, tensor)| 2.0 * times(name) * tensor.elem_count() as f64).sum()
            };
            let what = format!("{backbone:?}, {core_layers} layers");
            let near = |part: &str, found: f64, expected: f64| {
                assert!((found - expected).abs() < 1e-9 * expected, "{what}: {part}: {found} against {expected}");
            };
            let d = setup.d_model as f64;
            let cost = model.backbone.cost();
            near("step", cost.step.per_row, matrices("core.", &|_| true, times) + beside(d));
            let is_key_value =
                |name: &str| ["k_proj", "v_proj", "v_selection", "v_experts"].iter().any(|of| name.contains(of));
            near("keys and values", cost.step.per_key_value, matrices("core.", &is_key_value, times));
            // Every key is multiplied with a query, and its value with a weight.
            let layers = if backbone.0 == "recursive-reasoner" { 2.0 * applied } else { 1.0 } * core_layers as f64;
            near("a key", cost.step.per_key, layers * 4.0 * d);
            let dense: fn(&str) -> f64 = if backbone.0 == "moeut" { share_of_experts } else { |_| 1.0 };
            if around == 1 {
                near("prelude", cost.prelude.per_row, matrices("prelude.", &|_| true, dense));
                let coda = cost.coda.per_row + cost.readout.per_row - 2.0 * d * setup.vocabulary as f64;
                near("coda", coda, matrices("coda.", &|_| true, dense));
            } else {
                assert_eq!((cost.prelude, cost.coda), (PartCost::default(), PartCost::default()), "{what}");
                near("read-out", cost.readout.per_row, 2.0 * d * setup.vocabulary as f64);
            }
        }
    }
}

/// Tokens of one sequence halt after 1, 3 and 2 of 3 steps. If each step has weights of its own, the first is projected
/// again in both later steps, because the second token still sees it.
#[test]
fn steps_with_weights_of_their_own_project_halted_tokens_every_time() {
    for (backbone, projections) in [("looped", 1.0), ("unshared", 2.0)] {
        let setup = Setup { backbone: (backbone, &[]), around: 0, max_depth: 3, ..Setup::PLAIN };
        let model = Subject::new(&LISTED, &[]).model(&setup);
        let (batch, _) = setup.pack(&setup.sequences(&[3]));
        let found = evaluate(&model, &batch, Execution::Compacted, None).unwrap();
        assert_eq!(found.depths, [1, 3, 2]);
        let cost = model.backbone.cost();
        let steps = 6.0 * cost.step.per_row + (6.0 + 5.0 + 2.0) * cost.step.per_key;
        let expected = steps + projections * cost.step.per_key_value + 2.0 * cost.readout.per_row;
        assert!(
            (found.ledger.flops - expected).abs() < 1e-9 * expected,
            "{backbone}: {} {expected}",
            found.ledger.flops
        );
    }
}

/// While decoding, a halted token is projected at once for all later steps, when a later token first needs it.
#[test]
fn decoding_charges_projections_for_all_later_steps() {
    for (backbone, projections) in [("looped", [1.0, 1.0]), ("unshared", [2.0, 1.0])] {
        let setup = Setup { backbone: (backbone, &[]), around: 0, max_depth: 3, ..Setup::PLAIN };
        let model = Subject::registered("fixed", &[]).model(&setup);
        let depths = |_: u64, position: usize| [1, 3, 2, 1][position];
        let mut decoder = Decoder::new(&model, &[0]).unwrap().forced(&depths);
        let cost = model.backbone.cost();
        let mut spent = 0.0;
        let rounds: [(&[u32], f64, f64); 2] = [(&[1, 2, 3], 6.0, 6.0 + 5.0 + 2.0), (&[4], 1.0, 4.0)];
        for ((tokens, rows, pairs), projections) in rounds.into_iter().zip(projections) {
            decoder.advance(&[tokens]).unwrap();
            // The second token sees the first in steps 2 and 3; the third, which it does not see, waits for the next round.
            spent += rows * cost.step.per_row + pairs * cost.step.per_key;
            spent += projections * cost.step.per_key_value + cost.readout.per_row;
            let found = decoder.ledger().flops;
            assert!((found - spent).abs() < 1e-9 * spent, "{backbone} after {tokens:?}: {found} {spent}");
        }
    }
}

/// Without causality, every token sees its whole sequence, in the prelude, in every step and in the coda.
#[test]
fn a_backbone_that_is_not_causal_is_charged_for_whole_sequences() {
    for halted in [HaltedKeysValues::FreezeState, HaltedKeysValues::LatestKv] {
        let setup = Setup { backbone: ("recursive-reasoner", &[]), max_depth: 3, halted, ..Setup::PLAIN };
        let model = Subject::registered("fixed", &[("depth", Value::Integer(2))]).model(&setup);
        let lengths = [4, 1, 6];
        let (batch, _) = setup.pack(&setup.sequences(&lengths));
        let found = evaluate(&model, &batch, Execution::Compacted, None).unwrap();
        let cost = model.backbone.cost();
        let pairs = |rows: [usize; 3]| (0..3).map(|place| rows[place] * lengths[place]).sum::<usize>() as f64;
        let part = |part: PartCost, rows: [usize; 3]| {
            part.per_row * rows.iter().sum::<usize>() as f64 + part.per_key * pairs(rows)
        };
        // Two of three tokens are read out.
        let read = [3, 1, 4];
        let around = part(cost.prelude, lengths) + part(cost.coda, lengths) + part(cost.readout, read);
        let expected = [around + 2.0 * part(cost.step, lengths), around + 3.0 * part(cost.step, lengths)];
        for (found, expected) in [found.ledger.flops, found.ledger.dense_flops].iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9 * expected, "{found} against {expected}");
        }
        let (executed, dense): (f64, f64) = (found.costs.executed.iter().sum(), found.costs.dense.iter().sum());
        assert!((executed - found.ledger.flops).abs() < 1e-9 * executed, "{executed}");
        assert!((dense - found.ledger.dense_flops).abs() < 1e-9 * dense, "{dense}");
    }
}
