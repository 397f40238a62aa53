//! What a suite's finished cells say: leaderboards, which compare its policies, and [`analyses`].
//!
//! [`leaderboard`] reads the cells of a suite from its run folder and makes one [`Board`] per task and backbone. A
//! board has one [`Row`] per policy, over all of its seeds. [`render`] writes it as text, Markdown, CSV, JSON or a
//! picture.
//!
//! A board guarantees:
//!
//! * A rank is an interval, and policies that the data cannot distinguish share a letter. Both come from paired
//!   differences of all policies, with simultaneous intervals.
//! * A policy with missing cells is shown unranked, with the numbers of its finished seeds, and its missing cells are
//!   listed. Oracles are shown unranked.
//! * Of a policy's knob settings one is shown, chosen on the calibration part for a stated target; the others are shown
//!   on request. Reported numbers come from other instances.
//! * A number that cannot be computed is null and has a reason.
//! * The same run folder gives the same bytes.

pub mod analyses;
mod board;
mod build;
mod collapse;
mod compare;
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
pub use collapse::{Collapse, CollapseKind};
pub use compare::compare;
pub use criterion::Criterion;
pub use render::Format;
pub use target::{Calibrated, Target};

/// The published JSON Schema of [`Leaderboard`].
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Leaderboard)
}
