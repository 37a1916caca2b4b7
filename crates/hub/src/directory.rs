//! Which shards may have members of a room, for those who need not ask all of them.
//!
//! Owns a table of counters per shard, which that shard alone writes, and which everybody reads
//! without a lock: a room is counted in two places of it that depend on its name. Who finds one of
//! them empty knows that the room is not there; who finds both taken knows nothing. Joins that have
//! been asked for and not carried out yet are counted as well. Does not own who the members are.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use crate::room::Room;

/// Places of one table. With 65,000 rooms on a shard six of seven that are not there are known not
/// to be; it costs a byte each.
const PLACES: usize = 1 << 18;
/// Joins that are under way are few.
const COMING_PLACES: usize = 1 << 10;

/// A set of shards.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ShardSet([u64; crate::instance::SHARDS_MAX / 64]);

impl ShardSet {
    /// The first `count`.
    pub(crate) fn first(count: usize) -> Self {
        let mut set = Self::default();
        (0..count).for_each(|shard| set.insert(shard));
        set
    }

    pub(crate) fn insert(&mut self, shard: usize) {
        if let Some(word) = self.0.get_mut(shard / 64) {
            *word |= 1 << (shard % 64);
        }
    }

    pub(crate) fn add(&mut self, others: Self) {
        self.0.iter_mut().zip(others.0).for_each(|(word, more)| *word |= more);
    }

    /// Whether `shard` is one of them.
    #[must_use]
    pub fn contains(&self, shard: usize) -> bool {
        self.0.get(shard / 64).is_some_and(|word| word & 1 << (shard % 64) != 0)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The rooms of one shard. It alone writes.
struct Table(Box<[AtomicU8]>);

impl Table {
    fn new() -> Self {
        Self((0..PLACES).map(|_| AtomicU8::new(0)).collect())
    }

    fn add(&self, at: usize) {
        let count = self.0[at].load(Ordering::Relaxed);
        self.0[at].store(count.saturating_add(1), Ordering::Release);
    }

    /// A counter that was full once stays so.
    fn remove(&self, at: usize) {
        let count = self.0[at].load(Ordering::Relaxed);
        if count < u8::MAX {
            self.0[at].store(count.saturating_sub(1), Ordering::Release);
        }
    }

    fn may_have(&self, places: [usize; 2]) -> bool {
        places.iter().all(|at| self.0[*at].load(Ordering::Acquire) > 0)
    }
}

/// The directory of an instance.
pub(crate) struct Directory {
    /// Random: nobody can choose names that share a place.
    hasher: RandomState,
    shards: Box<[Table]>,
    coming: Box<[AtomicU32]>,
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory").field("shards", &self.shards.len()).finish_non_exhaustive()
    }
}

impl Directory {
    pub(crate) fn new(shards: usize) -> Arc<Self> {
        Arc::new(Self {
            hasher: RandomState::new(),
            shards: (0..shards).map(|_| Table::new()).collect(),
            coming: (0..COMING_PLACES).map(|_| AtomicU32::new(0)).collect(),
        })
    }

    fn places(&self, namespace: &str, room: &Room) -> [usize; 2] {
        let hash = self.hasher.hash_one((namespace, room));
        let place = |bits: u64| usize::try_from(bits % PLACES as u64).unwrap_or(0);
        [place(hash), place(hash >> 32)]
    }

    fn coming(&self, places: [usize; 2]) -> &AtomicU32 {
        &self.coming[places[0] % COMING_PLACES]
    }

    /// Expects that sockets of any shard join rooms, until the result is dropped.
    pub(crate) fn expect(self: &Arc<Self>, namespace: &str, rooms: &[Room]) -> Expected {
        let places: Box<_> = rooms.iter().map(|room| self.places(namespace, room)).collect();
        for &places in &places {
            self.coming(places).fetch_add(1, Ordering::SeqCst);
        }
        Expected { directory: self.clone(), places }
    }

    /// The shards that may have members of one of these rooms, or will when all joins that have been
    /// asked for are carried out.
    pub(crate) fn shards_of(&self, namespace: &str, rooms: &[Room]) -> ShardSet {
        let (mut found, all) = (ShardSet::default(), ShardSet::first(self.shards.len()));
        for room in rooms {
            if let Room::Socket(id) = room {
                if id.shard() < self.shards.len() {
                    found.insert(id.shard());
                }
                continue;
            }
            let places = self.places(namespace, room);
            // First: where a join was carried out, the room is there before it is not coming any more.
            if self.coming(places).load(Ordering::SeqCst) > 0 {
                return all;
            }
            for (shard, table) in self.shards.iter().enumerate() {
                if table.may_have(places) {
                    found.insert(shard);
                }
            }
            if found == all {
                return all;
            }
        }
        found
    }
}

/// Joins that were asked for and are not carried out everywhere yet.
#[derive(Debug)]
pub struct Expected {
    directory: Arc<Directory>,
    places: Box<[[usize; 2]]>,
}

impl Drop for Expected {
    fn drop(&mut self) {
        for &places in &self.places {
            self.directory.coming(places).fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// One shard's part of the directory, in its hands alone.
#[derive(Debug)]
pub(crate) struct RoomsHere {
    directory: Arc<Directory>,
    shard: usize,
}

impl RoomsHere {
    pub(crate) fn new(directory: Arc<Directory>, shard: usize) -> Self {
        Self { directory, shard }
    }

    /// A room has its first member here.
    pub(crate) fn begin(&self, namespace: &str, room: &Room) {
        let places = self.directory.places(namespace, room);
        places.iter().for_each(|at| self.directory.shards[self.shard].add(*at));
    }

    /// It has none any more.
    pub(crate) fn end(&self, namespace: &str, room: &Room) {
        let places = self.directory.places(namespace, room);
        places.iter().for_each(|at| self.directory.shards[self.shard].remove(*at));
    }
}
