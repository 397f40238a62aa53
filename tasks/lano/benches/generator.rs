//! Drawing instances with all complexities and features:
//! `cargo bench --profile dev -p haltbench_task_lano --bench generator`.
//!
//! The profile is that of every other build here, so nothing below is built twice.

#![allow(missing_docs, reason = "macros of criterion")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot begin has nothing to report")]

use haltbench_task_lano as _;

haltbench_sdk::bench_generator!(
    "lano",
    ("cfg3b", 0, &[]),
    ("cfg3f", 0, &[("grammar", Value::Text("cfg3f".to_owned()))]),
);
