//! The probability law of random programs by the longest lag of their reads, and exact draws given it.
//!
//! A program begins with a write and ends with a read; the instructions between are independent: ignore with the ignore
//! probability, else write or read, equally likely. After a write with m instructions left, everything starts anew, so
//! tables over m make every draw exact: nothing is rejected.

use haltbench_sdk::random::Stream;

use crate::instruction::Operation;

/// Probabilities of programs, by the longest lag of their reads.
#[derive(Debug, Clone)]
pub struct Law {
    ignore: f64,
    /// Of writes, and of reads.
    write: f64,
    /// By the longest lag, from 0 on.
    levels: Vec<Level>,
}

/// Probabilities of the instructions after a write, by their number. The last of them is a read.
#[derive(Debug, Clone)]
struct Level {
    /// No read has a longer lag.
    within: Vec<f64>,
    /// No read has a longer lag, and at least one has this lag.
    reaching: Vec<f64>,
    /// By the number of instructions before the next write.
    weights: Vec<Weights>,
}

/// Probabilities of instructions without a write, then a write.
#[derive(Debug, Clone, Copy)]
struct Weights {
    /// No read has a longer lag.
    free: f64,
    /// No read has a longer lag, and one has this lag.
    hit: f64,
    /// All reads have shorter lags.
    missed: f64,
}

/// The instructions from one write to the next, or to the end.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    /// Number of instructions after the write, the next write not counted.
    length: usize,
    /// Reads occur up to this lag only.
    limit: usize,
    /// The lag at which there must be a read.
    forced: Option<usize>,
    /// Whether a later read must have the longest lag.
    is_pending: bool,
    is_last: bool,
}

impl Law {
    /// The law of programs of up to `instructions` instructions and of lags up to `longest`.
    pub fn new(ignore: f64, instructions: usize, longest: usize) -> Self {
        let mut law = Self { ignore, write: (1.0 - ignore) / 2.0, levels: Vec::with_capacity(longest + 1) };
        for lag in 0..=longest {
            let weights: Vec<Weights> = (0..instructions).map(|length| law.weights(lag, length)).collect();
            let (mut within, mut reaching) = (vec![0.0; instructions], vec![0.0; instructions]);
            for left in 1..instructions {
                let mut sums = [law.last(lag, left), law.last_at(lag, left)];
                for (Weights { free, hit, missed }, rest) in weights.iter().zip((1..left).rev()) {
                    sums[0] += free * within[rest];
                    sums[1] += hit * within[rest] + missed * reaching[rest];
                }
                [within[left], reaching[left]] = sums;
            }
            let level = Level { within, reaching, weights };
            law.levels.push(level);
        }
        law
    }

    /// Probability that a program of this many instructions ends with a read and has this longest lag.
    pub fn probability(&self, lag: usize, instructions: usize) -> f64 {
        self.levels[lag].reaching[instructions - 1]
    }

    /// Probability of an instruction that is no write.
    fn other(&self) -> f64 {
        self.write + self.ignore
    }

    /// Probability of `length` instructions without a write, and without a read of a lag above `limit`.
    fn limited(&self, length: usize, limit: usize) -> f64 {
        let below = length.min(limit);
        self.other().powi(below as i32) * self.ignore.powi((length - below) as i32)
    }

    /// Probability that the last `left` instructions have no write and end with a read, and no lag is above `lag`.
    fn last(&self, lag: usize, left: usize) -> f64 {
        if left <= lag { self.other().powi(left as i32 - 1) * self.write } else { 0.0 }
    }

    /// The same with a read of exactly this lag.
    fn last_at(&self, lag: usize, left: usize) -> f64 {
        if left == lag { self.last(lag, left) } else { 0.0 }
    }

    /// The weights of `length` instructions before a write, with lags up to `lag`.
    fn weights(&self, lag: usize, length: usize) -> Weights {
        let hit = match (length.checked_sub(lag), lag) {
            (Some(after), 1..) => self.other().powi(lag as i32 - 1) * self.write * self.ignore.powi(after as i32),
            _ => 0.0,
        };
        let missed = self.limited(length, lag.saturating_sub(1)) * self.write;
        Weights { free: self.limited(length, lag) * self.write, hit: hit * self.write, missed }
    }

    /// Draws a program of `instructions` instructions, given that the longest lag of its reads is `lag`.
    pub fn draw(&self, lag: usize, instructions: usize, stream: &mut Stream, program: &mut Vec<Operation>) {
        program.clear();
        let mut is_pending = true;
        while program.len() < instructions {
            program.push(Operation::Write);
            let left = instructions - program.len();
            let stretch = self.draw_stretch(lag, left, is_pending, stream);
            let end = if stretch.is_last { stretch.length - 1 } else { stretch.length };
            for place in 1..=end {
                let is_read = stretch.forced == Some(place)
                    || place <= stretch.limit && stream.uniform() * self.other() < self.write;
                program.push(if is_read { Operation::Read } else { Operation::Ignore });
            }
            if stretch.is_last {
                program.push(Operation::Read);
            }
            is_pending = stretch.is_pending;
        }
    }

    /// Draws the instructions from a write to the next, with `left` instructions after it.
    fn draw_stretch(&self, lag: usize, left: usize, is_pending: bool, stream: &mut Stream) -> Stretch {
        let level = &self.levels[lag];
        let mut undrawn = stream.uniform() * if is_pending { level.reaching[left] } else { level.within[left] };
        let last = if is_pending { self.last_at(lag, left) } else { self.last(lag, left) };
        let mut chosen = Stretch { length: left, limit: lag, forced: None, is_pending: false, is_last: true };
        undrawn -= last;
        for (length, (weights, rest)) in level.weights.iter().zip((1..left).rev()).enumerate() {
            if undrawn <= 0.0 {
                break;
            }
            let Weights { free, hit, missed } = *weights;
            let stretch = |limit: usize, forced: Option<usize>, is_pending: bool| Stretch {
                length,
                limit,
                forced,
                is_pending,
                is_last: false,
            };
            let options = match is_pending {
                true => [
                    (hit * level.within[rest], stretch(lag - 1, Some(lag), false)),
                    (missed * level.reaching[rest], stretch(lag - 1, None, true)),
                ],
                false => [(free * level.within[rest], stretch(lag, None, false)), (0.0, chosen)],
            };
            for (weight, stretch) in options {
                // Rounding may leave a little after the last stretch that is possible.
                if weight > 0.0 && undrawn > 0.0 {
                    undrawn -= weight;
                    chosen = stretch;
                }
            }
        }
        chosen
    }
}
