//! The SDK's token of the program that loads plugins, and what it opens.

use std::sync::OnceLock;

use haltbench_sdk::host::Host;
use haltbench_sdk::random::{ProblemStream, Stream};
use haltbench_sdk::registry::{self, Registration};

use crate::error::{Error, Result};

/// This program's token. Plugins are opened after its first use; `None` in a second copy of the engine.
fn host() -> Option<&'static Host> {
    static HOST: OnceLock<Option<Host>> = OnceLock::new();
    HOST.get_or_init(Host::claim).as_ref()
}

/// Everything registered so far, ordered by kind and name.
pub fn registrations() -> Vec<&'static Registration> {
    host().map(registry::registrations).unwrap_or_default()
}

/// A stream that problems are drawn from.
///
/// # Errors
/// If this is not the program that loads plugins.
pub(crate) fn problem_stream(seed: u64, purpose: ProblemStream, index: &[u64]) -> Result<Stream> {
    let host =
        host().ok_or_else(|| Error::Usage("problems are drawn by the program that loads plugins alone".to_owned()))?;
    Ok(Stream::of_problems(host, seed, purpose, index))
}
