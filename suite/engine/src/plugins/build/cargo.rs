//! Runs cargo for a plugin.

use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::manifest::Purpose;
use super::shared::Shared;
use crate::plugins::error::PluginError;

/// A build that takes longer is announced.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a running build is looked at.
const INTERVAL: Duration = Duration::from_millis(10);

/// What is built.
pub struct Order<'a> {
    /// The folder with the manifest.
    pub folder: &'a Path,
    /// Names in the code of the plugin for the shared library.
    pub given: &'a [String],
    /// The shared library.
    pub shared: &'a Shared,
    /// What it is built for.
    pub purpose: Purpose,
}

/// What cargo made.
pub struct Artefact {
    /// The library, or the test program.
    pub file: PathBuf,
    /// Whether it was there already.
    pub is_fresh: bool,
    /// The compiler's warnings.
    pub warnings: String,
}

/// Why there is no artefact.
pub enum Failed {
    /// Cargo itself cannot be started.
    NoCargo(PluginError),
    /// What cargo and the compiler say.
    Said(String),
}

/// A line of cargo's report.
#[derive(Deserialize)]
struct Line {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    executable: Option<PathBuf>,
    #[serde(default)]
    fresh: bool,
}

/// Cargo: the one that started this program, or the user's.
pub fn program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The error if cargo cannot be started.
pub fn missing(error: &std::io::Error) -> PluginError {
    let message = format!(
        "{} cannot be started: {error}; building a plugin needs Rust (https://rustup.rs), loading a library does not",
        program().display()
    );
    PluginError::Toolchain { message }
}

/// Builds. Calls `slow` once if it takes long.
///
/// # Errors
/// [`Failed`], with the compiler's own words.
pub fn build(order: &Order, slow: &dyn Fn()) -> Result<Artefact, Failed> {
    let mut command = Command::new(program());
    command.current_dir(order.folder).args(["rustc", "--quiet", "--lib", "--message-format=json-render-diagnostics"]);
    command.arg("--target-dir").arg(order.folder.join("target"));
    command.args(["--color", if std::io::stderr().is_terminal() { "always" } else { "never" }]);
    if order.purpose == Purpose::Test {
        command.args(["--profile", "test"]);
    }
    command.arg("--").args(arguments(order));
    // A crate that the SDK has too becomes another crate by these flags, not a second copy of the same.
    command.env("CARGO_ENCODED_RUSTFLAGS", "--cfg\u{1f}haltbench_plugin");
    for variable in ["RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| Failed::NoCargo(missing(&error)))?;
    let (report, said) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let succeeded = wait(&mut child, slow);
    let [report, said] = [report, said].map(|thread| thread.join().unwrap_or_default());
    if !succeeded {
        return Err(Failed::Said(said));
    }
    let lines = report.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let own =
        lines.filter(|line| line.reason == "compiler-artifact" && line.manifest_path.parent() == Some(order.folder));
    let made = own.filter_map(|line| {
        let library = line.filenames.into_iter().find(|file| file.extension() == Some(OsStr::new("so")));
        Some((line.executable.or(library)?, line.fresh))
    });
    // A build script is reported before the library.
    match made.reduce(|_, last| last) {
        Some((file, is_fresh)) => Ok(Artefact { file, is_fresh, warnings: said }),
        None => Err(Failed::Said(format!("{said}cargo reported no library"))),
    }
}

/// The compiler's arguments: the shared library under each of its names, and where the crates in it are described.
fn arguments(order: &Order) -> Vec<OsString> {
    let mut arguments = Vec::new();
    for name in order.given {
        let mut named = OsString::from(format!("{name}="));
        named.push(&order.shared.file);
        arguments.extend(["--extern".into(), named]);
    }
    for folder in &order.shared.folders {
        let mut place = OsString::from("dependency=");
        place.push(folder);
        arguments.extend(["-L".into(), place]);
    }
    if order.purpose == Purpose::Test {
        let loaded = [Some(&order.shared.file), order.shared.standard.as_ref()];
        for folder in loaded.into_iter().flatten().filter_map(|file| file.parent()) {
            let mut place = OsString::from("link-arg=-Wl,-rpath,");
            place.push(folder);
            arguments.extend(["-C".into(), place]);
        }
    }
    // Cargo does not look into the shared library: its hash among the arguments makes cargo build again.
    arguments.extend(["--cfg".into(), format!("haltbench_shared=\"{}\"", order.shared.code).into()]);
    arguments
}

/// Reads all of a stream, on a thread of its own.
fn collect(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // What was read before an error is worth showing.
            let _ = stream.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits for the end; whether it was a success.
fn wait(child: &mut Child, slow: &dyn Fn()) -> bool {
    let start = Instant::now();
    let mut announced = false;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => {}
            Err(_) => return false,
        }
        if !announced && start.elapsed() > PATIENCE {
            announced = true;
            slow();
        }
        thread::sleep(INTERVAL);
    }
}
