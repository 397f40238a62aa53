//! The solver: goes through a list once and remembers what it has seen.

use crate::elements::Elements;

/// The distinct elements of a list in order of first occurrence.
pub fn distinct(list: &[u32], elements: Elements) -> Vec<u32> {
    let mut is_seen = vec![false; elements.count as usize];
    list.iter().copied().filter(|element| !std::mem::replace(&mut is_seen[*element as usize], true)).collect()
}
