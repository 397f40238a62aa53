//! The cost ledger against matrix products counted by hand.

use haltbench_engine::ledger::Ledger;
use haltbench_engine::recurrence::{Evaluated, Execution, evaluate};
use haltbench_sdk::conformance::Sequence;
use haltbench_sdk::key_values::HaltedKeysValues;
use haltbench_sdk::parameters::Value;
use haltbench_sdk::prelude::*;

use crate::miniatures::{ACT, GATED, HAZARDS, POSITIVE, SCORES};
use crate::processes::in_one_thread;
use crate::setup::{LENGTHS, Setup, Subject, for_all};

/// Operations of the product of a `rows` x `inner` with an `inner` x `columns` matrix.
fn product(rows: usize, inner: usize, columns: usize) -> f64 {
    (2 * rows * inner * columns) as f64
}

/// One layer over `rows` rows that see `pairs` keys: queries, keys, values and output; a dot product and a weighted sum
/// of values per key; gate, up and down.
fn layer(setup: &Setup, rows: usize, pairs: usize) -> f64 {
    let (d, f) = (setup.d_model, setup.d_ff);
    let projections = 4.0 * product(rows, d, d);
    let attention = product(pairs, d, 1) + product(pairs, 1, d);
    let feed_forward = 2.0 * product(rows, d, f) + product(rows, f, d);
    projections + attention + feed_forward
}

/// Halts the first sequence's tokens after 1, 3 and 2 steps and all others after 2.
pub static LISTED: PolicyDeclaration =
    PolicyDeclaration { ..PolicyDeclaration::new("listed", PolicyKind::Early, |_| Ok(Policy::early(Listed))) };

struct Listed;

impl EarlyPolicy for Listed {
    fn decide(&self, view: &View) -> Result<EarlyDecision> {
        let depth = |row: usize| match (view.layout().identity(row), view.layout().position(row)) {
            (0, 0) => 1,
            (0, 1) => 3,
            _ => 2,
        };
        Ok(EarlyDecision::Depths(view.rows().iter().map(depth).collect()))
    }

    fn decision_flops(&self, d_model: usize) -> f64 {
        7.0 * d_model as f64
    }
}

/// Two sequences with three tokens and one, which halt after 1, 3, 2 and 2 of 3 steps.
#[test]
fn operations_of_a_tiny_case_by_hand() {
    let setup = Setup { core_layers: 2, d_model: 4, d_ff: 6, vocabulary: 5, max_depth: 3, ..Setup::PLAIN };
    let (d, layers) = (setup.d_model, 2.0);
    // The prelude computes 4 rows, which see 1 + 2 + 3 and 1 keys. The tokens at positions 0, 2 and 0 are under the
    // loss: only they go through the coda, which needs keys and values of all four, and through the head.
    let coda = layer(&setup, 3, 1 + 3 + 1) + 2.0 * product(1, d, d);
    let around = layer(&setup, 4, 7) + coda + product(3, d, setup.vocabulary);
    let full_step = layers * layer(&setup, 4, 7);
    // Step 2 computes rows 1 and 2 of the first sequence and the second sequence, step 3 only row 1. With frozen
    // states, a row that halted one step before is projected to keys and values again if a later row of its sequence
    // still runs: row 0 before step 2, no row before step 3.
    let projection = layers * 2.0 * product(1, d, d);
    for (halted, second, third, executed) in [
        (HaltedKeysValues::FreezeState, (3, 2 + 3 + 1, 1.0), (1, 2, 0.0), 8),
        (HaltedKeysValues::LatestKv, (3, 2 + 3 + 1, 0.0), (1, 2, 0.0), 8),
        (HaltedKeysValues::Skip, (3, 1 + 2 + 1, 0.0), (1, 1, 0.0), 8),
        (HaltedKeysValues::RunOn, (4, 7, 0.0), (4, 7, 0.0), 12),
    ] {
        let setup = Setup { halted, ..setup };
        let step = |(rows, pairs, again): (usize, usize, f64)| layers * layer(&setup, rows, pairs) + again * projection;
        let (batch, _) = setup.pack(&setup.sequences(&[3, 1]));
        let model = Subject::new(&LISTED, &[]).model(&setup);
        let found = evaluate(&model, &batch, Execution::Compacted, None).unwrap();
        assert_eq!(found.depths, [1, 3, 2, 2]);
        let expected = Ledger {
            tokens: 4,
            token_steps_scheduled: 12,
            token_steps_executed: executed,
            decisions: 4,
            flops: around + full_step + step(second) + step(third),
            decision_flops: 4.0 * 7.0 * d as f64,
            dense_flops: around + 3.0 * full_step,
        };
        assert_eq!(found.ledger, expected, "{halted:?}");
        // The last row is alone in its sequence: both of its steps see one key, and it is read out.
        let alone = layer(&setup, 1, 1) * (2.0 + 2.0 * layers) + product(1, d, setup.vocabulary);
        let computed_for_nothing = if halted == HaltedKeysValues::RunOn { layers * layer(&setup, 1, 1) } else { 0.0 };
        assert_eq!(found.costs.executed[3], alone + computed_for_nothing + 7.0 * d as f64, "{halted:?}");
        assert_eq!(found.costs.dense[3], alone + layers * layer(&setup, 1, 1), "{halted:?}");
        let dense = evaluate(&model, &batch, Execution::Dense, None).unwrap().ledger;
        assert_eq!((dense.token_steps_executed, dense.decisions), (12, 4), "{halted:?}");
        // A halted token still sees itself when it is computed for nothing.
        let hidden = 2.0 * layers * layer(&setup, 4, 1 + 1 + 2 + 1);
        let computed = if halted == HaltedKeysValues::Skip { full_step + hidden } else { 3.0 * full_step };
        assert_eq!(dense.flops, around + computed, "{halted:?}");
    }
}

