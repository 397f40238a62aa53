//! The program, a scratch folder to run it in, and the files that it leaves there.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(dead_code, reason = "shared by two test programs")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Cargo's build folder; this test is in its `deps`.
pub fn built() -> PathBuf {
    let test = std::env::current_exe().unwrap().canonicalize().unwrap();
    test.parent().and_then(Path::parent).unwrap().to_owned()
}

/// The program, independent of the environment of the test run.
pub fn command() -> Command {
    let program = built().join("haltbench");
    assert!(program.exists(), "{} is missing: run `cargo build -p haltbench`", program.display());
    let mut command = Command::new(program);
    for variable in ["HALTBENCH_PLUGINS", "COLUMNS", "NO_COLOR", "CLICOLOR_FORCE", "RUST_BACKTRACE"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

/// The outcome of a command.
pub struct Outcome {
    /// Exit status.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// Asserts success and returns the outcome.
    #[track_caller]
    pub fn well(self) -> Self {
        assert_eq!(self.status, 0, "{}{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that standard error contains all of `texts`.
    #[track_caller]
    pub fn says(&self, texts: &[&str]) {
        for text in texts {
            assert!(self.stderr.contains(text), "standard error lacks `{text}`:\n{}", self.stderr);
        }
    }
}

/// The suite of most tests, without policies: one of its cells takes a fraction of a second.
const TINY: &str = r#"
name = "tiny"
seeds = [0]

[task]
name = "mano-stream"
modulus = 5
minimum_operators = 1
maximum_operators = 2
largest_operators = 4

[backbone]
name = "anira"
d_model = 16
d_ff = 32
heads = 2

[recurrence]
max_depth = 3

[training]
steps = 20
batch = 16
checkpoint_every = 4
log_every = 5

[evaluation]
instances = 30
batch = 16
"#;

/// The tiny suite with policies, each given by the lines of its table.
pub fn suite(policies: &[&str]) -> String {
    let tables = policies.iter().map(|lines| format!("\n[[policy]]\n{lines}\n"));
    TINY.to_owned() + &tables.collect::<String>()
}

/// One policy for each source of weights: none of its own, learned, borrowed.
pub const POLICIES: &[&str] = &[
    "name = \"fixed\"\ndepth = 2",
    "name = \"anira-e\"",
    "name = \"anira-o\"",
    "name = \"random-matched\"\nof = \"anira-e\"",
];

/// A scratch folder with a suite file and a runs folder.
pub struct Workspace {
    folder: TempDir,
}

impl Workspace {
    /// A folder with `suite` in it.
    pub fn new(suite: &str) -> Self {
        let workspace = Self { folder: TempDir::new().unwrap() };
        fs::write(workspace.suite(), suite).unwrap();
        workspace
    }

    /// The suite file.
    pub fn suite(&self) -> PathBuf {
        self.folder.path().join("suite.toml")
    }

    /// The runs folder.
    pub fn runs(&self) -> PathBuf {
        self.folder.path().join("runs")
    }

    /// `haltbench VERB SUITE --runs RUNS`.
    pub fn command(&self, verb: &str) -> Command {
        let mut command = command();
        command.arg(verb).arg(self.suite()).arg("--runs").arg(self.runs()).current_dir(self.folder.path());
        command
    }

    /// The outcome of `haltbench VERB SUITE --runs RUNS ARGUMENTS`.
    pub fn outcome(&self, verb: &str, arguments: &[&str]) -> Outcome {
        let output = self.command(verb).args(arguments).output().unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        let status = output.status.code().unwrap_or_else(|| panic!("{}: {stderr}", output.status));
        Outcome { status, stdout, stderr }
    }

    /// The outcome of a run.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        self.outcome("run", arguments)
    }

    /// Starts a run as the leader of its own process group.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.command("run");
        let said = fs::File::create(self.folder.path().join("stderr")).unwrap();
        command.args(arguments).process_group(0).stdout(Stdio::null()).stderr(said);
        Running { child: command.spawn().unwrap(), over: false }
    }

    /// Output of the last run that was started.
    pub fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap()
    }

    /// Cells in `index.json` of every suite: label and seed as in `fixed 0`, cell and model.
    fn index(&self) -> Vec<(String, PathBuf, PathBuf)> {
        let mut all = Vec::new();
        for folder in fs::read_dir(self.runs()).into_iter().flatten().map(|folder| folder.unwrap().path()) {
            let file = folder.join("index.json");
            let index = if file.exists() { json(&file) } else { Value::Null };
            for cell in index["cells"].as_array().into_iter().flatten() {
                let text = |key: &str| cell[key].as_str().unwrap();
                let title = format!("{} {}", text("policy"), cell["seed"]);
                all.push((title, folder.join(text("cell")), self.runs().join("models").join(text("model"))));
            }
        }
        all
    }

    fn indexed(&self, title: &str) -> Option<(String, PathBuf, PathBuf)> {
        self.index().into_iter().find(|(own, ..)| own == title)
    }

    /// The folders of the cells by label and seed, as in `fixed 0`.
    pub fn cells(&self) -> BTreeMap<String, PathBuf> {
        let all = self.index().into_iter().map(|(title, cell, _)| (title, cell));
        all.filter(|(_, cell)| cell.exists()).collect()
    }

    /// The folders of the cells' models, by label and seed of the cell.
    pub fn models(&self) -> BTreeMap<String, PathBuf> {
        let all = self.index().into_iter().map(|(title, _, model)| (title, model));
        all.filter(|(_, model)| model.exists()).collect()
    }

    /// The folder of the cell `title`.
    #[track_caller]
    pub fn cell(&self, title: &str) -> PathBuf {
        let cells = self.cells();
        cells.get(title).unwrap_or_else(|| panic!("no cell `{title}` among {:?}", cells.keys())).clone()
    }

    /// The folder of the model of the cell `title`.
    #[track_caller]
    pub fn model(&self, title: &str) -> PathBuf {
        let models = self.models();
        models.get(title).unwrap_or_else(|| panic!("no model of `{title}` among {:?}", models.keys())).clone()
    }

    /// Whether training of the model of the cell `title` has left a checkpoint to resume from.
    pub fn is_resumable(&self, title: &str) -> bool {
        let models = self.models();
        let work = models.get(title).into_iter().flat_map(|model| work_of(model));
        work.into_iter().any(|work| work.join("training.safetensors").exists())
    }

    /// The folder in which the model of the cell `title` is trained.
    #[track_caller]
    pub fn work(&self, title: &str) -> PathBuf {
        let work = work_of(&self.model(title));
        assert_eq!(work.len(), 1, "{work:?}");
        work[0].clone()
    }

    /// The recorded state of a cell and its cause, if it has one.
    #[track_caller]
    pub fn state(&self, title: &str) -> (String, String) {
        state(self.indexed(title).map(|(_, cell, _)| cell))
    }

    /// The recorded state of a cell's model.
    #[track_caller]
    pub fn model_state(&self, title: &str) -> (String, String) {
        state(self.indexed(title).map(|(_, _, model)| model))
    }

    /// All reproducible files of every cell and its model, by cell and name. `timings.json` depends on the clock, and
    /// `log.txt` on the history of the folder.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut all = BTreeMap::new();
        for (part, folders) in [("", self.cells()), ("model/", self.models())] {
            for (title, folder) in folders {
                for (name, path) in files_below(&folder) {
                    if !["timings.json", "log.txt", "lock"].contains(&name.as_str()) {
                        all.insert(format!("{title}: {part}{name}"), fs::read(path).unwrap());
                    }
                }
            }
        }
        all
    }

    /// Processes that work in this folder.
    pub fn processes(&self) -> Vec<u32> {
        let place = self.folder.path().to_str().unwrap();
        let all = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let works_here = |process: &u32| {
            let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(place)
        };
        all.filter(works_here).collect()
    }
}

