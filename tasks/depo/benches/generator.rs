//! Drawing instances with all complexities and features:
//! `cargo bench --profile dev -p haltbench_task_depo --bench generator`.
//!
//! The profile is that of every other build here, so nothing below is built twice.

#![allow(missing_docs, reason = "macros of criterion")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot begin has nothing to report")]

use haltbench_task_depo as _;

haltbench_sdk::bench_generator!(
    "depo",
    ("token_30", 30, &[]),
    (
        "largest_375",
        375,
        &[
            ("maximum_nodes", Value::Integer(375)),
            ("vocabulary", Value::Integer(50)),
            ("longest_name", Value::Integer(2)),
            ("spare_vocabulary", Value::Flag(false)),
        ]
    ),
);
