//! Data parallelism with fixed chunks: the result of a chunk never depends on the number of threads.

use std::cell::Cell;
use std::mem::MaybeUninit;

use rayon::prelude::*;

use crate::instructions::{Instructions, with_instructions};
use crate::operands::unfit;

thread_local! {
    /// Whether this thread is inside an item of [`for_each`].
    static WORKING: Cell<bool> = const { Cell::new(false) };
}

/// Bytes of stack: candle's backward pass and the drop of its graph recurse once for every chained operation.
const STACK: usize = 512 << 20;

/// Runs `work` on a thread of a pool, with a large stack. Parallel operations inside `work` then start on its own
/// thread at once; from outside the pool, each would have to be handed over. A panic of `work` is resumed here.
///
/// # Errors
/// If the system cannot create the threads.
pub fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> candle_core::Result<R> {
    let name = |number| format!("worker {number}");
    let pool = rayon::ThreadPoolBuilder::new().stack_size(STACK).thread_name(name).build();
    match pool {
        Ok(pool) => Ok(pool.install(work)),
        Err(error) => Err(unfit("threads", format!("threads with stacks of {STACK} bytes"), error)),
    }
}

/// Whether the caller runs inside an item of [`for_each`]: the other threads are busy with their own items, so nested
/// work should stay on this thread.
fn is_working() -> bool {
    WORKING.get()
}

/// Whether [`for_each`] would use several threads here.
pub(crate) fn would_share() -> bool {
    rayon::current_num_threads() > 1 && !is_working()
}

/// Rows for each item when threads share `count` rows: at most about `most`, at least `least`, and the same number of
/// items for each thread. Only for work whose results do not depend on this number.
pub(crate) fn even_share(count: usize, least: usize, most: usize) -> usize {
    let threads = if is_working() { 1 } else { rayon::current_num_threads() };
    let items = count.div_ceil(most).next_multiple_of(threads);
    count.div_ceil(items.max(1)).max(least)
}

/// Number of items to process before their results are consumed: `few`, or enough for all threads. Only for work whose
/// results do not depend on this number.
pub(crate) fn items_at_a_time(few: usize) -> usize {
    few.max(4 * rayon::current_num_threads())
}

/// Runs `work` on every item, in parallel where the pool has more than one thread, with the widest instructions that
/// the processor has. Items must write to disjoint memory and no item may depend on another. Inside an item it runs on
/// the item's thread.
pub(crate) fn for_each<T: Send>(items: Vec<T>, work: impl Fn(T) + Send + Sync) {
    with_instructions!(instructions => for_each_with(instructions, items, work));
}

/// [`for_each`] with the given instructions.
pub(crate) fn for_each_with<T: Send>(instructions: impl Instructions, items: Vec<T>, work: impl Fn(T) + Send + Sync) {
    let work = |item| {
        instructions.run(
            #[inline(always)]
            || work(item),
        );
    };
    if items.len() > 1 && would_share() {
        // One item at a time: items are large, and the threads should finish together.
        items.into_par_iter().with_max_len(1).for_each(|item| {
            let _leave = Entered::new();
            work(item);
        });
    } else {
        items.into_iter().for_each(work);
    }
}

/// `count` zeros, written by all threads: clearing a large vector is bound by memory bandwidth.
pub(crate) fn zeros<T: Copy + Default + Send>(count: usize) -> Vec<T> {
    const CHUNK: usize = 1 << 16;
    let mut zeros = Vec::with_capacity(count);
    let chunks = zeros.spare_capacity_mut()[..count].chunks_mut(CHUNK).collect();
    for_each(chunks, |chunk: &mut [MaybeUninit<T>]| {
        chunk.fill(MaybeUninit::new(T::default()));
    });
    // SAFETY: the chunks are all of the numbers, and all have been written.
    unsafe { zeros.set_len(count) };
    zeros
}

/// Marks this thread as working until it is dropped, even by a panic.
struct Entered;

impl Entered {
    fn new() -> Self {
        WORKING.set(true);
        Self
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        WORKING.set(false);
    }
}
