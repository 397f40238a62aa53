//! What tasks over graphs share: names of nodes, numbers of nodes, and texts that consist of names.

mod names;
mod settings;
mod text;

pub use names::{LONGEST, Name, Names, shared};
pub use settings::{
    LARGEST_NODES, LONGEST_NAME, MAXIMUM_NODES, MINIMUM_NODES, NodeSettings, SHORTEST_NAME, SIZE_LAW, SKIP,
    SPARE_VOCABULARY, VOCABULARY,
};
pub use text::{Label, Text};
