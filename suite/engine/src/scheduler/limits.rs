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
    use super::*;

    /// A clock on which this much time has passed since the start, the last progress and the request to stop.
    fn clock(started: u64, progressed: u64, asked: Option<u64>) -> Clock {
        let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap_or_else(Instant::now);
        Clock { started: ago(started), progressed: ago(progressed), asked: asked.map(ago), ..Clock::start() }
    }

    #[test]
    fn warns_before_a_limit_bites_and_kills_what_does_not_stop() {
        let [step, cell, grace] = [60, 100, 20].map(Duration::from_secs);
        let limits = Limits { step, cell: Some(cell), grace };
        assert_eq!(clock(10, 10, None).due(&limits), Due::Nothing);
        let mut slow = clock(40, 40, None);
        assert_eq!(slow.due(&limits), Due::Warning(step, "--step-timeout"));
        assert_eq!(slow.due(&limits), Due::Nothing);
        assert_eq!(clock(70, 70, None).due(&limits), Due::Hangs(step));
        let mut long = clock(85, 5, None);
        assert_eq!(long.due(&limits), Due::Warning(cell, "--cell-timeout"));
        assert_eq!(long.due(&limits), Due::Nothing);
        assert_eq!(clock(105, 5, None).due(&limits), Due::OutOfTime(cell));
        assert_eq!(clock(105, 5, Some(10)).due(&limits), Due::Nothing);
        assert_eq!(clock(105, 5, Some(30)).due(&limits), Due::Kill);
        slow.progress();
        assert_eq!(slow.due(&limits), Due::Nothing);
        assert_eq!(clock(9999, 5, None).due(&Limits { cell: None, ..limits }), Due::Nothing);
    }
}
