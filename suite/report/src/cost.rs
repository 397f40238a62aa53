//! Cost and accuracy of a policy.

use haltbench_analysis::measures::{Quantity, quantity_table};
use haltbench_analysis::{CostAccuracy, Reason, Split, TokenTable};

/// Cost and accuracy at trained sizes, over the same sequences.
pub(crate) fn cost_accuracy(tables: &[TokenTable]) -> Result<CostAccuracy, Reason> {
    let of = |quantity| quantity_table(tables, quantity, Some(Split::InRange));
    let (cost, accuracy) = (of(Quantity::Flops)?, of(Quantity::TokenAccuracy)?);
    let mut units: Vec<u64> = cost.units().iter().chain(accuracy.units()).copied().collect();
    units.sort_unstable();
    units.dedup();
    Ok(CostAccuracy { cost: cost.over(&units), accuracy: accuracy.over(&units) })
}
