//! An output while it is computed: its entries, and when each of them was settled.

/// The entries of an answer with the steps at which they changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The printed entries, in order.
    pub entries: Vec<i32>,
    /// For each entry, the step at which it got its final value; 0 if it started with it.
    pub settled: Vec<u32>,
    /// Number of times that each entry changed its value.
    pub changes: Vec<u32>,
    /// Number of snapshots so far; the first one shows the start.
    snapshots: u32,
}

impl Trace {
    /// Starts from `entries`, before the first snapshot.
    pub fn new(entries: Vec<i32>) -> Self {
        let count = entries.len();
        Self { entries, settled: vec![0; count], changes: vec![0; count], snapshots: 0 }
    }

    /// Starts from `entries`, which the first snapshot shows.
    pub fn started(entries: Vec<i32>) -> Self {
        let mut trace = Self::new(entries);
        trace.snapshot();
        trace
    }

    /// Every entry points at itself.
    pub fn pointers(count: usize) -> Self {
        Self::new((0..count as i32).collect())
    }

    /// Ends a step, which makes the changes since the last one visible.
    pub fn snapshot(&mut self) {
        self.snapshots += 1;
    }

    /// Sets an entry.
    pub fn set(&mut self, entry: usize, value: usize) {
        self.put(entry, value as i32);
    }

    /// Sets an entry to a value that may be negative.
    pub fn put(&mut self, entry: usize, value: i32) {
        if self.entries[entry] != value {
            self.entries[entry] = value;
            self.settled[entry] = self.snapshots;
            self.changes[entry] += 1;
        }
    }

    /// Exchanges two entries.
    pub fn swap(&mut self, first: usize, second: usize) {
        let (left, right) = (self.entries[first], self.entries[second]);
        self.put(first, right);
        self.put(second, left);
    }

    /// The value of an entry that is an index.
    pub fn index(&self, entry: usize) -> usize {
        self.entries[entry] as usize
    }

    /// Number of steps after the start.
    pub fn steps(&self) -> u32 {
        self.snapshots.saturating_sub(1)
    }
}
