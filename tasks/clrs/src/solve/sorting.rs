//! Sorts. The entries of an answer are the indices of the keys in order.

use crate::trace::Trace;

/// Insertion sort: one step per inserted key.
pub fn insertion_sort(keys: &[f64]) -> Trace {
    let mut trace = start(keys);
    for next in 1..keys.len() {
        let mut place = next;
        while place > 0 && keys[trace.index(place - 1)] > keys[next] {
            let moved = trace.index(place - 1);
            trace.set(place, moved);
            place -= 1;
        }
        trace.set(place, next);
        trace.snapshot();
    }
    trace
}

/// Bubble sort, from the end: one step per comparison.
pub fn bubble_sort(keys: &[f64]) -> Trace {
    let mut trace = start(keys);
    for sorted in 0..keys.len().saturating_sub(1) {
        for place in (sorted + 1..keys.len()).rev() {
            if keys[trace.index(place)] < keys[trace.index(place - 1)] {
                trace.swap(place, place - 1);
            }
            trace.snapshot();
        }
    }
    trace
}

/// Heapsort: one step per sifted node and per largest key that is removed.
pub fn heapsort(keys: &[f64]) -> Trace {
    let mut trace = start(keys);
    for root in (0..keys.len()).rev() {
        sift(keys, &mut trace, root, keys.len());
    }
    for last in (1..keys.len()).rev() {
        trace.swap(0, last);
        trace.snapshot();
        sift(keys, &mut trace, 0, last);
    }
    trace
}

/// Sifts the key at `root` down in the heap of the first `size` keys.
fn sift(keys: &[f64], trace: &mut Trace, mut root: usize, size: usize) {
    loop {
        let mut largest = root;
        for child in [2 * root + 1, 2 * root + 2] {
            if child < size && keys[trace.index(child)] > keys[trace.index(largest)] {
                largest = child;
            }
        }
        trace.swap(root, largest);
        trace.snapshot();
        if largest == root {
            return;
        }
        root = largest;
    }
}

/// Quicksort around the last key: one step per comparison and per pivot that is placed.
pub fn quicksort(keys: &[f64]) -> Trace {
    let mut trace = start(keys);
    let mut pending = vec![(0, keys.len())];
    while let Some((first, end)) = pending.pop() {
        if end - first < 2 {
            continue;
        }
        let mut small = first;
        for place in first..end - 1 {
            if keys[trace.index(place)] <= keys[trace.index(end - 1)] {
                trace.swap(small, place);
                small += 1;
            }
            trace.snapshot();
        }
        trace.swap(small, end - 1);
        trace.snapshot();
        // The left part is sorted first.
        pending.extend([(small + 1, end), (first, small)]);
    }
    trace
}

fn start(keys: &[f64]) -> Trace {
    Trace::started((0..keys.len() as i32).collect())
}
