//! Mutual information: how much does one variable tell about another, in any form of dependence?
//!
//! * [`Joint`]: the joint counts of two discrete variables, with mutual information and entropies in nats;
//! * [`equal_mass_bins`]: bins of a continuous variable;
//! * [`permutation_null`]: what mutual information comes out if the two are independent, and the p value.

mod binning;
mod joint;
mod null;

pub use binning::equal_mass_bins;
pub use joint::{Joint, MutualInformation};
pub use null::{Null, permutation_null};
