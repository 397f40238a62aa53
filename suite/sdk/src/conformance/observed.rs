//! Lets a program watch a check: what becomes of each promise, and on how small a batch.

use std::cell::{Cell, RefCell};
use std::fmt;

/// What becomes of a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise<'a> {
    /// It held this time; most are checked many times.
    Kept(&'a str),
    /// It did not hold.
    Broken {
        /// The promise.
        promise: &'a str,
        /// What was found instead.
        found: &'a str,
    },
}

/// Lengths of the sequences that policies and backbones are checked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    lengths: &'static [usize],
}

/// From the smallest batch up; the checks themselves use [6, 1, 9, 4] and [5, 1, 7, 3].
const ASCENDING: [&[usize]; 8] = [&[1], &[2], &[3], &[4], &[1, 1], &[2, 1], &[6], &[4, 2, 1]];

impl Scale {
    /// Batches, each larger than the one before.
    pub fn ascending() -> impl Iterator<Item = Self> {
        ASCENDING.into_iter().map(|lengths| Self { lengths })
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let tokens = |length: usize| if length == 1 { "1 token".to_owned() } else { format!("{length} tokens") };
        match self.lengths {
            [length] => write!(formatter, "one sequence of {}", tokens(*length)),
            lengths => {
                let all: Vec<String> = lengths.iter().map(usize::to_string).collect();
                write!(formatter, "sequences of {} tokens", all.join(", "))
            }
        }
    }
}

type Observer = Box<dyn FnMut(&Promise)>;

thread_local! {
    static OBSERVER: RefCell<Option<Observer>> = const { RefCell::new(None) };
    static SCALE: Cell<Option<Scale>> = const { Cell::new(None) };
}

/// Runs `check` on this thread and tells `observer` what becomes of each promise.
pub fn observe(observer: impl FnMut(&Promise) + 'static, check: impl FnOnce()) {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            OBSERVER.set(None);
        }
    }
    let _reset = Reset;
    OBSERVER.set(Some(Box::new(observer)));
    check();
}

/// Runs `check` of a policy or backbone on this thread with the batch of `scale` instead of the kit's own.
pub fn at_scale(scale: Scale, check: impl FnOnce()) {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            SCALE.set(None);
        }
    }
    let _reset = Reset;
    SCALE.set(Some(scale));
    check();
}

/// Tells the observer, if there is one.
pub(super) fn tell(promise: &Promise) {
    OBSERVER.with_borrow_mut(|observer| {
        if let Some(observer) = observer {
            observer(promise);
        }
    });
}

/// The lengths of a check's sequences: those of the scale, or else its own.
pub(super) fn lengths(own: &'static [usize]) -> &'static [usize] {
    SCALE.get().map_or(own, |scale| scale.lengths)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;

    use super::*;

    #[test]
    fn an_observer_and_a_scale_last_as_long_as_the_check() {
        let told = Rc::new(RefCell::new(Vec::new()));
        let seen = told.clone();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            observe(
                move |promise| seen.borrow_mut().push(format!("{promise:?}")),
                || {
                    tell(&Promise::Kept("a"));
                    panic!("ends the check");
                },
            );
        }));
        assert!(outcome.is_err());
        tell(&Promise::Kept("b"));
        assert_eq!(*told.borrow(), ["Kept(\"a\")"]);
        let first = Scale::ascending().next().unwrap();
        at_scale(first, || assert_eq!(lengths(&[7, 8]), [1]));
        assert_eq!(lengths(&[7, 8]), [7, 8]);
        assert_eq!(first.to_string(), "one sequence of 1 token");
        assert_eq!(Scale { lengths: &[2, 1] }.to_string(), "sequences of 2, 1 tokens");
    }
}