/// The folders inside the folder of a model or cell in which workers compute.
pub fn work_of(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("work-")).collect()
}

/// The recorded state of a cell or a model and its cause, if it has one; pending if it was never begun.
#[track_caller]
fn state(folder: Option<PathBuf>) -> (String, String) {
    let file = folder.expect("it is in the index").join("status.json");
    if !file.exists() {
        return ("pending".to_owned(), String::new());
    }
    let status = json(&file);
    let text = |key: &str| status[key].as_str().unwrap_or_default().to_owned();
    (text("state"), text("cause"))
}

fn files_below(folder: &Path) -> BTreeMap<String, PathBuf> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name().into_string().unwrap())).unwrap();
        if path.is_dir() {
            all.extend(files_below(&path).into_iter().map(|(inner, path)| (format!("{name}/{inner}"), path)));
        } else {
            all.insert(name, path);
        }
    }
    all
}

/// The JSON of a file.
#[track_caller]
pub fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}: {text}", path.display()))
}

/// Asserts that two sets of files have the same names and the same bytes.
#[track_caller]
pub fn assert_same(found: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>) {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected));
    let differing: Vec<&String> = found.keys().filter(|name| found[*name] != expected[*name]).collect();
    assert!(differing.is_empty(), "other bytes than expected: {differing:?}");
}

/// A run in progress. If a test fails, it is killed with its workers.
pub struct Running {
    child: Child,
    over: bool,
}

impl Running {
    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let ended = self.child.try_wait().unwrap();
        self.over |= ended.is_some();
        ended
    }

    /// Sends a signal to the run only.
    pub fn signal(&self, signal: &str) {
        send(signal, &self.child.id().to_string());
    }

    /// Sends a signal to the run and its workers, as a terminal does.
    pub fn signal_group(&self, signal: &str) {
        send(signal, &format!("-{}", self.child.id()));
    }

    /// Waits for its end.
    pub fn wait(mut self) -> ExitStatus {
        self.over = true;
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.over {
            self.signal_group("KILL");
            let _ = self.child.wait();
        }
    }
}

/// Sends a signal to a process, or to a group given by its negative id.
pub fn send(signal: &str, target: &str) {
    // Every shell has `kill` as a built-in, but not every machine has the program.
    let script = format!("kill -s {signal} -- {target}");
    let _ = Command::new("sh").arg("-c").arg(script).stderr(Stdio::null()).status().unwrap();
}

/// Waits until `holds`.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
