//! Limits on the time of a worker.

use std::time::{Duration, Instant};

/// How long a worker may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest time without progress: a training step, a batch of an evaluation, the draw of the instances. A worker
    /// that takes longer hangs, and fails.
    pub step: Duration,
    /// The longest time for a model or a cell, if there is a limit. A worker that takes longer is stopped; the next run
    /// continues.
    pub cell: Option<Duration>,
    /// How long a worker that was asked to stop may take before it is killed.
    pub grace: Duration,
}

/// What is due to a worker.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// A warning that it will be ended at this limit, which this flag sets.
    Warning(Duration, &'static str),
    /// It has hung for this long.
    Hangs(Duration),
    /// It has used up the time of a cell.
    OutOfTime(Duration),
    /// It did not stop in time when it was asked to.
    Kill,
}

/// The time of one worker.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    progressed: Instant,
    /// Since when it has been asked to stop.
    asked: Option<Instant>,
    is_warned_of_step: bool,
    is_warned_of_cell: bool,
}

impl Clock {
    pub fn start() -> Self {
        let now = Instant::now();
        Self { started: now, progressed: now, asked: None, is_warned_of_step: false, is_warned_of_cell: false }
    }

    /// It gets on.
    pub fn progress(&mut self) {
        self.progressed = Instant::now();
        self.is_warned_of_step = false;
    }

    /// It has been asked to stop.
    pub fn ask(&mut self) {
        self.asked.get_or_insert_with(Instant::now);
    }

    /// What is due now; every answer is given once, except for [`Due::Kill`].
    pub fn due(&mut self, limits: &Limits) -> Due {
        if let Some(asked) = self.asked {
            return if asked.elapsed() > limits.grace { Due::Kill } else { Due::Nothing };
        }
        let (still, total) = (self.progressed.elapsed(), self.started.elapsed());
        if still > limits.step {
            return Due::Hangs(limits.step);
        }
        if let Some(limit) = limits.cell.filter(|limit| total > *limit) {
            return Due::OutOfTime(limit);
        }
        if still > limits.step / 2 && !self.is_warned_of_step {
            self.is_warned_of_step = true;
            return Due::Warning(limits.step, "--step-timeout");
        }
        if let Some(limit) = limits.cell.filter(|limit| total > limit.mul_f64(0.8) && !self.is_warned_of_cell) {
            self.is_warned_of_cell = true;
            return Due::Warning(limit, "--cell-timeout");
        }
        Due::Nothing
    }
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::*;

    #[test]
    fn warns_before_a_limit_bites_and_kills_what_does_not_stop() {
        let limits = Limits {
            step: Duration::from_millis(60),
            cell: Some(Duration::from_millis(100)),
            grace: Duration::from_millis(20),
        };
        let mut clock = Clock::start();
        assert_eq!(clock.due(&limits), Due::Nothing);
        sleep(Duration::from_millis(40));
        assert_eq!(clock.due(&limits), Due::Warning(limits.step, "--step-timeout"));
        assert_eq!(clock.due(&limits), Due::Nothing);
        sleep(Duration::from_millis(30));
        assert_eq!(clock.due(&limits), Due::Hangs(limits.step));
        clock.progress();
        sleep(Duration::from_millis(20));
        assert_eq!(clock.due(&limits), Due::Warning(Duration::from_millis(100), "--cell-timeout"));
        sleep(Duration::from_millis(20));
        assert_eq!(clock.due(&limits), Due::OutOfTime(Duration::from_millis(100)));
        clock.ask();
        assert_eq!(clock.due(&limits), Due::Nothing);
        sleep(Duration::from_millis(30));
        assert_eq!(clock.due(&limits), Due::Kill);
    }
}
