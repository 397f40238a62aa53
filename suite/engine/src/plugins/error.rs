//! Why a plugin is refused.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use haltbench_sdk::names;

use super::mismatch::Mismatch;

/// The provider of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// The crate.
    pub package: String,
    /// The library, or the program itself if the name is linked in.
    pub file: PathBuf,
}

/// Why a plugin is refused. The first line of the message is a summary; see [`PluginError::headline`].
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The file does not exist: a usage error.
    #[error("{}: no such file{}", file.display(), suggestion(nearest))]
    Missing {
        /// The file as named.
        file: PathBuf,
        /// The file in the same folder with the most similar name.
        nearest: Option<String>,
    },
    /// The file exists and cannot be read.
    #[error("{}: cannot be read: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A search folder that the user asked for cannot be listed.
    #[error("{}: expected a folder with plugins: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is not a 64-bit ELF shared object.
    #[error("{}: expected a 64-bit ELF shared object, found {found}", file.display())]
    NotALibrary {
        /// The file.
        file: PathBuf,
        /// What was found instead.
        found: String,
    },
    /// The library carries no fingerprint.
    #[error(
        "{}: not a Haltbench plugin: it has no section {}, which `register_policy!`, `register_task!` and \
         `register_backbone!` make",
        file.display(),
        haltbench_sdk::fingerprint::SECTION
    )]
    NotAPlugin {
        /// The file.
        file: PathBuf,
    },
    /// The file is shorter than its headers say.
    #[error("{}: truncated: it ends before {part} does", file.display())]
    Truncated {
        /// The file.
        file: PathBuf,
        /// The part that is incomplete.
        part: &'static str,
    },
    /// The section does not hold a fingerprint of this format.
    #[error(
        "{}: its fingerprint starts with `{found}`, expected `{}`: it was made for another version of Haltbench",
        file.display(),
        haltbench_sdk::fingerprint::MAGIC
    )]
    ForeignFingerprint {
        /// The file.
        file: PathBuf,
        /// The start of the section.
        found: String,
    },
    /// The fingerprint differs from the program's.
    #[error(transparent)]
    Mismatch(Box<Mismatch>),
    /// The dynamic linker found no definition of a symbol, although the fingerprints agree.
    #[error(
        "{}: built against another copy of the SDK or of candle: nothing defines its symbol `{symbol}`\n\
         the sources are the same, so cargo built them in another workspace or with other features: give --plugin the \
         folder of its crate, and `haltbench` builds it against this program",
        file.display()
    )]
    Symbol {
        /// The file.
        file: PathBuf,
        /// The symbol.
        symbol: String,
    },
    /// The plugin needs a library that is not there.
    #[error("{}: needs `{library}`, which the dynamic linker does not find", file.display())]
    Dependency {
        /// The file.
        file: PathBuf,
        /// The library.
        library: String,
    },
    /// The dynamic linker refused the library for another reason.
    #[error("{}: cannot be opened: {message}", file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// The dynamic linker's message.
        message: String,
    },
    /// The library ended the child process that opened it for a trial.
    #[error("{}: not opened: a process that opened it {how}", file.display())]
    Deadly {
        /// The file.
        file: PathBuf,
        /// How the process ended.
        how: String,
    },
    /// The plugin carries its own copy of the SDK, and of candle with it.
    #[error(
        "{}: carries a copy of the SDK of its own: {evidence}\n\
         gradients through two copies of candle are silently wrong: the plugin must link the shared library \
         (`haltbench_sdk_dylib` among its dependencies and `use haltbench_sdk_dylib as _;` in its lib.rs)",
        file.display()
    )]
    NotShared {
        /// The file.
        file: PathBuf,
        /// The evidence.
        evidence: String,
    },
    /// Two providers register one name.
    #[error(
        "{kind} `{name}` is provided twice: by {} ({}) and by {} ({}); remove one of the files or rename one {kind}",
        providers[0].package, providers[0].file.display(), providers[1].package, providers[1].file.display()
    )]
    Duplicate {
        /// `task`, `backbone` or `policy`.
        kind: &'static str,
        /// The name.
        name: String,
        /// The two providers.
        providers: Box<[Provider; 2]>,
    },
    /// A library that was found is replaced by an explicitly named one with the same file name or of the same crate.
    #[error("{}: replaced by {}", file.display(), by.display())]
    Replaced {
        /// The library that was found.
        file: PathBuf,
        /// The library that was named.
        by: PathBuf,
    },
    /// The crate that a library was built from has been removed or renamed.
    #[error("{}: its crate is gone: {what}; remove the file", file.display())]
    Gone {
        /// The library.
        file: PathBuf,
        /// What is missing.
        what: String,
    },
    /// A library is older than its sources, and cannot be built again here.
    #[error("{}: older than its source {}: {why}; build it with `{command}`", file.display(), source_file.display())]
    Outdated {
        /// The library.
        file: PathBuf,
        /// The newest source.
        source_file: PathBuf,
        /// Why it was not built again.
        why: String,
        /// The command that builds it.
        command: String,
    },
    /// The sources of a plugin cannot be built as they are.
    #[error("{}: {message}", path.display())]
    Source {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The sources of a plugin do not compile.
    #[error("{}: does not compile\n{}", path.display(), said.trim_end())]
    Compile {
        /// The folder or file.
        path: PathBuf,
        /// What cargo and the compiler say.
        said: String,
    },
    /// No plugin can be built here.
    #[error("a plugin cannot be built: {message}")]
    Toolchain {
        /// Why not, and what to do.
        message: String,
    },
    /// The program has everything linked in and can load nothing.
    #[error(
        "this program is one file with all its plugins linked in (feature `bundled`) and loads no others: use one that \
         was built without it"
    )]
    Static,
    /// A file of a build cannot be written.
    #[error("{}: cannot be written: {source}", file.display())]
    Unwritable {
        /// The file or folder.
        file: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl PluginError {
    /// Exit status for this error: 3 (plugin refused), or 2 (usage) if a path or a source is wrong and no plugin was
    /// refused.
    pub fn exit_status(&self) -> i32 {
        match self {
            Self::Missing { .. }
            | Self::Folder { .. }
            | Self::Source { .. }
            | Self::Compile { .. }
            | Self::Toolchain { .. }
            | Self::Unwritable { .. } => 2,
            _ => 3,
        }
    }

    /// The first line of the message: the error without the advice.
    pub fn headline(&self) -> String {
        self.to_string().lines().next().unwrap_or_default().to_owned()
    }
}

/// The error for a file that cannot be opened, with the nearest name in its folder if the file does not exist.
pub(super) fn inaccessible(file: &Path, source: io::Error) -> PluginError {
    if source.kind() != io::ErrorKind::NotFound {
        return PluginError::Unreadable { file: file.to_owned(), source };
    }
    let folder = match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let names: Vec<String> = fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    let wanted = file.file_name().unwrap_or_default().to_string_lossy();
    let nearest = names::nearest(&wanted, names.iter().map(String::as_str)).map(str::to_owned);
    PluginError::Missing { file: file.to_owned(), nearest }
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}
