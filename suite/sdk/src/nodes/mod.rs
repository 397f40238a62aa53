//! Shared by tasks over graphs: names of nodes, numbers of nodes, and token sequences made of names.

mod names;
mod sequence;
mod settings;

pub use names::{LONGEST, Name, Names, shared};
pub use sequence::Sequence;
pub use settings::{
    LARGEST_NODES, LONGEST_NAME, MAXIMUM_NODES, MINIMUM_NODES, NodeSettings, SHORTEST_NAME, SIZE_LAW, SKIP,
    SPARE_VOCABULARY, VOCABULARY,
};
