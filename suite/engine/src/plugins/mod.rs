//! Plugins: found by file name, fingerprinted before they are opened, loaded once and never closed, catalogued.
//!
//! [`catalogue`](fn@catalogue) does all of it: it loads the files named explicitly, then every library called
//! `libhaltbench_{task,policy,backbone}_*.so` in the [`search_folders`]. Each passes these gates, in this order:
//!
//! 1. its fingerprint, read from an ELF section while it is still closed, equals the program's ([`elf`]);
//! 2. a child process that opens it survives ([`trial`]), and then it is opened with `RTLD_NODELETE` and never closed,
//!    and its registrations are recorded ([`load`](mod@load));
//! 3. each item it added proves that it shares the program's copy of the SDK and of candle ([`sharing`]): a second
//!    copy numbers its tensors anew, and gradients are then silently wrong;
//! 4. no name is provided twice ([`Catalogue`]).
//!
//! Plugins that are given as sources are built first ([`build`](mod@build)); libraries of the suite's workspace that are
//! older than their sources are built again ([`refresh`](fn@refresh)).
//!
//! Refusals are [`PluginError`]s. A refused library that was found is skipped with its reason; a refused library that
//! was named is a fatal error.

pub mod build;
mod catalogue;
mod discover;
pub mod elf;
mod error;
mod exits;
mod file;
pub mod load;
mod mismatch;
mod origin;
mod refresh;
pub mod sharing;
mod stale;
pub mod trial;
mod verdict;

pub use catalogue::{Catalogue, Entry};
pub use discover::{
    FOLDERS_VARIABLE, IS_BUNDLED, SearchFolder, Skipped, catalogue, catalogue_in, is_plugin_name, search_folders,
};
pub use error::{PluginError, Provider};
pub use load::{LoadedPlugin, load};
pub use mismatch::{Field, Mismatch};
pub use refresh::{Refreshed, refresh};
pub use stale::{Stale, stale};
