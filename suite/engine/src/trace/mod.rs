//! Traces: files with the states or logits after every step of a pass without halting, which other programs can write
//! and read.
//!
//! [`Trace`] reads and checks such a file, [`TraceWriter`] writes one piece by piece, [`record`](fn@record) fills it
//! with the passes of a model, and [`replay`](fn@replay) runs a policy on it. `docs/traces.md` describes the format.

mod format;
mod groups;
mod reader;
mod record;

mod replay;
mod replayed;
mod steps;
mod trial;
mod weights;
mod writer;

pub use reader::Trace;
pub use record::{Contents, Recorded, record};
pub use replay::{ReplayedToken, replay, schema};
pub use replayed::Replay;
pub use writer::TraceWriter;
