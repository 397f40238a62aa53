//! Runs a reader on mutated inputs, and notices panics, hangs and memory.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::{Strategy, any};
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use tempfile::TempDir;

use crate::mutation::{mutated, mutations};

/// No input may take longer.
const LONGEST: Duration = Duration::from_secs(10);

/// An input that takes longer than this stops the test program, with the path of the input.
const HANG: u64 = 60;

/// Memory that all readers together may take beyond what the test program has when the first begins.
const MEMORY: u64 = 1 << 30;

/// Limits the memory of this process: an allocation beyond the limit ends it.
pub fn limit_memory() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmData:")).unwrap();
        let own: u64 = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        let most = own * 1024 + MEMORY;
        let limit = libc::rlimit { rlim_cur: most, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: setrlimit only reads the structure, which lives until the call returns.
        let _ = unsafe { libc::setrlimit(libc::RLIMIT_DATA, &limit) };
    });
}

/// A target: a name, valid inputs, and the number of mutated ones that are tried.
pub struct Target<'a> {
    /// Its name.
    pub name: &'a str,
    /// Valid inputs.
    pub seeds: Vec<Vec<u8>>,
    /// Number of cases.
    pub cases: u32,
}

/// The number of cases, times what the environment asks for.
fn cases(usual: u32) -> u32 {
    let times = std::env::var("HALTBENCH_FUZZ").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    usual.saturating_mul(times)
}

impl Target<'_> {
    /// Feeds valid and mutated inputs to `read`, which gets the input and a file that holds it, and returns what it
    /// said. A reader may refuse anything, but neither panic nor say that it caught a panic.
    #[track_caller]
    pub fn fuzz(&self, read: impl Fn(&[u8], &std::path::Path) -> String) {
        limit_memory();
        let folder = TempDir::new().unwrap();
        let file = folder.path().join(self.name);
        let watched = Watched::new(file.clone());
        keep_panics_to_cases();
        let tried = |bytes: &[u8]| -> Result<(), String> {
            fs::write(&file, bytes).unwrap();
            let started = watched.begin();
            PANIC.set(Some(String::new()));
            let outcome = catch_unwind(AssertUnwindSafe(|| read(bytes, &file)));
            let panic = PANIC.take().unwrap_or_default();
            watched.end();
            match outcome {
                Err(_) => Err(format!("it panicked: {panic}")),
                Ok(said) if said.contains("panicked") => Err(said),
                Ok(_) if started.elapsed() > LONGEST => Err(format!("it took {:?}", started.elapsed())),
                Ok(_) => Ok(()),
            }
        };
        for seed in &self.seeds {
            tried(seed).unwrap_or_else(|fault| panic!("{}: a valid input: {fault}", self.name));
            let said = read(seed, &file);
            assert!(said.is_empty(), "{}: a valid input is refused: {said}", self.name);
        }
        let config =
            Config { cases: cases(self.cases), failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
        let mut key = [7; 32];
        key.iter_mut().zip(self.name.bytes()).for_each(|(byte, letter)| *byte = letter);
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &key);
        let strategy = (any::<Index>(), mutations())
            .prop_map(|(seed, mutations)| Input(mutated(&self.seeds[seed.index(self.seeds.len())], &mutations)));
        let last = std::env::temp_dir().join(format!("haltbench-fuzz-{}", self.name));
        let outcome = TestRunner::new_with_rng(config, random).run(&strategy, |Input(bytes)| {
            tried(&bytes).map_err(|fault| {
                // The last one that fails is the smallest.
                let _ = fs::write(&last, &bytes);
                TestCaseError::fail(fault)
            })
        });
        outcome.unwrap_or_else(|error| panic!("{}: {error}; the input is in {}", self.name, last.display()));
    }
}

/// An input whose start is shown.
struct Input(Vec<u8>);

impl std::fmt::Debug for Input {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        let start = String::from_utf8_lossy(&self.0[..self.0.len().min(300)]).into_owned();
        write!(formatter, "{start:?} ({} bytes)", self.0.len())
    }
}

thread_local! {
    /// What the last panic of a case said; `None` outside of cases.
    static PANIC: std::cell::Cell<Option<String>> = const { std::cell::Cell::new(None) };
}

/// Keeps the messages of panics in cases, which are many while a case is made smaller, from the screen.
fn keep_panics_to_cases() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| match PANIC.take() {
            Some(_) => PANIC.set(Some(panic.to_string())),
            None => usual(panic),
        }));
    });
}

/// Ends the test program if an input takes for ever.
struct Watched {
    since: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    started: Instant,
}

impl Watched {
    fn new(file: PathBuf) -> Self {
        let (since, over, started) =
            (Arc::new(AtomicU64::new(u64::MAX)), Arc::new(AtomicBool::new(false)), Instant::now());
        let watched = Self { since: since.clone(), over: over.clone(), started };
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(200));
                if started.elapsed().as_secs().saturating_sub(since.load(Ordering::Relaxed)) > HANG {
                    let kept = std::env::temp_dir().join("haltbench-fuzz-hang");
                    let _ = fs::copy(&file, &kept);
                    eprintln!("an input takes longer than {HANG} s; it is kept in {}", kept.display());
                    std::process::abort();
                }
            }
        });
        watched
    }

    fn begin(&self) -> Instant {
        self.since.store(self.started.elapsed().as_secs(), Ordering::Relaxed);
        Instant::now()
    }

    fn end(&self) {
        self.since.store(u64::MAX, Ordering::Relaxed);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// What a reader said: nothing, or its error.
pub fn said<T, E: ToString>(outcome: Result<T, E>) -> String {
    outcome.err().map(|error| error.to_string()).unwrap_or_default()
}
