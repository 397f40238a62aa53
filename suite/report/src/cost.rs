//! What every sequence costs, from a ledger that knows only what all of them cost together.

use haltbench_analysis::measures::{Quantity, cluster_sums};
use haltbench_analysis::{ClusterSum, Split, TokenTable};
use haltbench_engine::ledger::Ledger;

/// Executed operations, decisions included, of every sequence of a split: sums, with numbers of tokens as counts.
///
/// The ledger's total is shared out so that nothing is lost: every token pays the same for what does not depend on
/// its depth, and every token-step pays what a skipped one saved on average. Decisions are paid by the token where
/// the policy decides once (`early`), by the token-step elsewhere.
///
/// So the sum over all sequences is exact, and that over a split is an apportionment: a step of a token that sees many
/// keys costs more than the average, and longer sequences, which are those of larger sizes, are charged too little.
/// Sizes in range are charged a little too much in a suite that also evaluates sizes beyond.
pub(crate) fn sequence_costs(table: &TokenTable, ledger: &Ledger, kind: &str, split: Option<Split>) -> Vec<ClusterSum> {
    let tables = std::slice::from_ref(table);
    let all = steps(tables, None);
    let prices = Prices::new(ledger, kind, total(&all, |cluster| cluster.count), total(&all, |cluster| cluster.sum));
    let cost = |steps: ClusterSum| ClusterSum {
        sum: prices.token * steps.count + prices.step * steps.sum,
        count: steps.count,
    };
    steps(tables, split).into_iter().map(cost).collect()
}

/// Steps of every sequence: sums, with numbers of tokens as counts.
fn steps(tables: &[TokenTable], split: Option<Split>) -> Vec<ClusterSum> {
    cluster_sums(tables, Quantity::Depth, split).into_iter().flatten().collect()
}

fn total(clusters: &[ClusterSum], part: impl Fn(&ClusterSum) -> f64) -> f64 {
    clusters.iter().map(part).sum()
}

/// What a token costs, and each of its steps.
struct Prices {
    token: f64,
    step: f64,
}

impl Prices {
    fn new(ledger: &Ledger, kind: &str, tokens: f64, steps: f64) -> Self {
        let executed = ledger.token_steps_executed as f64;
        let skipped = ledger.token_steps_scheduled as f64 - executed;
        // Between nothing and everything: keys and values projected for halted tokens can cost more than was saved.
        let step = if skipped > 0.0 { (ledger.dense_flops - ledger.flops) / skipped } else { f64::INFINITY };
        let mut by_step = (step.max(0.0) * executed).min(ledger.flops);
        let mut by_token = ledger.flops - by_step;
        *if kind == "early" { &mut by_token } else { &mut by_step } += ledger.decision_flops;
        Self { token: by_token / tokens, step: by_step / steps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 10 tokens, D = 4, 25 of 40 steps executed; a token costs 7 around the steps, a step 3, a decision 0.4.
    fn ledger() -> Ledger {
        Ledger {
            tokens: 10,
            token_steps_scheduled: 40,
            token_steps_executed: 25,
            decisions: 25,
            flops: 70.0 + 75.0,
            decision_flops: 10.0,
            dense_flops: 70.0 + 120.0,
        }
    }

    #[test]
    fn finds_the_price_of_a_step_and_of_what_surrounds_it() {
        let prices = Prices::new(&ledger(), "online", 10.0, 25.0);
        assert!((prices.token - 7.0).abs() < 1e-12 && (prices.step - 3.4).abs() < 1e-12);
        let prices = Prices::new(&ledger(), "early", 10.0, 25.0);
        assert!((prices.token - 8.0).abs() < 1e-12 && (prices.step - 3.0).abs() < 1e-12);
    }

    #[test]
    fn loses_nothing_where_the_price_of_a_step_cannot_be_told() {
        let dense = Ledger { token_steps_executed: 40, flops: 190.0, decision_flops: 0.0, ..ledger() };
        let dearer = Ledger { flops: 250.0, ..ledger() };
        for ledger in [dense, dearer] {
            let prices = Prices::new(&ledger, "online", 10.0, 25.0);
            let paid = prices.token * 10.0 + prices.step * 25.0;
            assert!((paid - ledger.flops - ledger.decision_flops).abs() < 1e-9, "{paid}");
            assert!(prices.token >= 0.0 && prices.step >= 0.0);
        }
    }
}
