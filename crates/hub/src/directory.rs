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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand_chacha::ChaCha12Rng;
    use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

    use super::*;
    use crate::id::SocketId;
    use crate::slots::Slots;

    const SHARDS: usize = 70;

    fn room(number: u32) -> Room {
        if number.is_multiple_of(3) {
            Room::from(f64::from(number))
        } else {
            Room::from(format!("r{number}"))
        }
    }

    struct World {
        directory: Arc<Directory>,
        here: Vec<RoomsHere>,
        rooms: Vec<HashSet<(&'static str, Room)>>,
        expected: Vec<(Expected, &'static str, Room)>,
        random: ChaCha12Rng,
    }

    impl World {
        fn new(seed: u64) -> Self {
            let directory = Directory::new(SHARDS);
            let here = |shard| RoomsHere::new(directory.clone(), shard);
            Self {
                here: (0..SHARDS).map(here).collect(),
                rooms: vec![HashSet::new(); SHARDS],
                expected: Vec::new(),
                random: ChaCha12Rng::seed_from_u64(seed),
                directory,
            }
        }

        fn below(&mut self, end: u32) -> u32 {
            self.random.next_u32() % end
        }

        fn some(&mut self) -> (&'static str, Room) {
            (["/", "/a"][self.below(2) as usize], room(self.below(60)))
        }

        fn step(&mut self) {
            let (namespace, room) = self.some();
            match self.below(20) {
                0 => {
                    let rooms = std::slice::from_ref(&room);
                    let expected = self.directory.expect(namespace, rooms);
                    self.expected.push((expected, namespace, room));
                }
                1 => drop(self.expected.pop()),
                step => {
                    let shard = self.below(70) as usize;
                    let it = (namespace, room);
                    if step < 11 && self.rooms[shard].insert(it.clone()) {
                        self.here[shard].begin(namespace, &it.1);
                    } else if step >= 11 && self.rooms[shard].remove(&it) {
                        self.here[shard].end(namespace, &it.1);
                    }
                }
            }
        }

        fn check(&mut self) {
            let (namespace, first) = self.some();
            let rooms = [first, self.some().1];
            let found = self.directory.shards_of(namespace, &rooms);
            let is_coming = self
                .expected
                .iter()
                .any(|(_, its, room)| *its == namespace && rooms.contains(room));
            for (shard, there) in self.rooms.iter().enumerate() {
                let is_there = rooms.iter().any(|it| there.contains(&(namespace, it.clone())));
                assert!(found.contains(shard) || !(is_there || is_coming), "shard {shard}");
            }
        }
    }

    #[test]
    fn whoever_has_a_room_or_may_have_it_soon_is_found() {
        for seed in 0..4 {
            let mut world = World::new(seed);
            for _ in 0..2_000 {
                world.step();
                world.check();
            }
            world.expected.clear();
            for (shard, there) in world.rooms.iter().enumerate() {
                there.iter().for_each(|(name, room)| world.here[shard].end(name, room));
            }
            let directory = &world.directory;
            assert!(directory.coming.iter().all(|it| it.load(Ordering::SeqCst) == 0));
            let is_empty = |it: &Table| it.0.iter().all(|it| it.load(Ordering::Relaxed) == 0);
            assert!(directory.shards.iter().all(is_empty), "nothing is left, seed {seed}");
        }
    }

    #[test]
    fn rooms_that_are_nowhere_are_seldom_found() {
        let directory = Directory::new(2);
        let here = [0, 1].map(|shard| RoomsHere::new(directory.clone(), shard));
        for number in 0..20_000 {
            here[(number % 2) as usize].begin("/", &room(number));
        }
        let is_found =
            |namespace, number: u32| !directory.shards_of(namespace, &[room(number)]).is_empty();
        assert!((0..20_000).all(|number| is_found("/", number)));
        let wrong = (0..20_000).filter(|number| is_found("/a", *number)).count();
        assert!(wrong < 1_000, "{wrong} of 20,000");
    }

    #[test]
    fn a_socket_is_on_its_shard_and_counters_that_are_full_stay() {
        let directory = Directory::new(2);
        let socket = |shard| SocketId::new(shard, Slots::<()>::default().next_key(), [1; 10]);
        for (shard, expected) in [(0, [true, false]), (1, [false, true]), (2, [false, false])] {
            let found = directory.shards_of("/", &[Room::Socket(socket(shard))]);
            assert_eq!([0, 1].map(|it| found.contains(it)), expected);
        }
        let table = &directory.shards[0];
        (0..300).for_each(|_| table.add(7));
        (0..300).for_each(|_| table.remove(7));
        assert!(table.may_have([7, 7]), "nobody knows how many there are");
    }
}
