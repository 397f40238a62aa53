//! Traces: what a model computed at every step, in a file that other programs can write and read.
//!
//! [`Trace`] reads and checks such a file, [`TraceWriter`] writes one piece by piece, [`record`](fn@record) fills it with the passes
//! of a model, and [`replay`](fn@replay) asks a policy about it. `docs/traces.md` describes the format.

mod format;
mod reader;
mod record;
mod replay;
mod steps;
mod weights;
mod writer;

pub use reader::Trace;
pub use record::{Contents, Recorded, record};
pub use replay::{Replay, ReplayedToken, replay, schema};
pub use writer::TraceWriter;
