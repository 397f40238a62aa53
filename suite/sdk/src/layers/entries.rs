//! Entries of a cache as the fused attention reads them.

use candle_core::Tensor;

use crate::cache::{Entries, NO_ENTRY};
use crate::error::Result;
use crate::ops::{self, KeyValueEntries};

const _: () = assert!(NO_ENTRY == ops::NO_ENTRY);

impl Entries for KeyValueEntries {
    fn write(&mut self, entries: &[u32], keys_values: &Tensor) -> Result<()> {
        Ok(self.write(entries, keys_values)?)
    }

    fn entry_bytes(&self) -> usize {
        self.entry_bytes()
    }

    fn allocated_bytes(&self) -> usize {
        self.allocated_bytes()
    }
}
