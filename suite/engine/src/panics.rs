//! A plugin's panic is an error like any other.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::Result;

/// Calls `work` of the implementation `plugin`; a panic becomes a broken promise that names it.
///
/// # Errors
/// What `work` returns, or its panic.
pub fn caught<T>(plugin: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result,
        Err(panic) => {
            let message = format!("panicked: {}", message(panic.as_ref()));
            Err(haltbench_sdk::Error::contract(plugin, message).into())
        }
    }
}

/// What a panic said.
pub fn message(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "without a message".to_owned(),
    }
}
