//! The values of the label `type`: a table that grows, and that is read without a lock.
//!
//! Owns the bounds on their number and their length. Does not own what is counted under them.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::named::NamedTypes;

/// What is counted for messages without a `tipo`.
const NO_TYPE: &str = "sin-tipo";
/// What is counted for the types that have no label of their own.
pub(super) const OTHER: &str = "otro";
/// The labels that are always there, by their places.
const FIRST: [&str; 2] = [NO_TYPE, OTHER];
const NO_TYPE_PLACE: usize = 0;
const OTHER_PLACE: usize = 1;

/// A name and its place.
type Slot = OnceLock<(Box<[u8]>, usize)>;

/// The values of the label `type`, shared by the shards and bounded in number and length.
///
/// Names come and stay, so a slot is written once. Only a name that is new takes the lock, and none
/// is once there are as many as there may be: whatever clients send then, nobody waits for anybody.
/// Those that an operator named are there from the beginning and take nobody's room.
#[derive(Debug)]
pub struct TypeNames {
    /// A name is in the first slot behind its hash that another had not taken. At least half of
    /// them stay free, so that a search ends soon.
    slots: Box<[Slot]>,
    hashes: RandomState,
    len: AtomicUsize,
    /// One name comes at a time.
    growing: Mutex<()>,
    names_max: usize,
    /// A name that comes is not longer.
    name_bytes_max: usize,
    /// Nor is any that is there: what is longer is not looked for.
    longest_bytes: usize,
}

impl TypeNames {
    /// The names that are always there, and room for `names_max` more of at most `name_bytes_max`
    /// bytes.
    #[must_use]
    pub fn new(named: &NamedTypes, names_max: usize, name_bytes_max: usize) -> Arc<Self> {
        // One that already has a label takes no other.
        let named = || named.names().filter(|it| *it != NO_TYPE.as_bytes());
        let longest = named().map(<[u8]>::len).max();
        let names_max = named().count() + names_max;
        let slots = (names_max * 2).next_power_of_two();
        let types = Self {
            slots: (0..slots).map(|_| Slot::default()).collect(),
            hashes: RandomState::new(),
            len: AtomicUsize::new(0),
            growing: Mutex::default(),
            names_max,
            name_bytes_max,
            longest_bytes: longest.unwrap_or(0).max(name_bytes_max),
        };
        for name in named() {
            types.grow(name);
        }
        Arc::new(types)
    }

    /// The place of a message's type, below [`Self::places_max`]; `kind` is its `tipo` if that is
    /// a string.
    pub(super) fn place(&self, kind: Option<&[u8]>) -> usize {
        match kind {
            None | Some([]) => NO_TYPE_PLACE,
            // A literal `otro` or `sin-tipo` from a client shares those series.
            Some(name) if name == NO_TYPE.as_bytes() => NO_TYPE_PLACE,
            Some(name) if name == OTHER.as_bytes() || name.len() > self.longest_bytes => {
                OTHER_PLACE
            }
            Some(name) if name.len() > self.name_bytes_max => {
                self.find(name).unwrap_or(OTHER_PLACE)
            }
            // A label is UTF-8: lone surrogates have none.
            Some(name) if std::str::from_utf8(name).is_err() => OTHER_PLACE,
            Some(name) => self.find(name).unwrap_or_else(|_| self.grow(name)),
        }
    }

    /// How many places there may be.
    pub(super) fn places_max(&self) -> usize {
        FIRST.len() + self.names_max
    }

    /// All labels so far with their places, in the order of those. One that comes meanwhile may be
    /// missing, and a later one there.
    pub(super) fn labels(&self) -> Vec<(usize, String)> {
        let mut named: Vec<_> = self.slots.iter().filter_map(OnceLock::get).collect();
        named.sort_unstable_by_key(|(_, place)| *place);
        let named = named.into_iter().map(|(name, place)| (*place, String::from_utf8_lossy(name)));
        let first = FIRST.into_iter().map(Cow::Borrowed).enumerate();
        first.chain(named).map(|(place, name)| (place, name.into_owned())).collect()
    }

    /// The place of a name, or the free slot that ended the search.
    fn find(&self, name: &[u8]) -> Result<usize, &Slot> {
        let mask = self.slots.len() - 1;
        let mut at = usize::try_from(self.hashes.hash_one(name) & mask as u64).unwrap_or(0);
        loop {
            match self.slots[at].get() {
                Some((taken, place)) if **taken == *name => return Ok(*place),
                Some(_) => at = (at + 1) & mask,
                None => return Err(&self.slots[at]),
            }
        }
    }

