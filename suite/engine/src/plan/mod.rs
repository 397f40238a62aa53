//! From a suite file to models and cells: what was typed ([`SuiteFile`]), and what it means ([`ModelPlan`], [`CellPlan`]).

mod cell;
mod choice;
mod choices;
mod contender;
mod model;
mod recipes;
mod resolve;
mod settings;
mod shares;
mod sizes;
mod suite;
mod wording;

pub use cell::{CellPlan, PLAN_SCHEMA};
pub use choice::Choice;
pub use choices::MOST_SETTINGS;
pub use model::{MODEL_SCHEMA, ModelPlan, Stage, Start};
pub use resolve::{Cell, MODELS, Model, Suite, resolve};
pub use settings::{Evaluation, OneOrMore, Recurrence, TrainingSettings};
pub use shares::{Shares, most_shares};
pub use sizes::check as check_sizes;
pub use suite::{SuiteFile, built_in, read};