/// Number of computed row steps, and number of decisions.
fn counts(subject: &Subject, setup: &Setup, found: &Evaluated) -> (u64, u64) {
    let sum = |each: &dyn Fn(u64) -> u64| found.depths.iter().map(|depth| each(u64::from(*depth))).sum::<u64>();
    let rows = found.depths.len() as u64;
    let most = setup.max_depth as u64;
    let deepest = sum(&|_| u64::from(found.depths.iter().copied().max().unwrap_or(0)));
    let (executed, decisions) = match subject.declaration.kind {
        PolicyKind::Early => (sum(&|depth| depth), rows),
        // Also before the first step.
        PolicyKind::Online if subject.declaration.name == GATED.name => {
            (sum(&|depth| depth), sum(&|depth| 1 + depth.min(most - 1)))
        }
        // After the steps at which it is asked.
        PolicyKind::Online => {
            let policy = subject.model(setup).policy;
            let is_asked = |step: &u64| policy.is_asked(*step as usize, setup.max_depth);
            (sum(&|depth| depth), sum(&|depth| (1..=depth).filter(is_asked).count() as u64))
        }
        // A mask is decided between steps, as an exit is.
        PolicyKind::Soft if subject.declaration.name == "ponderlm-mask" => {
            (sum(&|depth| depth), sum(&|depth| depth.min(most - 1)))
        }
        PolicyKind::Soft => (sum(&|depth| depth), sum(&|depth| 1 + depth)),
        // Unchosen rows are not computed, except for the keys and values of the first step under latest-kv.
        PolicyKind::Select => {
            let first = found.decided.chosen.first().is_some_and(|first| first.contains(&false));
            let missing = found.decided.chosen.first().map_or(0, |first| first.iter().filter(|is| !**is).count());
            let projected = setup.halted == HaltedKeysValues::LatestKv && first;
            (sum(&|depth| depth) + if projected { missing as u64 } else { 0 }, rows * most)
        }
    };
    let runs_on = setup.halted == HaltedKeysValues::RunOn;
    match subject.declaration.kind {
        PolicyKind::Select if runs_on => (rows * most, decisions),
        _ if runs_on => (deepest, decisions),
        _ => (executed, decisions),
    }
}

fn counts_what_is_done(subject: &Subject, setup: &Setup) -> bool {
    let what = format!("{} {setup:?}", subject.label());
    let model = subject.model(setup);
    let (batch, privileged) = setup.pack_for(&model, &setup.sequences(&LENGTHS));
    let found = evaluate(&model, &batch, Execution::Compacted, Some(&privileged)).unwrap();
    let ledger = found.ledger;
    let (executed, decisions) = counts(subject, setup, &found);
    let cost = model.policy.decision_flops(setup.d_model);
    assert_eq!(ledger.token_steps_executed, executed, "{what}");
    assert_eq!(ledger.decisions, if cost > 0.0 { decisions } else { 0 }, "{what}");
    assert!(ledger.decision_flops >= cost * decisions as f64, "{what}: {ledger:?}");
    assert_eq!(ledger.tokens, batch.rows() as u64, "{what}");
    assert_eq!(ledger.token_steps_scheduled, (batch.rows() * setup.max_depth) as u64, "{what}");
    let saves = executed < ledger.token_steps_scheduled;
    assert!(if saves { ledger.flops < ledger.dense_flops } else { ledger.flops <= ledger.dense_flops }, "{what}");
    let dense = evaluate(&model, &batch, Execution::Dense, Some(&privileged)).unwrap().ledger;
    assert_eq!((dense.dense_flops, dense.decisions), (ledger.dense_flops, ledger.decisions), "{what}");
    assert_eq!(dense.token_steps_executed, ledger.token_steps_scheduled, "{what}");
    assert!(dense.flops >= ledger.flops && dense.flops <= dense.dense_flops, "{what}");
    assert_rows_pay_for_themselves(&what, &found, subject, setup);
    found.depths.iter().any(|depth| *depth != found.depths[0])
}

