//! The benchmark's sort order of keys: NumPy's `argsort` as its portable code computes it.
//!
//! It is not stable: among at most 16 keys equal keys keep their order, and beyond that their order depends on the
//! algorithm. Machines with vector instructions may order equal keys differently, so the checker is lenient there.

/// Ranges of at most this many keys use insertion sort.
const INSERTION: usize = 16;

/// Indices of `keys` in ascending order: quicksort around the median of three, insertion sort for short ranges.
pub fn argsort(keys: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    let mut pending = vec![(0, keys.len())];
    while let Some((mut start, mut end)) = pending.pop() {
        while end - start > INSERTION {
            let pivot = partition(&mut order[start..end], keys) + start;
            // The order of the two halves does not change the result; the loop continues with the shorter one.
            if pivot - start < end - 1 - pivot {
                pending.push((pivot + 1, end));
                end = pivot;
            } else {
                pending.push((start, pivot));
                start = pivot + 1;
            }
        }
        insertion(&mut order[start..end], keys);
    }
    order
}

/// Partitions around the median of the first, middle and last key; returns the pivot's final position.
fn partition(order: &mut [usize], keys: &[f64]) -> usize {
    let last = order.len() - 1;
    let middle = last / 2;
    for (high, low) in [(middle, 0), (last, middle), (middle, 0)] {
        if keys[order[high]] < keys[order[low]] {
            order.swap(high, low);
        }
    }
    let pivot = keys[order[middle]];
    order.swap(middle, last - 1);
    let (mut left, mut right) = (0, last - 1);
    loop {
        // Both scans stop at keys equal to the pivot; the ends are sentinels.
        left += 1;
        while keys[order[left]] < pivot {
            left += 1;
        }
        right -= 1;
        while pivot < keys[order[right]] {
            right -= 1;
        }
        if left >= right {
            break;
        }
        order.swap(left, right);
    }
    order.swap(left, last - 1);
    left
}

fn insertion(order: &mut [usize], keys: &[f64]) {
    for sorted in 1..order.len() {
        let mut place = sorted;
        while place > 0 && keys[order[place]] < keys[order[place - 1]] {
            order.swap(place, place - 1);
            place -= 1;
        }
    }
}
