//! Searches in lists. The entries of an answer are indices of keys.

use crate::trace::Trace;

/// The first of the smallest keys: one step per comparison.
pub fn minimum(keys: &[f64]) -> Trace {
    let mut trace = Trace::started(vec![0]);
    for place in 1..keys.len() {
        if keys[trace.index(0)] > keys[place] {
            trace.set(0, place);
        }
        trace.snapshot();
    }
    trace
}

/// The first key that is not below the target, or the last key: one step per halving. The entry is the upper end.
pub fn binary_search(keys: &[f64], target: f64) -> Trace {
    let mut low = 0;
    let mut trace = Trace::started(vec![keys.len() as i32 - 1]);
    while low < trace.index(0) {
        let middle = (low + trace.index(0)) / 2;
        if target <= keys[middle] {
            trace.set(0, middle);
        } else {
            low = middle + 1;
        }
        trace.snapshot();
    }
    trace
}

/// The key of rank n / 2, by partitions around the last key: one step per comparison and per pivot that is placed. The
/// entry is the pivot.
pub fn quickselect(keys: &[f64]) -> Trace {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    let (mut first, mut last) = (0, keys.len() - 1);
    let rank = keys.len() / 2;
    let mut trace = Trace::started(vec![last as i32]);
    loop {
        trace.set(0, order[last]);
        let mut small = first;
        for place in first..last {
            if keys[order[place]] <= keys[order[last]] {
                order.swap(small, place);
                small += 1;
            }
            trace.snapshot();
        }
        order.swap(small, last);
        trace.snapshot();
        match rank.cmp(&small) {
            std::cmp::Ordering::Equal => return trace,
            std::cmp::Ordering::Less => last = small - 1,
            std::cmp::Ordering::Greater => first = small + 1,
        }
    }
}

/// Start and end of the first subarray with the largest sum (Kadane): one step per key.
pub fn maximum_subarray(keys: &[f64]) -> Trace {
    let mut trace = Trace::started(vec![0, 0]);
    let (mut start, mut sum, mut best) = (0, keys[0], keys[0]);
    for (place, key) in keys.iter().enumerate().skip(1) {
        if sum + key >= *key {
            sum += key;
        } else {
            start = place;
            sum = *key;
        }
        if sum > best {
            trace.set(0, start);
            trace.set(1, place);
            best = sum;
        }
        trace.snapshot();
    }
    trace
}
