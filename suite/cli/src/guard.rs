//! Turns panics into errors, so that a user never sees one.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use haltbench_sdk::Error;

/// Stops panics from printing anything, unless the environment asks for backtraces.
pub fn quiet_panics() {
    if std::env::var_os("RUST_BACKTRACE").is_none_or(|value| value == "0") {
        std::panic::set_hook(Box::new(|_| {}));
    }
}

/// The result of `call`, or the message of its panic.
///
/// # Errors
/// If `call` panics.
pub fn caught<T>(call: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| message(&*panic).to_owned())
}

/// The result of a call into `plugin`; a panic is a broken contract.
///
/// # Errors
/// What `call` returns, and [`Error::Contract`] if it panics.
pub fn guarded<T, E: From<Error>>(plugin: &str, call: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    caught(call).unwrap_or_else(|message| Err(Error::contract(plugin, format!("it panicked: {message}")).into()))
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_broken_contract() {
        let result: Result<(), Error> = guarded("mano", || panic!("at {}", 3));
        assert_eq!(result.unwrap_err().to_string(), "mano broke the contract: it panicked: at 3");
        assert_eq!(caught(|| panic!("plain")), Err::<(), _>("plain".to_owned()));
        assert_eq!(guarded("mano", || Ok::<_, Error>(1)).unwrap(), 1);
    }
}
