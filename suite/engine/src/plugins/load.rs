//! Opens plugins: fingerprint first, then the library, then the proof that it shares the program's SDK.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use haltbench_sdk::fingerprint;
use haltbench_sdk::registry::Registration;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use super::elf::{hash_code, read_fingerprint};
use super::error::PluginError;
use super::file::FileIdentity;
use super::mismatch::Mismatch;
use super::{exits, sharing, verdict};
use crate::host::registrations;

/// Keeps a library mapped even if it is closed; the value is the same on every Linux.
const RTLD_NODELETE: std::ffi::c_int = 0x1000;

/// A plugin that passed every gate. It stays loaded until the process ends.
#[derive(Clone)]
pub struct LoadedPlugin {
    file: PathBuf,
    fingerprint: Vec<(String, String)>,
    code: String,
    items: Vec<&'static Registration>,
}

impl LoadedPlugin {
    /// The library, without symbolic links.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The fields of its fingerprint as (name, value).
    pub fn fingerprint(&self) -> &[(String, String)] {
        &self.fingerprint
    }

    /// Hash of its code and constants.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What it registered, ordered by kind and name; never empty.
    pub fn items(&self) -> &[&'static Registration] {
        &self.items
    }
}

impl fmt::Debug for LoadedPlugin {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let names: Vec<&str> = self.items.iter().map(|item| item.declaration.name()).collect();
        formatter.debug_struct("LoadedPlugin").field("file", &self.file).field("items", &names).finish()
    }
}

/// Libraries that this process has opened so far.
struct Opened {
    plugins: Vec<(FileIdentity, LoadedPlugin)>,
    /// Addresses of all registrations made by a library, accepted or refused.
    brought: BTreeSet<usize>,
}

static OPENED: Mutex<Opened> = Mutex::new(Opened { plugins: Vec::new(), brought: BTreeSet::new() });

/// Locks loading: only one library at a time, so that every new registration belongs to it.
fn opened() -> MutexGuard<'static, Opened> {
    OPENED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Loads the plugin `file`, or returns it if it has already been loaded.
///
/// # Errors
/// [`PluginError`], with the reason and advice. No plugin code runs before its fingerprint has been compared with the
/// program's.
pub fn load(file: &Path) -> Result<LoadedPlugin, PluginError> {
    let fingerprint = read_fingerprint(file)?;
    if let Some(mismatch) = Mismatch::between(file.to_owned(), &fingerprint::own_fields(), &fingerprint) {
        return Err(PluginError::Mismatch(Box::new(mismatch)));
    }
    let identity = FileIdentity::of(file)?;
    let mut opened = opened();
    if let Some((_, plugin)) = opened.plugins.iter().find(|(known, _)| known.is_same_library(&identity)) {
        return Ok(plugin.clone());
    }
    if let Some(how) = verdict::deadly(&identity.path) {
        return Err(PluginError::Deadly { file: file.to_owned(), how });
    }
    let before: BTreeSet<usize> = registrations().into_iter().map(address).collect();
    let guard = exits::guard(file);
    open(&identity.path)?;
    let mut items = registrations();
    items.retain(|item| !before.contains(&address(item)));
    opened.brought.extend(items.iter().copied().map(address));

    let not_shared = |evidence: String| PluginError::NotShared { file: file.to_owned(), evidence };
    if items.is_empty() {
        return Err(not_shared("nothing that it registers reaches this program".to_owned()));
    }
    for item in &items {
        read_all(item);
        sharing::prove(item).map_err(not_shared)?;
    }
    drop(guard);
    let code = hash_code(&identity.path)?;
    let plugin = LoadedPlugin { file: identity.path.clone(), fingerprint, code, items };
    opened.plugins.push((identity, plugin.clone()));
    Ok(plugin)
}

/// Registrations that no library made: the items linked into the program itself.
pub(super) fn linked_in() -> Vec<&'static Registration> {
    let opened = opened();
    let mut items = registrations();
    items.retain(|item| !opened.brought.contains(&address(item)));
    items
}

/// Reads everything that an item declares, so that a damaged library shows here and nowhere else.
fn read_all(item: &Registration) {
    std::hint::black_box(format!("{:?} {:?} {:?}", item.declaration, item.provider, item.fingerprint));
}

fn address(item: &'static Registration) -> usize {
    std::ptr::from_ref(item).addr()
}

/// Opens a library whose fingerprint has been checked; it stays open until the process ends.
fn open(file: &Path) -> Result<(), PluginError> {
    // SAFETY: opening runs the library's constructors. Its fingerprint equals ours, so the same compiler built it
    // against the same SDK, and its constructors are those of `inventory::submit!`, which push a static onto a list
    // atomically. A library that is damaged or lies about its fingerprint is beyond what a process can check.
    let library =
        unsafe { Library::open(Some(file), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) }.map_err(|error| match error {
            libloading::Error::DlOpen { source } => translated(file, source.to_string()),
            other => translated(file, other.to_string()),
        })?;
    // Never closed: the registry keeps references into the library.
    let _ = library.into_raw();
    Ok(())
}

/// The dynamic linker's message as an error with advice.
fn translated(file: &Path, message: String) -> PluginError {
    let file = file.to_owned();
    if let Some((_, symbol)) = message.split_once("undefined symbol: ") {
        let symbol = symbol.split(|next: char| next == ',' || next.is_whitespace()).next().unwrap_or(symbol);
        return PluginError::Symbol { file, symbol: symbol.to_owned() };
    }
    match message.split_once(": cannot open shared object file") {
        Some((library, _)) if Path::new(library) != file => {
            PluginError::Dependency { file, library: library.to_owned() }
        }
        _ => PluginError::Open { file, message },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translates_what_the_dynamic_linker_says() {
        let file = Path::new("/p/plugin.so");
        let headline = |message: &str| translated(file, message.to_owned()).headline();
        assert_eq!(
            headline("/p/plugin.so: undefined symbol: _ZN3sdk8REGISTRYE, version X"),
            "/p/plugin.so: built against another copy of the SDK or of candle: nothing defines its symbol \
             `_ZN3sdk8REGISTRYE`"
        );
        assert_eq!(
            headline("libm9.so: cannot open shared object file: No such file or directory"),
            "/p/plugin.so: needs `libm9.so`, which the dynamic linker does not find"
        );
        assert_eq!(
            headline("/p/plugin.so: cannot open shared object file: Permission denied"),
            "/p/plugin.so: cannot be opened: /p/plugin.so: cannot open shared object file: Permission denied"
        );
    }
}
