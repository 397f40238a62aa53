//! Memory held by caches, compared with caches of keys and values of all D steps.

use haltbench_sdk::cache::KeyValueCache;
use serde::Serialize;

/// Bytes of keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CacheMemory {
    /// Peak memory of entries in use.
    pub held_bytes: usize,
    /// Memory of the same tokens with an entry for every step.
    pub dense_bytes: usize,
    /// Memory allocated for entries, used or not.
    pub allocated_bytes: usize,
}

impl CacheMemory {
    /// Updates the peak from the caches of all parts, given with the number of times each part is applied, while they
    /// hold `tokens` tokens.
    pub(super) fn observe(&mut self, tokens: usize, parts: &[(&KeyValueCache, usize)]) {
        let sum = |of: &dyn Fn(&KeyValueCache) -> usize| parts.iter().map(|(cache, _)| of(cache)).sum::<usize>();
        let held = sum(&|cache| cache.used() * cache.entry_bytes());
        let dense = parts.iter().map(|(cache, times)| tokens * times * cache.entry_bytes()).sum();
        self.held_bytes = self.held_bytes.max(held);
        self.dense_bytes = self.dense_bytes.max(dense);
        self.allocated_bytes = sum(&|cache| cache.allocated_bytes());
    }
}
