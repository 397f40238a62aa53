//! Suites of very many cells, and headers of files with very many tensors or absurd lengths: time and memory grow no
//! faster than the input.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use haltbench_engine::plan;
use haltbench_engine::plugins;

use crate::program::{POLICIES, Workspace, assert_same, command, suite, until};

/// A suite with so many seeds of one policy: as many models as cells.
fn with_seeds(count: usize) -> Workspace {
    let seeds: Vec<String> = (0..count).map(|seed| seed.to_string()).collect();
    let seeds = format!("seeds = [{}]", seeds.join(", "));
    Workspace::new(&suite(&POLICIES[1..2]).replacen("seeds = [0]", &seeds, 1))
}

/// A quarter of the cells takes a quarter of the time; a sixteenth would be quadratic.
#[track_caller]
fn assert_linear(what: &str, quarter: Duration, whole: Duration) {
    let ratio = whole.as_secs_f64() / quarter.as_secs_f64();
    assert!(ratio < 9.0, "{what}: {quarter:?} for a quarter of the cells, {whole:?} for all");
}

#[test]
fn fault_23_the_plan_and_state_of_a_hundred_thousand_cells_take_linear_time() {
    let [quarter, whole] = [25_000, 100_000].map(|count| {
        let workspace = with_seeds(count);
        let started = Instant::now();
        let planned = workspace.outcome("plan", &[]).well();
        let (models, cells) = (format!("{count} models, {count} cells"), planned.stdout.matches("pending").count());
        assert!(planned.stdout.contains(&models) && cells == 2 * count, "{count}: {cells}");
        started.elapsed()
    });
    assert_linear("seeds", quarter, whole);
}

#[test]
fn fault_23_a_hundred_thousand_cells_of_ten_thousand_policies_are_resolved_in_linear_time() {
    let (catalogue, _) = plugins::catalogue(&[]).unwrap();
    let [quarter, whole] = [2_500, 10_000].map(|count| {
        let values: Vec<String> = (1..=count).map(|number| format!("{number}e-6")).collect();
        let policy = format!("name = \"anira-e\"\ngamma = [{}]", values.join(", "));
        let text = suite(&[&policy]).replacen("seeds = [0]", "seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]", 1);
        let workspace = Workspace::new(&text);
        let started = Instant::now();
        let file = plan::read(workspace.suite().to_str().unwrap(), &[]).unwrap();
        let suite = plan::resolve(&file, &catalogue, "cpu").unwrap();
        assert_eq!((suite.models.len(), suite.cells.len()), (10 * count, 10 * count));
        started.elapsed()
    });
    assert_linear("policies", quarter, whole);
}

/// A header with `count` tensors of one number each, and those numbers.
fn with_tensors(count: usize, metadata: &str) -> Vec<u8> {
    let entry = |place: usize| {
        let (from, to) = (4 * place, 4 * place + 4);
        format!("\"policy.{place}\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[{from},{to}]}}")
    };
    let entries: Vec<String> = (0..count).map(entry).collect();
    let header = format!("{{\"__metadata__\":{{{metadata}}},{}}}", entries.join(","));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.resize(bytes.len() + 4 * count, 0);
    bytes
}

/// A file of a TiB, as it says, that takes no room on the disk: all of it is header.
fn claim_a_tebibyte(path: &Path) {
    let mut file = File::create(path).unwrap();
    file.write_all(&((1_u64 << 40) - 8).to_le_bytes()).unwrap();
    file.set_len(1 << 40).unwrap();
}

/// Status and message of a command with 4 GB of addresses, which must end soon.
fn limited(command: &Command) -> (Option<i32>, String) {
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -v 4000000; exec \"$@\"", "sh"]).arg(command.get_program()).args(command.get_args());
    let started = Instant::now();
    let output = limited.output().unwrap();
    assert!(started.elapsed() < Duration::from_secs(20), "{command:?}: {:?}", started.elapsed());
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

const TRACE: &str = "\"format\":\"haltbench-trace\",\"version\":\"1\"";

/// A file, and what is said of it.
struct Case<'a> {
    what: &'static str,
    make: &'a dyn Fn(),
    /// Exit status and message of a replay of it as a trace.
    of_trace: (i32, &'static str),
    /// Exit status and message of a plan that starts from it.
    of_start: (i32, &'static str),
}

#[test]
fn fault_27_headers_of_many_tensors_and_absurd_lengths_end_in_one_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weights.safetensors");
    let path = file.to_str().unwrap();
    let absurd =
        (4, "expected a safetensors file with a header of at most 100000000 bytes, found one of 1099511627768");
    let nested = (4, "recursion limit exceeded");
    let nest = [&40_000_004_u64.to_le_bytes()[..], b"{\"a\":", &vec![b'['; 39_999_999]].concat();
    let cases = [
        Case {
            what: "100,000 tensors",
            make: &|| fs::write(&file, with_tensors(100_000, TRACE)).unwrap(),
            of_trace: (4, "damaged: expected the tensor `lengths`"),
            of_start: (2, "expected the shape"),
        },
        Case { what: "a TiB", make: &|| claim_a_tebibyte(&file), of_trace: absurd, of_start: absurd },
        Case { what: "a nest", make: &|| fs::write(&file, &nest).unwrap(), of_trace: nested, of_start: nested },
    ];
    let workspace = Workspace::new(&suite(&[&format!("name = \"anira-e\"\nstart = \"{path}\"")]));
    for Case { what, make, of_trace, of_start } in cases {
        make();
        let mut replay = command();
        replay.args(["replay", path, "--policy", "fixed"]);
        for (command, (status, expected)) in [(replay, of_trace), (workspace.command("plan"), of_start)] {
            let (found, said) = limited(&command);
            assert!(found == Some(status) && said.contains(expected), "{what}: {found:?}: {said}");
            assert_eq!(said.lines().count(), 1, "{what}: {said}");
        }
    }
}

/// A checkpoint like that costs the steps that it held.
#[test]
fn fault_27_a_checkpoint_with_such_a_header_is_left_out() {
    let long = ["--set", "training.steps=300"];
    let whole = Workspace::new(&suite(&POLICIES[1..2]));
    whole.run(&long).well();
    for (is_absurd, expected) in [(false, "damaged: it is of model 0"), (true, "found one of 1099511627768")] {
        let workspace = Workspace::new(&suite(&POLICIES[1..2]));
        let mut run = workspace.start(&long);
        until("a checkpoint", || workspace.is_resumable("anira-e 0"));
        run.signal("INT");
        until("the end of the run", || run.ended().is_some());
        let checkpoint = workspace.work("anira-e 0").join("training.safetensors");
        match is_absurd {
            true => claim_a_tebibyte(&checkpoint),
            false => fs::write(&checkpoint, with_tensors(100_000, "\"haltbench\":\"0 1 0\"")).unwrap(),
        }
        let started = Instant::now();
        workspace.run(&long).well();
        assert!(started.elapsed() < Duration::from_secs(60), "{expected}: {:?}", started.elapsed());
        let log = fs::read_to_string(workspace.model("anira-e 0").join("log.txt")).unwrap();
        assert!(log.contains("started over: ") && log.contains(expected), "{log}");
        assert_same(&workspace.files(), &whole.files());
    }
}