/// The costs of rows sum to the ledger, and a sequence costs the same in any batch.
fn assert_rows_pay_for_themselves(what: &str, found: &Evaluated, subject: &Subject, setup: &Setup) {
    let (ledger, costs) = (found.ledger, &found.costs);
    assert_eq!(costs.executed.iter().sum::<f64>(), ledger.flops + ledger.decision_flops, "{what}");
    assert_eq!(costs.dense.iter().sum::<f64>(), ledger.dense_flops, "{what}");
    // With run-on, a mixture computes rows until the last of the batch has stopped.
    if setup.halted == HaltedKeysValues::RunOn {
        return;
    }
    let model = subject.model(setup);
    let mut first = 0;
    for sequence in setup.sequences(&LENGTHS) {
        let (batch, privileged) = setup.pack_for(&model, &[sequence]);
        let alone = evaluate(&model, &batch, Execution::Compacted, Some(&privileged)).unwrap();
        let own = first..first + batch.rows();
        assert_eq!(alone.costs.executed, costs.executed[own.clone()], "{what}");
        assert_eq!(alone.costs.dense, costs.dense[own], "{what}");
        first += batch.rows();
    }
}

#[test]
fn counts_are_those_of_the_depths_and_dense_is_never_cheaper() {
    in_one_thread(|| for_all(&Setup::all(DType::F64), counts_what_is_done));
}

/// A policy that reads logits pays each time for coda and head of the requested rows, and for keys and values of all
/// rows of their sequences.
#[test]
fn every_read_out_is_charged() {
    let setup = Setup::PLAIN;
    let sequences: Vec<Sequence> = setup.sequences(&LENGTHS);
    let (batch, _) = setup.pack(&sequences);
    for declaration in [&SCORES, &HAZARDS, &ACT, &POSITIVE] {
        let subject = |reads: bool| Subject::new(declaration, &[("reads", Value::Flag(reads))]);
        let evaluated =
            |subject: &Subject| evaluate(&subject.model(&setup), &batch, Execution::Compacted, None).unwrap();
        let (reads, silent) = (evaluated(&subject(true)), evaluated(&subject(false)));
        assert_eq!(reads.depths, silent.depths);
        // Rows still running after each step. Early and selecting policies read before the step, for all rows.
        let all: Vec<usize> = (0..batch.rows()).collect();
        let deeper = |least: usize| -> Vec<usize> {
            all.iter().copied().filter(|row| reads.depths[*row] as usize >= least).collect()
        };
        let asked: Vec<Vec<usize>> = match declaration.kind {
            PolicyKind::Early => vec![all.clone()],
            PolicyKind::Online => (1..setup.max_depth).map(deeper).collect(),
            PolicyKind::Soft => (1..=setup.max_depth).map(deeper).collect(),
            PolicyKind::Select => vec![all.clone(); setup.max_depth],
        };
        let charge = |rows: &Vec<usize>| match rows.len() {
            0 => 0.0,
            count => {
                let pairs = rows.iter().map(|row| batch.layout.position(*row) + 1).sum();
                let asked: Vec<usize> = rows.iter().map(|row| batch.layout.sequence(*row)).collect();
                let of_asked = (0..batch.rows()).filter(|row| asked.contains(&batch.layout.sequence(*row))).count();
                let others = 2.0 * product(of_asked - count, setup.d_model, setup.d_model);
                layer(&setup, count, pairs) + others + product(count, setup.d_model, setup.vocabulary)
            }
        };
        let expected: f64 = asked.iter().map(charge).sum();
        let found = reads.ledger.decision_flops - silent.ledger.decision_flops;
        assert_eq!(found, expected, "{}: asked about {asked:?} rows", declaration.name);
        assert!(reads.ledger.flops <= silent.ledger.flops, "{}", declaration.name);
    }
}
