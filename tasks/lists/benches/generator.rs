//! Drawing instances with all complexities and features:
//! `cargo bench --profile dev -p haltbench_task_lists --bench generator`.
//!
//! The profile is that of every other build here, so nothing below is built twice.

#![allow(missing_docs, reason = "macros of criterion")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot begin has nothing to report")]

use haltbench_task_lists as _;

haltbench_sdk::bench_generator!("unique-set", ("length_8", 8, &[]), ("length_32", 32, &[]),);
