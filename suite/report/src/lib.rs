//! Leaderboards: comparisons of a suite's policies, from its finished cells.
//!
//! [`leaderboard`] reads the cells of a suite from its run folder and makes one [`Board`] for each task and backbone. A
//! board has one [`Row`] for each policy, over all of its seeds. [`render`] writes it as text, Markdown, CSV, JSON or a
//! picture.
//!
//! What a board promises:
//!
//! * A rank is an interval, and policies that the data cannot tell apart share a letter. Both come from paired
//!   differences of all policies, whose intervals hold at once.
//! * A policy with missing cells is shown with the numbers of the seeds that are done, unranked, and its missing cells
//!   are listed. Oracles are shown, unranked.
//! * A policy with several settings of its knobs is shown with one, chosen on the calibration part for a stated
//!   target; the others are shown on request. Reported numbers are from other instances.
//! * A number that cannot be computed is null and has a reason.
//! * The same run folder gives the same bytes.

mod board;
mod build;
mod cost;
mod criterion;
mod describe;
mod evidence;
mod gain;
mod measure;
mod place;
pub mod render;
mod settings;
mod speed;
mod target;
mod warnings;

pub use board::{
    Board, Chosen, Implementation, LEADERBOARD_SCHEMA, Leaderboard, MissingCell, Order, PairDifference, Place, Row,
    Setting, Settings,
};
pub use build::{Options, leaderboard};
pub use criterion::Criterion;
pub use render::Format;
pub use target::{Calibrated, Target};

/// The published JSON Schema of [`Leaderboard`].
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Leaderboard)
}
