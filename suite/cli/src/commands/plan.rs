//! `haltbench plan`: the models and cells of a suite, what they need and what they cost.

use std::collections::BTreeMap;
use std::path::PathBuf;

use haltbench_engine::forecast::{forecast, memory_of_cells};
use haltbench_engine::plan::{self, Cell, Model, Start, Suite};
use haltbench_engine::plugins::Catalogue;
use haltbench_engine::store::{RunFolder, State};
use haltbench_sdk::visible::on_one_line;
use serde::Serialize;

use super::run;
use crate::catalogue;
use crate::failure::Failure;
use crate::output;
use crate::quantity::{bytes, duration};
use crate::sources;

/// List the models and cells of a suite with their cost, before or while it is run
///
/// Cells stand below the model that they evaluate. Seconds are those of all cores of this machine, with every token at
/// D and at the rate of one training step here; memory is the least that a worker needs.
#[derive(Debug, clap::Args)]
pub struct PlanArguments {
    /// Path of a suite file, or the name of a built-in suite
    suite: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Override a value of the suite file, such as training.steps=100
    #[arg(long = "set", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Device that the suite is run on: cpu or cuda:N
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Folder of all runs, for the states of models and cells
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
}

/// A suite, planned.
#[derive(Debug, Serialize)]
struct Planned {
    suite: String,
    /// Operations a second of one training step here.
    rate: f64,
    models: Vec<Entry>,
    cells: Vec<Entry>,
    total: Total,
}

/// A model or a cell.
#[derive(Debug, Serialize)]
struct Entry {
    id: String,
    title: String,
    /// What tells it apart below its model.
    #[serde(skip)]
    label: String,
    state: State,
    needs: Vec<Need>,
    seconds: f64,
    /// Bytes.
    memory: f64,
}

/// Another model or cell that must be done before.
#[derive(Debug, Serialize)]
struct Need {
    /// Its role: `model`, `start` or `source`.
    role: &'static str,
    id: String,
}

/// Everything together.
#[derive(Debug, Serialize)]
struct Total {
    models: usize,
    cells: usize,
    seconds: f64,
    /// Without models and cells that are done.
    seconds_to_do: f64,
    /// Bytes of the worker that needs most.
    memory: f64,
}

/// Prints the plan.
///
/// # Errors
/// If the suite is wrong or a plugin refuses its parameters.
pub fn run(arguments: &PlanArguments, plugins: &[PathBuf]) -> Result<i32, Failure> {
    let file = plan::read(&arguments.suite, &arguments.overrides)?;
    let plugins = &sources::with_those_of(&file, plugins)?;
    let catalogue = catalogue::load(plugins)?;
    let suite = plan::resolve(&file, &catalogue, &arguments.device)?;
    run::rehearse(&suite, plugins, (run::TRIAL, None), &|| None)?;
    let planned = planned(&suite, &RunFolder::new(&arguments.runs, &suite.name), &catalogue)?;
    output::report(&planned, arguments.json, text)?;
    Ok(0)
}

fn planned(suite: &Suite, folder: &RunFolder, catalogue: &Catalogue) -> Result<Planned, Failure> {
    let ahead = forecast(suite, catalogue, &|_| true)?;
    let memory = memory_of_cells(suite, catalogue)?;
    let of_cell = |cell: &Cell| memory.get(&cell.id).copied().unwrap_or_default();
    let mut of_model: BTreeMap<&str, f64> = BTreeMap::new();
    for cell in &suite.cells {
        let most = of_model.entry(cell.model.as_str()).or_default();
        *most = most.max(of_cell(cell));
    }
    let model = |model: &Model| {
        let start = match &model.plan.start {
            Some(Start::Model(id)) => Some(id),
            _ => None,
        };
        Entry {
            id: model.id.clone(),
            title: model.title.clone(),
            label: model.title.clone(),
            state: folder.model(&model.id).status().state,
            needs: needs([("start", start), ("source", model.plan.source.as_ref())]),
            seconds: ahead.seconds_of(&model.id),
            memory: of_model.get(model.id.as_str()).copied().unwrap_or_default(),
        }
    };
    let cell = |cell: &Cell| Entry {
        id: cell.id.clone(),
        title: cell.title(),
        label: cell.label.clone(),
        state: folder.cell(&cell.id).status().state,
        needs: needs([("model", Some(&cell.model)), ("source", cell.plan.source.as_ref())]),
        seconds: ahead.seconds_of(&cell.id),
        memory: of_cell(cell),
    };
    let models: Vec<Entry> = suite.models.iter().map(model).collect();
    let cells: Vec<Entry> = suite.cells.iter().map(cell).collect();
    let total = total(&models, &cells);
    Ok(Planned { suite: suite.name.clone(), rate: ahead.rate, models, cells, total })
}

