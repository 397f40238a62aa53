//! Positions of rows.

use std::sync::Arc;

use crate::layout::TokenLayout;

/// Positions of some rows, as the rotary embedding takes them.
pub fn positions_of(layout: &TokenLayout, rows: &[u32]) -> Arc<Vec<u32>> {
    Arc::new(rows.iter().map(|row| layout.position(*row as usize) as u32).collect())
}
