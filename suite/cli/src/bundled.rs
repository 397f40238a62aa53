//! The plugins that are linked into the program: none, unless the feature `bundled` is on.

include!(concat!(env!("OUT_DIR"), "/bundled.rs"));
