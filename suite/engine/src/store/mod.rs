//! The run store: `runs/models/<model id>/` and `runs/<suite>/<cell id>/`, where all files are written atomically.

mod atomic;
mod checkpoint;
mod claim;
mod columns;
mod folder;
mod machine;
mod metrics;
mod record;
mod result;
mod run;
mod status;
mod tokens;

pub use atomic::write_atomic;
pub use checkpoint::{Checkpoint, read_checkpoint, write_checkpoint, write_model};
pub use claim::{Claim, Claims};
pub use folder::{CellFolder, Folder, ModelFolder};
pub use metrics::{MetricsLog, TrainingLine};
pub use record::Record;
pub use result::{
    CellResult, GuessResult, MODEL_RESULT_SCHEMA, MetricRow, ModelResult, RESULT_SCHEMA, Speed, Timings, schema,
};
pub use run::{OtherCode, RunFolder};
pub use status::{State, Status};
pub use tokens::{CALIBRATION, TokenRecord, read_records, read_tokens, write_tokens};