fn needs<const N: usize>(of: [(&'static str, Option<&String>); N]) -> Vec<Need> {
    of.into_iter().filter_map(|(role, id)| Some(Need { role, id: id?.clone() })).collect()
}

fn total(models: &[Entry], cells: &[Entry]) -> Total {
    let all = models.iter().chain(cells);
    let due = all.clone().filter(|entry| entry.state != State::Done);
    Total {
        models: models.len(),
        cells: cells.len(),
        seconds: all.map(|entry| entry.seconds).sum(),
        seconds_to_do: due.map(|entry| entry.seconds).sum(),
        memory: cells.iter().map(|entry| entry.memory).fold(0.0, f64::max),
    }
}

/// Columns of a line.
const WIDTH: usize = 80;

/// Columns before the title: kind, id, state, time, memory.
const BEFORE: usize = 6 + 18 + 9 + 9 + 9;

fn text(planned: &Planned) -> String {
    let mut text = format!("{:<6}{:<18}{:<9}{:<9}{:<9}title\n", "", "id", "state", "time", "memory");
    let mut cells_of: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for cell in &planned.cells {
        for model in cell.needs.iter().filter(|need| need.role == "model") {
            cells_of.entry(&model.id).or_default().push(cell);
        }
    }
    for model in &planned.models {
        text += &line("model", model);
        cells_of.get(model.id.as_str()).into_iter().flatten().for_each(|cell| text += &line("cell", cell));
    }
    let Total { models, cells, seconds, seconds_to_do, memory } = planned.total;
    let counted = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let left = if seconds_to_do == 0.0 { "nothing".to_owned() } else { duration(seconds_to_do) };
    text += &format!(
        "\n{}, {}\ntime on this machine: {}, {left} to do\nmemory of a worker: at least {}\n",
        counted(models, "model"),
        counted(cells, "cell"),
        duration(seconds),
        bytes(memory)
    );
    text
}

fn line(kind: &str, entry: &Entry) -> String {
    let state = state(entry.state);
    let (time, memory) = (duration(entry.seconds), bytes(entry.memory));
    let mut words = vec![entry.label.clone()];
    words.extend(entry.needs.iter().filter(|need| need.role != "model").map(|need| match need.role {
        "start" => format!("starts from {}", need.id),
        _ => format!("reads {}", need.id),
    }));
    let before = format!("{kind:<6}{:<18}{state:<9}{time:<9}{memory:<9}", entry.id);
    let lines = words.iter().flat_map(|words| wrapped(&on_one_line(words), WIDTH - BEFORE));
    let place = |(number, line): (usize, String)| match number {
        0 => format!("{before}{line}\n"),
        _ => format!("{:BEFORE$}{line}\n", ""),
    };
    lines.enumerate().map(place).collect()
}

/// Name of a state, as in `status.json`.
fn state(state: State) -> &'static str {
    match state {
        State::Pending => "pending",
        State::Running => "running",
        State::Done => "done",
        State::Failed => "failed",
        State::Stopped => "stopped",
    }
}

/// `text` in lines of at most `width` characters, broken at spaces where there are any.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let letters: Vec<char> = word.chars().collect();
        // A word that is longer than a line is cut.
        for (number, part) in letters.chunks(width).enumerate() {
            let part: String = part.iter().collect();
            let count = lines.len();
            let last = &mut lines[count - 1];
            let used = last.chars().count();
            if number == 0 && used > 0 && used + 1 + part.chars().count() <= width {
                *last += " ";
                *last += &part;
            } else if used == 0 {
                *last = part;
            } else {
                lines.push(part);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_wrapped_at_spaces_and_long_words_are_cut() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a 123456789 b", 4), ["a", "1234", "5678", "9 b"]);
        assert_eq!(wrapped("", 4), [""]);
        assert_eq!(on_one_line("a\u{1b}[1m\nb"), "a\\u{1b}[1m\\nb");
    }
}
