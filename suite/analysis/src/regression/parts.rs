//! Parts of the clusters, for folds and for the jackknife.

use std::sync::Arc;

use crate::jackknife::Blocks;
use crate::reason::Reason;

/// Clusters (sequences or problems) divided into blocks: the k-th smallest id belongs to block k modulo the number of
/// blocks. All rows of a cluster are in one block. Seeds that were evaluated on the same clusters share the parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// Ids of the clusters, ascending. Every regression keeps a reference.
    ids: Arc<[u64]>,
    blocks: Blocks,
}

impl Parts {
    /// Parts of the clusters with these ids, in any order and with repetitions. [`Reason::Empty`] without ids.
    pub fn of(ids: impl IntoIterator<Item = u64>) -> Result<Self, Reason> {
        let mut distinct: Vec<u64> = Vec::new();
        for id in ids {
            if distinct.last() != Some(&id) {
                distinct.push(id);
            }
        }
        distinct.sort_unstable();
        distinct.dedup();
        if distinct.is_empty() {
            return Err(Reason::Empty);
        }
        let blocks = Blocks::of(distinct.len());
        Ok(Parts { ids: distinct.into(), blocks })
    }

    /// Number of clusters.
    pub fn clusters(&self) -> usize {
        self.ids.len()
    }

    /// The blocks of clusters.
    pub fn blocks(&self) -> Blocks {
        self.blocks
    }

    /// Rows of each block, ascending. [`Reason::Mismatched`] if a row's cluster is unknown, [`Reason::TooMany`] beyond
    /// 2³² rows.
    pub(super) fn rows(&self, clusters: &[u64]) -> Result<Vec<Vec<u32>>, Reason> {
        let limit = u32::MAX as usize;
        if clusters.len() > limit {
            return Err(Reason::TooMany { limit, found: clusters.len() });
        }
        let mut rows = vec![Vec::new(); self.blocks.count()];
        let mut last = None;
        for (&id, row) in clusters.iter().zip(0..) {
            let block = match last {
                Some((same, block)) if same == id => block,
                _ => self.blocks.block(self.ids.binary_search(&id).map_err(|_| Reason::Mismatched)?),
            };
            last = Some((id, block));
            rows[block].push(row);
        }
        Ok(rows)
    }
}
