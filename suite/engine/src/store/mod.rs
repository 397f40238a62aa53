//! The run store: `runs/<suite>/<cell id>/`, where a file is old or new, never torn.

mod atomic;
mod cell;
mod checkpoint;
mod columns;
mod metrics;
mod result;
mod status;
mod tokens;

pub use atomic::write_atomic;
pub use cell::{CellFolder, RunFolder};
pub use checkpoint::{Checkpoint, read_checkpoint, write_checkpoint, write_model};
pub use metrics::{MetricsLog, TrainingLine};
pub use result::{BaselineResult, CellResult, MetricRow, RESULT_SCHEMA, Speed, Timings, schema};
pub use status::{State, Status};
pub use tokens::{TokenRecord, read_tokens, write_tokens};
