//! The examination as text.

use super::examination::Examination;
use super::machine::Machine;
use crate::table;

/// One section for each concern, the verdict last.
pub fn render(examination: &Examination) -> String {
    let sections = [
        section("program", &program(examination)),
        section("fingerprint", &pairs(examination.fingerprint.iter())),
        section("machine", &machine(&examination.machine)),
        section("folders searched for plugins", &folders(examination)),
        section("plugins", &plugins(examination)),
        section("left out", &left_out(examination)),
        section("runs", &runs(examination)),
        verdict(examination),
    ];
    sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n")
}

fn section<const N: usize>(title: &str, rows: &[[String; N]]) -> String {
    if rows.is_empty() { String::new() } else { format!("{title}\n{}", table::columns(rows)) }
}

fn pairs<'a>(pairs: impl Iterator<Item = (&'a String, &'a String)>) -> Vec<[String; 2]> {
    pairs.map(|(name, value)| [name.clone(), value.clone()]).collect()
}

fn row(name: &str, value: impl Into<String>) -> [String; 2] {
    [name.to_owned(), value.into()]
}

fn program(examination: &Examination) -> Vec<[String; 2]> {
    let file = examination.program.as_ref().map(|file| row("file", file.display().to_string()));
    [row("version", examination.version)].into_iter().chain(file).collect()
}

fn machine(machine: &Machine) -> Vec<[String; 2]> {
    let features = machine.cpu_features.iter().map(|(name, has)| format!("{name} {}", if *has { "yes" } else { "no" }));
    let features = features.collect::<Vec<_>>().join(", ");
    let memory = machine.memory_available_bytes.map_or_else(
        || "unknown".to_owned(),
        |bytes| format!("{:.1} GiB available", bytes as f64 / (1_u64 << 30) as f64),
    );
    let cuda = match &machine.cuda.reason {
        None => "cuda:0 opens",
        Some(reason) => reason,
    };
    vec![
        row("cores", machine.cores.to_string()),
        row("threads", format!("{} for tensor operations", machine.threads)),
        row("processor", if features.is_empty() { "no x86-64".to_owned() } else { features }),
        row("memory", memory),
        row("CUDA", cuda),
    ]
}

fn folders(examination: &Examination) -> Vec<[String; 2]> {
    let state = |exists, required| match (exists, required) {
        (true, _) => "there",
        (false, true) => "missing, although HALTBENCH_PLUGINS names it",
        (false, false) => "not there",
    };
    let folders = examination.folders.iter();
    folders.map(|folder| row(&folder.path.display().to_string(), state(folder.exists, folder.required))).collect()
}

fn plugins(examination: &Examination) -> Vec<[String; 3]> {
    let plugins = examination.plugins.iter();
    plugins
        .map(|plugin| [plugin.provider.clone(), plugin.file.display().to_string(), plugin.items.join(", ")])
        .collect()
}

fn left_out(examination: &Examination) -> Vec<[String; 1]> {
    // Further lines of a reason are advice.
    examination.skipped.iter().map(|skipped| [skipped.reason.replace('\n', "\n    ")]).collect()
}

fn runs(examination: &Examination) -> Vec<[String; 2]> {
    let runs = &examination.runs;
    let state = match (&runs.problem, runs.exists) {
        (Some(problem), _) => problem.as_str(),
        (None, true) => "writable",
        (None, false) => "will be created by the first run",
    };
    vec![row(&runs.path.display().to_string(), state)]
}

fn verdict(examination: &Examination) -> String {
    if examination.problems.is_empty() {
        return "all well\n".to_owned();
    }
    let problems = examination.problems.iter().map(|problem| format!("  {problem}\n"));
    format!("wrong\n{}", problems.collect::<String>())
}
