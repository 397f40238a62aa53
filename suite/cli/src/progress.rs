//! Progress of a run: bars on a terminal, plain lines elsewhere. All of it goes to stderr.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use haltbench_engine::monitor::Stage;
use haltbench_engine::scheduler::{Event, Item, ProgressLine};
use haltbench_engine::store::State;
use haltbench_sdk::visible::{on_lines, on_one_line};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::notice;

/// Without a terminal, a running cell prints a line at this interval.
const QUIET: Duration = Duration::from_secs(15);

/// Shows a run's events.
pub struct Display {
    bars: Option<MultiProgress>,
    overall: ProgressBar,
    cells: BTreeMap<String, CellDisplay>,
    total: usize,
    ended: usize,
}

struct CellDisplay {
    bar: Option<ProgressBar>,
    title: String,
    started: Instant,
    said: Instant,
    /// Whether its worker has reported anything; a worker that waits for another run does not.
    worked: bool,
}

impl Display {
    /// A display for a run of `total` cells.
    pub fn new(total: usize) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bars = terminal.then(MultiProgress::new);
        let overall = match &bars {
            Some(bars) => {
                bars.add(ProgressBar::new(total as u64).with_style(style("{bar:20} {pos}/{len} cells · {elapsed}")))
            }
            None => ProgressBar::hidden(),
        };
        Self { bars, overall, cells: BTreeMap::new(), total, ended: 0 }
    }

    /// Shows one event.
    pub fn show(&mut self, event: &Event) {
        match event {
            Event::Kept(item) => self.end(*item, &format!("done already  {}", item.title())),
            Event::Damaged(item, error, aside) => {
                let aside = aside.display();
                self.say(&format!("computed again  {}: {error}; what was there is kept in {aside}", item.title()));
            }
            Event::Unreadable(item, error) => {
                self.end(*item, &format!("failed  {}: {error}; its files were left unchanged", item.title()));
            }
            Event::Elsewhere(item) => self.say(&format!("another run works on  {}", item.title())),
            Event::Lost(item, error) => {
                self.say(&format!(
                    "failed  {}: it was done, and then something else changed its files: {error}",
                    item.title()
                ));
            }
            Event::Slow(item, limit, flag) => {
                let seconds = limit.as_secs_f64();
                self.say(&format!("slow  {}: it is ended after {seconds} s ({flag})", item.title()));
            }
            Event::Started(item) => self.start(*item),
            Event::Progress(id, line) => self.progress(id, line),
            Event::Ended(item, status) => {
                let cell = self.cells.remove(item.id());
                let worked = cell.as_ref().is_some_and(|cell| cell.worked);
                let elapsed = cell.map(|cell| {
                    if let Some(bar) = cell.bar {
                        bar.finish_and_clear();
                    }
                    cell.started.elapsed()
                });
                let seconds = elapsed.map(|elapsed| format!(" in {:.0} s", elapsed.as_secs_f64())).unwrap_or_default();
                let cause = status.cause.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default();
                let done = match (item.is_cell(), worked) {
                    (true, _) => "done",
                    (false, true) => "trained",
                    (false, false) => "trained by another run",
                };
                match status.state {
                    State::Done => self.end(*item, &format!("{done}{seconds}  {}", item.title())),
                    State::Failed => self.end(*item, &format!("failed{seconds}  {}{cause}", item.title())),
                    State::Stopped => self.end(*item, &format!("stopped{seconds}  {}{cause}", item.title())),
                    State::Pending | State::Running => self.say(&format!("stopped  {} (can be resumed)", item.title())),
                }
            }
            Event::Timed(done, total) => self.timed(*done, *total),
            Event::Untimed(cell, cause) => self.say(&format!("not timed  {}: {cause}", cell.title())),
            Event::Idle => self.overall.tick(),
        }
    }

    /// Removes the bars.
    pub fn finish(&self) {
        self.overall.finish_and_clear();
    }

    fn start(&mut self, item: Item) {
        let bar = self.bars.as_ref().map(|bars| {
            let bar = bars.add(ProgressBar::new(1));
            bar.set_style(style("{bar:20} {pos}/{len} · {eta} left · {wide_msg}"));
            bar
        });
        if bar.is_none() {
            self.say(&format!("started  {}", item.title()));
        }
        let now = Instant::now();
        self.cells.insert(
            item.id().to_owned(),
            CellDisplay { bar, title: item.title(), started: now, said: now, worked: false },
        );
    }

    fn progress(&mut self, id: &str, line: &ProgressLine) {
        let Some(cell) = self.cells.get_mut(id) else { return };
        cell.worked = true;
        let stage = match line.stage {
            Stage::Drawing => "drawing instances",
            Stage::Training => "training",
            Stage::Evaluating => "evaluating",
            Stage::Measuring => "measuring",
            Stage::Timing => "timing",
        };
        let numbers = line.line.as_ref().map(|line| {
            format!(", loss {:.3}, mean depth {:.2} (answers {:.2})", line.loss, line.depth, line.answer_depth)
        });
        let message = format!("{}: {stage}{}", cell.title, numbers.unwrap_or_default());
        match &cell.bar {
            Some(bar) => {
                if bar.length() != Some(line.total) {
                    bar.set_length(line.total);
                    bar.reset_eta();
                }
                bar.set_position(line.done);
                bar.set_message(on_one_line(&message).into_owned());
            }
            None if cell.said.elapsed() > QUIET => {
                cell.said = Instant::now();
                let elapsed = cell.started.elapsed().as_secs_f64();
                let left = elapsed / line.done.max(1) as f64 * (line.total - line.done.min(line.total)) as f64;
                self.say(&format!("{message}, step {} of {}, about {left:.0} s left", line.done, line.total));
            }
            None => {}
        }
    }

    /// Cells are timed one at a time; without a terminal the first and the last are enough.
    fn timed(&mut self, done: usize, total: usize) {
        if self.bars.is_some() {
            self.overall.set_style(style("{bar:20} {pos}/{len} cells timed · {elapsed}"));
            self.overall.set_length(total as u64);
            self.overall.set_position(done as u64);
        } else if done == 1 || done == total {
            self.say(&format!("timed {done} of {total} cells, one at a time"));
        }
    }

    /// Cells are counted; models only get a line.
    fn end(&mut self, item: Item, message: &str) {
        if !item.is_cell() {
            return self.say(message);
        }
        self.ended += 1;
        self.overall.inc(1);
        self.say(&format!("[{}/{}] {message}", self.ended, self.total));
    }

    fn say(&self, message: &str) {
        match &self.bars {
            Some(bars) => {
                let _ = bars.println(on_lines(message));
            }
            None => notice::line(message),
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
