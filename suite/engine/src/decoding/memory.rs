//! What caches hold, beside what they would hold if every token kept keys and values of all D steps.

use haltbench_sdk::cache::KeyValueCache;
use serde::Serialize;

/// Bytes of keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct CacheMemory {
    /// The most that entries have held at once.
    pub held_bytes: usize,
    /// What the same tokens would have held with an entry for every step.
    pub dense_bytes: usize,
    /// What was allocated for entries, used or not.
    pub allocated_bytes: usize,
}

impl CacheMemory {
    /// Looks at the caches of all parts, each with the times that it is applied, while they hold `tokens` tokens.
    pub(super) fn observe(&mut self, tokens: usize, parts: &[(&KeyValueCache, usize)]) {
        let sum = |of: &dyn Fn(&KeyValueCache) -> usize| parts.iter().map(|(cache, _)| of(cache)).sum::<usize>();
        let held = sum(&|cache| cache.used() * cache.entry_bytes());
        let dense = parts.iter().map(|(cache, times)| tokens * times * cache.entry_bytes()).sum();
        self.held_bytes = self.held_bytes.max(held);
        self.dense_bytes = self.dense_bytes.max(dense);
        self.allocated_bytes = sum(&|cache| cache.allocated_bytes());
    }
}
