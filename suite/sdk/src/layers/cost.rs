//! Analytic cost of a stack of layers, from the cost of one layer.

use crate::backbone::PartCost;

/// Analytic cost of a coda of `layers` layers and a head with `vocabulary` outputs: (for all rows, only for the rows
/// that are read out). The last layer computes attention and feed-forward only for the rows that are read out.
pub(super) fn coda_cost(layer: PartCost, layers: usize, d_model: usize, vocabulary: usize) -> (PartCost, PartCost) {
    let head = 2.0 * (d_model * vocabulary) as f64;
    let Some(before) = layers.checked_sub(1) else {
        return (PartCost::default(), PartCost { per_row: head, ..PartCost::default() });
    };
    let all = PartCost {
        per_row: before as f64 * layer.per_row + layer.per_key_value,
        per_key: before as f64 * layer.per_key,
        per_key_value: 0.0,
    };
    let readout = PartCost { per_row: layer.per_row - layer.per_key_value + head, ..layer };
    (all, PartCost { per_key_value: 0.0, ..readout })
}
