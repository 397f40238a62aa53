//! String matchers. The entry of an answer is the position of the needle's first occurrence, or the length of the
//! haystack.

use crate::trace::Trace;

/// Every position from left to right: one step per position and per matching letter. The entry is the position.
pub fn naive(haystack: &[u8], needle: &[u8]) -> Trace {
    let mut trace = Trace::new(vec![0]);
    for place in 0..=haystack.len().saturating_sub(needle.len()) {
        trace.set(0, place);
        trace.snapshot();
        let matching = needle.iter().zip(&haystack[place..]).take_while(|(wanted, found)| wanted == found).count();
        if matching == needle.len() {
            (1..matching).for_each(|_| trace.snapshot());
            return trace;
        }
        (0..matching).for_each(|_| trace.snapshot());
    }
    trace.set(0, haystack.len());
    trace
}

/// Knuth-Morris-Pratt: one step per letter and per retreat. The entry is the position of a needle that would end at the
/// current letter.
pub fn knuth_morris_pratt(haystack: &[u8], needle: &[u8]) -> Trace {
    let mut trace = Trace::started(vec![0]);
    // The state to retreat to, by number of matched letters.
    let mut retreats = vec![0; needle.len() + 1];
    let mut matching = 0;
    for (place, letter) in needle.iter().enumerate().skip(1) {
        while matching > 0 && needle[matching] != *letter {
            matching = retreats[matching];
            trace.snapshot();
        }
        if needle[matching] == *letter {
            matching += 1;
        }
        retreats[place + 1] = matching;
        trace.snapshot();
    }
    matching = 0;
    for (place, letter) in haystack.iter().enumerate() {
        trace.set(0, (place + 1).saturating_sub(needle.len()));
        trace.snapshot();
        while matching > 0 && needle[matching] != *letter {
            matching = retreats[matching];
            trace.snapshot();
        }
        if needle[matching] == *letter {
            matching += 1;
        }
        if matching == needle.len() {
            return trace;
        }
    }
    trace.set(0, haystack.len());
    trace
}
