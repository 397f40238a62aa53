//! Data parallelism with fixed chunks: what a chunk computes never depends on how many threads there are.

use rayon::prelude::*;

/// Runs `work` on every item, in parallel where the pool has more than one thread, with the widest instructions that
/// the processor has. Items must write to disjoint memory and no item may depend on another.
pub(crate) fn for_each<T: Send>(items: Vec<T>, work: impl Fn(T) + Send + Sync) {
    let instructions = pulp::Arch::new();
    if rayon::current_num_threads() > 1 && items.len() > 1 {
        items.into_par_iter().for_each(|item| {
            instructions.dispatch(
                #[inline(always)]
                || work(item),
            )
        });
    } else {
        items.into_iter().for_each(|item| {
            instructions.dispatch(
                #[inline(always)]
                || work(item),
            )
        });
    }
}
