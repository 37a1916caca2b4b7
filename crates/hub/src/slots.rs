//! A slab whose keys carry a generation, so that a key kept too long finds nothing instead of a
//! stranger.

/// Names one value of a slab. Eight bytes, cheap to copy.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    slot: u32,
    generation: u32,
}

impl Key {
    /// The place of the value: dense, reused after removal. Parallel tables are indexed by it.
    #[must_use]
    pub fn slot(self) -> usize {
        self.slot as usize
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

/// The generation stands beside the beginning of the value, which is what is touched with it.
#[derive(Debug)]
#[repr(C)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

/// Values by [`Key`]; iteration is in the order of the slots, which makes it deterministic.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    /// The generation of slots that are made from now on: none that was given before.
    first_generation: u32,
}

/// An empty slab of more slots than this gives its memory back.
const EMPTY_SLOTS_MAX: usize = 64;

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), first_generation: 0 }
    }
}

impl<T> Slots<T> {
    /// The key that the next [`Self::insert`] will give.
    pub(crate) fn next_key(&self) -> Key {
        match self.free.last() {
            Some(&slot) => Key { slot, generation: self.slots[slot as usize].generation },
            None => Key { slot: narrow(self.slots.len()), generation: self.first_generation },
        }
    }

    pub(crate) fn insert(&mut self, value: T) -> Key {
        let key = self.next_key();
        if self.free.pop().is_some() {
            self.slots[key.slot()].value = Some(value);
        } else {
            self.slots.push(Slot { generation: key.generation, value: Some(value) });
        }
        key
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get_mut(key.slot())?;
        if slot.generation != key.generation {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.slot);
        if self.free.len() == self.slots.len() && self.slots.len() > EMPTY_SLOTS_MAX {
            let last = self.slots.iter().map(|slot| slot.generation).max();
            self.first_generation = last.unwrap_or(self.first_generation);
            self.slots = Vec::new();
            self.free = Vec::new();
        }
        Some(value)
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let slot = self.slots.get(key.slot())?;
        if slot.generation == key.generation { slot.value.as_ref() } else { None }
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.slot())?;
        if slot.generation == key.generation { slot.value.as_mut() } else { None }
    }

    /// The key of the value in `slot`, if there is one.
    pub(crate) fn key_at(&self, slot: usize) -> Option<Key> {
        let place = self.slots.get(slot)?;
        place.value.as_ref()?;
        Some(Key { slot: narrow(slot), generation: place.generation })
    }

    /// One more than the highest slot ever used.
    pub(crate) fn bound(&self) -> usize {
        self.slots.len()
    }

    /// The value in `slot`, whatever its generation.
    pub(crate) fn at_mut(&mut self, slot: usize) -> Option<&mut T> {
        self.slots.get_mut(slot)?.value.as_mut()
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots.iter().enumerate().filter_map(|(slot, place)| {
            let value = place.value.as_ref()?;
            Some((Key { slot: narrow(slot), generation: place.generation }, value))
        })
    }
}

/// Descriptors bound the number of values far below `u32::MAX`; saturating keeps this total.
fn narrow(slot: usize) -> u32 {
    u32::try_from(slot).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::Slots;

    #[test]
    fn a_large_slab_that_is_empty_gives_its_memory_back() {
        let mut slots = Slots::default();
        let keys: Vec<_> = (0..=super::EMPTY_SLOTS_MAX).map(|n| slots.insert(n)).collect();
        for &key in &keys {
            slots.remove(key);
        }
        assert_eq!((slots.bound(), slots.len()), (0, 0));
        let key = slots.insert(7);
        assert!(keys.iter().all(|&old| slots.get(old).is_none()), "stale keys stay stale");
        assert_eq!(slots.get(key), Some(&7));
    }

    #[test]
    fn a_stale_key_finds_nothing() {
        let mut slots = Slots::default();
        let first = slots.insert("first");
        assert_eq!(slots.remove(first), Some("first"));
        let second = slots.insert("second");
        assert_eq!(first.slot(), second.slot(), "the slot is reused");
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.get(second), Some(&"second"));
        assert_eq!(slots.len(), 1);
    }
}
