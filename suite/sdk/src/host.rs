//! What only the program that loads plugins may do.

use std::sync::atomic::{AtomicBool, Ordering};

static IS_CLAIMED: AtomicBool = AtomicBool::new(false);

/// Shows that the caller is the program that loads plugins: functions that plugins must not call ask for one.
///
/// The first caller in a process gets the only one, and the program calls before it opens any plugin. A plugin in safe
/// code therefore cannot enumerate the registry or open the streams that problems are drawn from:
///
/// ```
/// # use haltbench_sdk::host::Host;
/// let program = Host::claim();
/// let plugin = Host::claim();
/// assert!(program.is_some() && plugin.is_none());
/// ```
///
/// ```compile_fail
/// haltbench_sdk::host::Host(());
/// ```
///
/// This hides what the SDK offers, no more: a plugin may still read files, or bring code of its own that draws the same
/// problems.
#[derive(Debug)]
pub struct Host(());

impl Host {
    /// The host's token, for the first caller in this process.
    pub fn claim() -> Option<Self> {
        (!IS_CLAIMED.swap(true, Ordering::SeqCst)).then_some(Self(()))
    }

    /// Whether a program has claimed the token, so that plugins run beside it.
    pub(crate) fn is_claimed() -> bool {
        IS_CLAIMED.load(Ordering::SeqCst)
    }
}
