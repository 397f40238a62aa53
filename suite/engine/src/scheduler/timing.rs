//! Timing of finished cells, one at a time.

use super::Event;
use super::queue::Queue;
use super::workers::{Errand, Message};
use super::{Item, WorkerLine};
use crate::error::Result;
use crate::plan::Cell;
use crate::store::{Speed, Timings};

impl<'a> Queue<'a> {
    /// Times the finished cells without timings, one at a time, while nothing else of the run is working, so that cells
    /// do not disturb each other. A cell that another run holds is left to it; a cell that cannot be timed stays done.
    pub fn time(&mut self, report: &mut dyn FnMut(Event)) -> Result<()> {
        let untimed = |cell: &&Cell| self.folder.cell(&cell.id).timings().is_none_or(|timings| timings.speed.is_none());
        let due: Vec<&'a Cell> = self.done.iter().copied().filter(untimed).collect();
        for (place, cell) in due.iter().enumerate() {
            if self.is_interrupted() {
                return Ok(());
            }
            self.time_one(cell, report)?;
            if self.is_interrupted() {
                return Ok(());
            }
            report(Event::Timed(place + 1, due.len()));
        }
        Ok(())
    }

    fn time_one(&mut self, cell: &'a Cell, report: &mut dyn FnMut(Event)) -> Result<()> {
        let folder = self.folder.cell(&cell.id);
        // A lock is enough: two machines that time the same cell at once do no harm, and a claim would stay in the finished
        // folder if this run were killed.
        let Some(_lock) = folder.claim()? else { return Ok(()) };
        self.workers.start(Item::Cell(cell), &Errand::Time, &folder.file("log.txt"))?;
        let mut speed: Option<Speed> = None;
        loop {
            if self.is_interrupted() {
                self.workers.stop();
            }
            self.workers.limit(report);
            match self.workers.hear() {
                Some(Message::Line(_, WorkerLine::Timed(found))) => speed = Some(found),
                Some(Message::Line(..)) => {}
                Some(Message::Ended(id, ending)) => {
                    let Some(end) = self.workers.end(&id, &ending) else { continue };
                    match speed.take() {
                        Some(speed) if end.code == Some(0) && speed.is_sound() => {
                            let timings = folder.timings().unwrap_or_default();
                            folder.write_json("timings.json", &Timings { speed: Some(speed), ..timings })?;
                        }
                        _ if self.is_interrupted() => {}
                        _ => report(Event::Untimed(cell, end.cause)),
                    }
                    return Ok(());
                }
                None => report(Event::Idle),
            }
        }
    }
}
