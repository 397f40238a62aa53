//! Statistics of allocation: no tensors, no files, no clock.
//!
//! The input is what an evaluation recorded: one [`TokenTable`] per seed, whose rows are evaluated tokens with the
//! depth at which each halted. The output is numbers with intervals:
//!
//! * [`measures`]: accuracy, mean depth, saturation; alignment of depth with complexity; both per complexity level;
//! * [`correlation`]: the rank correlations they are built from, usable on plain slices;
//! * [`design`], [`bootstrap`] and [`means`]: intervals over sequences, and over seeds and sequences;
//! * [`frontier`]: accuracy above the fixed-depth frontier at the same cost;
//! * [`ranking`]: rank intervals and tie groups.
//!
//! Three rules hold everywhere:
//!
//! 1. A number that cannot be computed is missing with a [`Reason`]: never 0, never NaN, never silently skipped.
//! 2. Every result is a function of its arguments: random draws come from a ChaCha8 stream keyed by the caller's
//!    seed and the index of the resample.
//! 3. The unit of resampling is the sequence, because the tokens of one sequence are dependent.

pub mod bootstrap;
pub mod correlation;
pub mod crosstable;
pub mod design;
pub mod estimate;
pub mod frontier;
pub mod interval;
pub mod means;
pub mod measures;
pub mod partial;
pub mod ranking;
pub mod ranks;
pub mod reason;
pub mod strata;
pub mod table;

pub use bootstrap::Bootstrap;
pub use design::Design;
pub use estimate::{Estimate, IntervalMethod};
pub use frontier::{Frontier, adapt_gain};
pub use interval::LEVEL;
pub use means::ClusterSum;
pub use ranking::{Standing, rank};
pub use reason::Reason;
pub use table::{Filter, Population, Split, TableError, TokenColumns, TokenTable, Tokens};
