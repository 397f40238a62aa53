//! Lets a program watch a check: what becomes of each promise.

use std::cell::RefCell;

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

type Observer = Box<dyn FnMut(&Promise)>;

thread_local! {
    static OBSERVER: RefCell<Option<Observer>> = const { RefCell::new(None) };
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

/// Tells the observer, if there is one.
pub(super) fn tell(promise: &Promise) {
    OBSERVER.with_borrow_mut(|observer| {
        if let Some(observer) = observer {
            observer(promise);
        }
    });
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;

    use super::*;

    #[test]
    fn an_observer_lasts_as_long_as_the_check() {
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
    }
}
