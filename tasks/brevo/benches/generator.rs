//! Drawing instances with all complexities and features:
//! `cargo bench --profile dev -p haltbench_task_brevo --bench generator`.
//!
//! The profile is that of every other build here, so nothing below is built twice.

#![allow(missing_docs, reason = "macros of criterion")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot begin has nothing to report")]

use haltbench_task_brevo as _;

haltbench_sdk::bench_generator!(
    "brevo",
    ("canonical_30", 30, &[]),
    ("any_110", 110, &[("order", Value::Text("any".to_owned())), ("maximum_nodes", Value::Integer(110))]),
    (
        "spelled_50",
        50,
        &[
            ("order", Value::Text("any".to_owned())),
            ("maximum_nodes", Value::Integer(50)),
            ("shortest_name", Value::Integer(2)),
            ("longest_name", Value::Integer(4)),
        ]
    ),
);