    /// The place of a name that was not there.
    fn grow(&self, name: &[u8]) -> usize {
        if self.len.load(Ordering::Acquire) >= self.names_max {
            return self.find(name).unwrap_or(OTHER_PLACE);
        }
        let _growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        let len = self.len.load(Ordering::Relaxed);
        match self.find(name) {
            Ok(place) => place,
            Err(_) if len >= self.names_max => OTHER_PLACE,
            Err(free) => {
                let place = FIRST.len() + len;
                // Nobody else fills slots: it is free.
                let _ = free.set((name.into(), place));
                self.len.store(len + 1, Ordering::Release);
                place
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{NamedTypes, TypeNames};

    /// Without any that are always there.
    fn new(names_max: usize, name_bytes_max: usize) -> Arc<TypeNames> {
        TypeNames::new(&NamedTypes::default(), names_max, name_bytes_max)
    }

    fn place(types: &TypeNames, name: &str) -> usize {
        types.place(Some(name.as_bytes()))
    }

    #[track_caller]
    fn check_labels(types: &TypeNames, named: &[&str]) {
        let labels = types.labels();
        let wanted = ["sin-tipo", "otro"].iter().chain(named).map(ToString::to_string).enumerate();
        assert_eq!(labels, wanted.collect::<Vec<_>>());
    }

    #[test]
    fn names_keep_their_places_and_the_first_ones_have_them() {
        let types = new(100, 8);
        let names: Vec<_> = (0..200).map(|n| n.to_string()).collect();
        for _ in 0..2 {
            for (n, name) in names.iter().enumerate() {
                assert_eq!(place(&types, name), if n < 100 { n + 2 } else { 1 }, "{name}");
            }
        }
        check_labels(&types, &names[..100].iter().map(|name| &**name).collect::<Vec<_>>());
        assert_eq!(types.labels().len(), types.places_max());
    }

    #[test]
    fn some_names_never_have_a_place_of_their_own() {
        let types = new(8, 4);
        let places = ["otro", "sin-tipo", "", "1234", "12345"].map(|name| place(&types, name));
        assert_eq!(places, [1, 0, 0, 2, 1]);
        assert_eq!((types.place(None), types.place(Some(&[0xed, 0xa0, 0x80]))), (0, 1));
        assert_eq!(place(&new(0, 4), "a"), 1);
    }

    #[test]
    fn what_an_operator_named_has_a_place_whatever_came_first() {
        let named = NamedTypes::parse("pedido, a-long-name, sin-tipo").unwrap();
        let types = TypeNames::new(&named, 2, 4);
        check_labels(&types, &["pedido", "a-long-name"]);
        for name in ["1", "2", "3", "4"] {
            place(&types, name);
        }
        let names = ["a-long-name", "pedido", "sin-tipo", "a-long-nama", "pedida", "2", "4"];
        assert_eq!(names.map(|name| place(&types, name)), [3, 2, 0, 1, 1, 5, 1]);
        check_labels(&types, &["pedido", "a-long-name", "1", "2"]);
        assert_eq!(types.labels().len(), types.places_max());
        // Also where clients get no label at all.
        let types = TypeNames::new(&named, 0, 1);
        assert_eq!(["pedido", "1"].map(|name| place(&types, name)), [2, 1]);
    }

    #[test]
    fn nobody_waits_for_whoever_brings_a_name_unless_with_a_new_one() {
        let types = new(2, 4);
        assert_eq!(place(&types, "a"), 2);
        let growing = types.growing.lock().unwrap();
        assert_eq!(place(&types, "a"), 2);
        check_labels(&types, &["a"]);
        drop(growing);
        assert_eq!(place(&types, "b"), 3);
        let _growing = types.growing.lock().unwrap();
        assert_eq!(["a", "b", "c", "d"].map(|name| place(&types, name)), [2, 3, 1, 1]);
        check_labels(&types, &["a", "b"]);
    }

    #[test]
    fn threads_agree_on_the_places() {
        let types = new(50, 4);
        let threads: Vec<_> = (0..4)
            .map(|from| {
                let types = types.clone();
                let name = move |n: usize| ((n + from * 25) % 100).to_string();
                std::thread::spawn(move || {
                    (0..100).map(|n| (place(&types, &name(n)), name(n))).collect::<Vec<_>>()
                })
            })
            .collect();
        let told: Vec<_> = threads.into_iter().flat_map(|it| it.join().unwrap()).collect();
        let labels = types.labels();
        assert!(labels.iter().map(|(place, _)| *place).eq(0..52));
        for (place, name) in told {
            assert_eq!(place != 1, labels.contains(&(place, name.clone())), "{name}: {place}");
        }
    }
}
