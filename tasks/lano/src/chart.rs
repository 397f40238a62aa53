//! Buffers of the parser: items that end at the newest token, and edges that wait at every earlier one.

use crate::normal_form::NormalForm;

/// Items that end at one token: (start, symbol) with a probability. The buffers are reused for the next token.
#[derive(Debug, Clone, Default)]
pub struct Items {
    symbols: usize,
    values: Vec<f64>,
    stamps: Vec<u32>,
    now: u32,
    by_rank: Vec<Vec<u32>>,
}

impl Items {
    /// No items yet.
    pub fn new(form: &NormalForm) -> Self {
        let by_rank = vec![Vec::new(); form.highest_rank() + 1];
        Self { symbols: form.symbols, by_rank, ..Self::default() }
    }

    /// Forgets all items and makes room for starts below `starts`.
    pub fn clear(&mut self, starts: usize) {
        let cells = starts * self.symbols;
        if self.values.len() < cells {
            self.values.resize(cells, 0.0);
            self.stamps.resize(cells, 0);
        }
        self.by_rank.iter_mut().for_each(Vec::clear);
        self.now += 1;
    }

    /// Adds `amount` to an item; returns whether it existed.
    pub fn add(&mut self, cell: usize, rank: usize, amount: f64) -> bool {
        let known = self.stamps[cell] == self.now;
        if known {
            self.values[cell] += amount;
        } else {
            self.stamps[cell] = self.now;
            self.values[cell] = amount;
            self.by_rank[rank].push(cell as u32);
        }
        known
    }

    /// The cell of (start, symbol).
    pub fn cell(&self, start: usize, symbol: usize) -> usize {
        start * self.symbols + symbol
    }

    /// Probability of an item, 0 if there is none.
    pub fn get(&self, cell: usize) -> f64 {
        match self.stamps.get(cell) {
            Some(stamp) if *stamp == self.now => self.values[cell],
            _ => 0.0,
        }
    }

    /// Item number `index` of a rank: its start, symbol and probability.
    pub fn nth(&self, rank: usize, index: usize) -> Option<(usize, usize, f64)> {
        let cell = *self.by_rank[rank].get(index)? as usize;
        Some((cell / self.symbols, cell % self.symbols, self.values[cell]))
    }

    /// Cells of all items, rank by rank.
    pub fn cells(&self) -> impl Iterator<Item = u32> + '_ {
        self.by_rank.iter().flatten().copied()
    }

    /// Number of items.
    pub fn count(&self) -> usize {
        self.by_rank.iter().map(Vec::len).sum()
    }

    /// Number of items whose symbol is below `bound`.
    pub fn count_below(&self, bound: usize) -> usize {
        self.cells().filter(|cell| (*cell as usize) % self.symbols < bound).count()
    }
}

/// A parent that has its first child and waits for its second.
#[derive(Debug, Clone, Copy)]
pub struct Edge {
    /// Cell of (start, parent).
    pub cell: u32,
    /// Rank of the parent.
    pub rank: u32,
    /// Its weight.
    pub weight: f64,
}

/// Edges of every token, by the symbol that they wait for.
#[derive(Debug, Clone, Default)]
pub struct Edges {
    symbols: usize,
    offsets: Vec<u32>,
    edges: Vec<Edge>,
    pending: Vec<(u32, Edge)>,
    next: Vec<u32>,
}

impl Edges {
    /// No edges yet.
    pub fn new(form: &NormalForm) -> Self {
        Self { symbols: form.symbols, next: vec![0; form.symbols], ..Self::default() }
    }

    /// Forgets all edges.
    pub fn clear(&mut self) {
        self.offsets.clear();
        self.edges.clear();
    }

    /// Adds an edge to the token that [`seal`](Self::seal) will close.
    pub fn push(&mut self, right: usize, edge: Edge) {
        self.pending.push((right as u32, edge));
    }

    /// Closes a token: counting-sorts its edges by the symbol that they wait for.
    pub fn seal(&mut self) {
        self.next.fill(0);
        for (right, _) in &self.pending {
            self.next[*right as usize] += 1;
        }
        let mut offset = self.edges.len() as u32;
        for next in &mut self.next {
            self.offsets.push(offset);
            (*next, offset) = (offset, offset + *next);
        }
        self.offsets.push(offset);
        self.edges.resize(offset as usize, Edge { cell: 0, rank: 0, weight: 0.0 });
        for (right, edge) in self.pending.drain(..) {
            let place = &mut self.next[right as usize];
            self.edges[*place as usize] = edge;
            *place += 1;
        }
    }

    /// The edges that wait for `right` at `token`.
    pub fn waiting(&self, token: usize, right: usize) -> &[Edge] {
        let place = token * (self.symbols + 1) + right;
        &self.edges[self.offsets[place] as usize..self.offsets[place + 1] as usize]
    }
}
