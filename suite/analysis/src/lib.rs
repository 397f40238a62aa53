//! Statistics of depth allocation, as pure functions: no tensors, no files, no clock. Random numbers come from a seed among
//! the arguments.
//!
//! The input is the record of an evaluation: one [`TokenTable`] per seed, whose rows are evaluated tokens with the
//! depth at which each halted. The output is numbers with intervals:
//!
//! * [`measures`]: accuracy, mean depth, cost; alignment of depth with complexity; both per complexity level and size;
//! * [`correlation`]: the rank correlations behind them, usable on plain slices;
//! * [`crossed`] and [`jackknife`]: intervals over problems, and over seeds and problems;
//! * [`frontier`]: accuracy above the fixed-depth frontier at the same cost;
//! * [`ranking`]: simultaneous differences, rank intervals and letters;
//! * [`regression`]: variance of the depth that features and groups of features explain;
//! * [`information`]: dependence of any form;
//! * [`calibration`]: scores beside the events that they announce;
//! * [`resampling`] and [`significance`]: bootstrap, permutation tests, many p values;
//! * [`power`]: the smallest difference that a comparison could have found;
//! * [`curves`]: monotone fits, and phases of training.
//!
//! Three rules hold everywhere:
//!
//! 1. A number that cannot be computed is missing with a [`Reason`]: never 0, never NaN, never silently skipped.
//! 2. Every result is a function of its arguments, with any number of threads. Bootstrap and permutations draw from a
//!    seed, which is an argument; nothing else is random.
//! 3. The unit is the sequence, because the tokens of one sequence are dependent; above it is the seed.

pub mod calibration;
pub mod correlation;
pub mod crossed;
pub mod crosstable;
pub mod curves;
pub mod estimate;
pub mod frontier;
pub mod information;
pub mod interval;
pub mod jackknife;
pub mod letters;
pub mod mean_squares;
pub mod means;
pub mod measures;
pub mod partial;
pub mod power;
pub mod ranking;
pub mod ranks;
pub mod reason;
pub mod regression;
pub mod resampling;
pub mod significance;
pub mod split;
pub mod strata;
pub mod table;

pub use crossed::Crossed;
pub use estimate::{Estimate, IntervalMethod};
pub use frontier::{CostAccuracy, Frontier, Gain, adapt_gain};
pub use interval::LEVEL;
pub use means::ClusterSum;
pub use ranking::{Difference, Ranking, Standing, rank};
pub use reason::Reason;
pub use split::Split;
pub use table::{Filter, Population, TableError, TokenColumns, TokenTable, Tokens};
