use candle_core::{DType, Device};

use super::*;

fn rows(total: usize, rows: &[usize]) -> RowSet {
    RowSet::from_mask(&(0..total).map(|row| rows.contains(&row)).collect::<Vec<bool>>())
}

/// Entries of eight numbers, of which nothing but the number is kept.
#[derive(Default)]
struct Plain(usize);

impl Entries for Plain {
    fn write(&mut self, entries: &[u32], keys_values: &Tensor) -> Result<()> {
        assert_eq!(keys_values.dims(), [entries.len(), 8]);
        self.0 = entries.iter().map(|entry| *entry as usize + 1).chain([self.0]).max().unwrap_or(0);
        Ok(())
    }

    fn entry_bytes(&self) -> usize {
        8 * 4
    }

    fn allocated_bytes(&self) -> usize {
        self.0 * self.entry_bytes()
    }
}

/// Those of another layer.
struct Other;

impl Entries for Other {
    fn write(&mut self, _: &[u32], _: &Tensor) -> Result<()> {
        Ok(())
    }

    fn entry_bytes(&self) -> usize {
        0
    }

    fn allocated_bytes(&self) -> usize {
        0
    }
}

fn store(cache: &mut KeyValueCache) {
    let keys_values = Tensor::zeros((cache.projected.len(), 8), DType::F32, &Device::Cpu).unwrap();
    cache.store(0, || Ok(Plain::default()), &keys_values).unwrap();
}

/// Two sequences of two and one tokens; the tokens halt after 1, 3 and 2 of 4 steps.
fn filled(mode: HaltedKeysValues) -> (KeyValueCache, TokenLayout) {
    let mut cache = KeyValueCache::new(mode, 4, 2).unwrap();
    let layout = TokenLayout::new(&[2, 1], &[7, 8]).unwrap();
    cache.extend(&layout).unwrap();
    let frozen = |frozen: &[(u32, u32)]| {
        if mode == HaltedKeysValues::FreezeState { frozen.to_vec() } else { Vec::new() }
    };
    cache.begin(1, &layout, &RowSet::all(3), &[]);
    store(&mut cache);
    cache.begin(2, &layout, &rows(3, &[1, 2]), &frozen(&[(0, 1)]));
    store(&mut cache);
    cache.begin(3, &layout, &rows(3, &[1]), &frozen(&[(2, 2)]));
    store(&mut cache);
    cache.begin(4, &layout, &rows(3, &[]), &frozen(&[(1, 3)]));
    store(&mut cache);
    (cache, layout)
}

#[test]
fn tokens_hold_the_entries_of_their_steps_alone() {
    // Entries in the order of allocation: three in step 1, then running rows before frozen ones.
    for (mode, expected, used) in [
        (HaltedKeysValues::FreezeState, [vec![0, 5, 5, 5], vec![1, 3, 6, 8], vec![2, 4, 7, 7]], 9),
        (HaltedKeysValues::LatestKv, [vec![0, 0, 0, 0], vec![1, 3, 5, 5], vec![2, 4, 4, 4]], 6),
        (
            HaltedKeysValues::Skip,
            [vec![0, NO_ENTRY, NO_ENTRY, NO_ENTRY], vec![1, 3, 5, NO_ENTRY], vec![2, 4, NO_ENTRY, NO_ENTRY]],
            6,
        ),
    ] {
        let (cache, _) = filled(mode);
        let entries = |sequence: usize, position: usize| -> Vec<u32> {
            cache.sequences[sequence].iter().map(|table| table[position]).collect()
        };
        assert_eq!([entries(0, 0), entries(0, 1), entries(1, 0)], expected, "{mode:?}");
        assert_eq!((cache.used(), cache.most_used()), (used, used), "{mode:?}");
        assert_eq!((cache.entry_bytes(), cache.allocated_bytes()), (32, used * 32), "{mode:?}");
    }
}

#[test]
fn entries_of_a_sequence_that_leaves_are_used_again() {
    for mode in [HaltedKeysValues::FreezeState, HaltedKeysValues::LatestKv, HaltedKeysValues::Skip] {
        let (mut cache, _) = filled(mode);
        let (used, allocated) = (cache.used(), cache.allocated_bytes());
        cache.keep(&[false, true]);
        let left = if mode == HaltedKeysValues::FreezeState { 3 } else { 2 };
        assert_eq!(cache.used(), left, "{mode:?}");
        let more = TokenLayout::after(&[1], &[used - left], &[8]).unwrap();
        cache.extend(&more).unwrap();
        cache.begin(1, &more, &RowSet::all(used - left), &[]);
        store(&mut cache);
        let taken: std::collections::BTreeSet<u32> = cache.projected.iter().copied().collect();
        let old = cache.sequences[0].iter().map(|table| table[0]);
        assert_eq!(taken.len(), used - left, "{mode:?}: no entry is given twice");
        assert!(taken.iter().all(|entry| (*entry as usize) < used), "{mode:?}: free entries come first");
        assert!(old.into_iter().all(|entry| !taken.contains(&entry)), "{mode:?}: none that is in use");
        assert_eq!((cache.used(), cache.most_used()), (used, used), "{mode:?}");
        assert_eq!(cache.allocated_bytes(), allocated, "{mode:?}");
    }
}

#[test]
fn wrong_tokens_and_modes_are_refused() {
    let error = KeyValueCache::new(HaltedKeysValues::RunOn, 4, 1).err().unwrap().to_string();
    assert!(error.contains("freeze-state, latest-kv or skip") && error.contains("run-on"), "{error}");
    let (mut cache, layout) = filled(HaltedKeysValues::LatestKv);
    let error = cache.extend(&layout).unwrap_err().to_string();
    assert!(error.contains("first new position of sequence 0"), "{error}");
    let other = TokenLayout::after(&[2], &[1], &[7]).unwrap();
    assert!(cache.extend(&other).unwrap_err().to_string().contains("2 as in the cache"));
    // A new token before it has been projected.
    cache.extend(&TokenLayout::after(&[2, 1], &[1, 1], &[7, 8]).unwrap()).unwrap();
    let next = TokenLayout::after(&[2, 1], &[1, 1], &[7, 8]).unwrap();
    assert!(cache.seen(&next, &RowSet::all(2)).unwrap_err().to_string().contains("no keys at step 4 of token 2"));
    assert!(cache.entries::<Plain>(3).err().unwrap().to_string().contains("layer 3"));
    assert!(cache.entries::<Plain>(0).is_ok());
    assert!(cache.entries::<Other>(0).err().unwrap().to_string().contains("layer 0"));
}
