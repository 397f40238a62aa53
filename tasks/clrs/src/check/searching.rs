//! Checks of sorts and searches.

use std::collections::VecDeque;

use super::{close, compare};

/// The keys in ascending order: an ascending list with every key as often as in the input.
pub fn sorted(keys: &[f64], given: &[f64]) -> Result<(), String> {
    if let Some(place) = given.windows(2).position(|pair| pair[0] > pair[1]) {
        return Err(format!("entry {}: {} follows {}", place + 2, given[place + 1], given[place]));
    }
    for key in given {
        let count = |list: &[f64]| list.iter().filter(|other| *other == key).count();
        if count(keys) != count(given) {
            return Err(format!("{key} occurs {} times and is given {} times", count(keys), count(given)));
        }
    }
    Ok(())
}

/// The first of the smallest keys.
pub fn minimum(keys: &[f64], given: i64) -> Result<(), String> {
    let place = index(keys.len(), given)?;
    if let Some(below) = keys.iter().position(|key| *key < keys[place]) {
        return Err(format!("key {below} is smaller than key {place}"));
    }
    match keys[..place].contains(&keys[place]) {
        true => Err(format!("an equal key precedes key {place}")),
        false => Ok(()),
    }
}

/// The number of keys below the target, but at most the last index.
pub fn position(keys: &[f64], target: f64, given: i64) -> Result<(), String> {
    let below = keys.iter().filter(|key| **key < target).count();
    compare(&[below.min(keys.len() - 1) as i64], &[given])
}

/// The key with half of the keys below it. Among equal keys it is the one that the benchmark's partitions leave at this
/// rank: keys above the pivot form a queue, which rotates by one whenever a smaller key passes.
pub fn median(keys: &[f64], given: i64) -> Result<(), String> {
    let place = index(keys.len(), given)?;
    let mut rank = keys.len() / 2;
    let below = keys.iter().filter(|key| **key < keys[place]).count();
    let equal = keys.iter().filter(|key| **key == keys[place]).count();
    if !(below..below + equal).contains(&rank) {
        return Err(format!("key {place} is not of rank {rank}"));
    }
    let mut candidates: VecDeque<usize> = (0..keys.len()).collect();
    while let Some(pivot) = candidates.pop_back() {
        let (mut small, mut large) = (VecDeque::new(), VecDeque::new());
        for candidate in candidates {
            if keys[candidate] <= keys[pivot] {
                small.push_back(candidate);
                if !large.is_empty() {
                    large.rotate_left(1);
                }
            } else {
                large.push_back(candidate);
            }
        }
        if rank == small.len() {
            return compare(&[pivot as i64], &[given]);
        }
        candidates = if rank < small.len() {
            small
        } else {
            rank -= small.len() + 1;
            if !large.is_empty() {
                large.rotate_left(1);
            }
            large
        };
    }
    Err("no key has the rank".to_owned())
}

/// A subarray with the largest sum. Ties go to the one that ends first, and it starts after the last prefix that only
/// lowers the sum, as decided by rounded sums.
pub fn maximum_subarray(keys: &[f64], start: i64, end: i64) -> Result<(), String> {
    let (first, last) = (index(keys.len(), start)?, index(keys.len(), end)?);
    if last < first {
        return Err(format!("the end {last} precedes the start {first}"));
    }
    let sum: f64 = keys[first..=last].iter().sum();
    let sums = (0..keys.len()).flat_map(|start| {
        keys[start..].iter().scan(0.0, |sum, key| {
            *sum += key;
            Some(*sum)
        })
    });
    let best = sums.fold(f64::NEG_INFINITY, f64::max);
    if !close(sum, best) {
        return Err(format!("the sum is {sum}, and {best} is possible"));
    }
    // Stretches that begin where the sum before them does not help.
    let mut winner = (f64::NEG_INFINITY, 0, 0);
    let mut begin = 0;
    while begin < keys.len() {
        let mut sum = keys[begin];
        let mut next = begin;
        loop {
            if sum > winner.0 {
                winner = (sum, begin, next);
            }
            next += 1;
            if next == keys.len() || sum + keys[next] < keys[next] {
                break;
            }
            sum += keys[next];
        }
        begin = next;
    }
    compare(&[winner.1 as i64, winner.2 as i64], &[start, end])
}

/// The first occurrence of the needle, or the length of the haystack.
pub fn occurrence(haystack: &[u8], needle: &[u8], given: i64) -> Result<(), String> {
    let found = haystack.windows(needle.len()).position(|window| window == needle);
    compare(&[found.unwrap_or(haystack.len()) as i64], &[given])
}

fn index(count: usize, given: i64) -> Result<usize, String> {
    let place = usize::try_from(given).ok().filter(|place| *place < count);
    place.ok_or_else(|| format!("expected an index from 0 to {}, found {given}", count - 1))
}
