//! Drawing instances with all complexities and features:
//! `cargo bench --profile dev -p haltbench_task_dyck --bench generator`.
//!
//! The profile is that of every other build here, so nothing below is built twice.

#![allow(missing_docs, reason = "macros of criterion")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot begin has nothing to report")]

use haltbench_task_dyck as _;

haltbench_sdk::bench_generator!(
    "dyck",
    ("pairs_32", 32, &[]),
    ("kinds_8_pairs_32", 32, &[("kinds", Value::Integer(8))]),
);
