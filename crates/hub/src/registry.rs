//! The namespaces of an instance, by name. Touched when a socket joins or ends, not by messages.
//!
//! A namespace has an index while it exists, the same on every shard. Those that the instance was
//! made with exist for ever; others from the first socket to the last. An index may be given away
//! again: what is placed in the order bears the serial number of its namespace beside the index, so
//! nothing that was meant for the namespace of before is taken for the new one's.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the shards share of a namespace.
#[derive(Debug)]
pub(crate) struct SharedNamespace {
    name: Box<str>,
    /// Never given away again, as the index is.
    serial: u64,
    /// One counter for all sockets of the namespace, on every shard.
    next_ack: AtomicU32,
}

impl SharedNamespace {
    fn new(name: &str, serial: u64) -> Arc<Self> {
        Arc::new(Self { name: name.into(), serial, next_ack: AtomicU32::new(0) })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn serial(&self) -> u64 {
        self.serial
    }

    /// The next ack id, below 2^31 since some clients parse it as an `int`.
    pub(crate) fn next_ack(&self) -> u32 {
        self.next_ack.fetch_add(1, Ordering::Relaxed) & 0x7fff_ffff
    }

    pub(crate) fn set_next_ack(&self, id: u32) {
        self.next_ack.store(id, Ordering::Relaxed);
    }
}

#[derive(Debug)]
struct Place {
    shared: Arc<SharedNamespace>,
    /// `None` if it exists for ever.
    sockets: Option<usize>,
}

#[derive(Debug, Default)]
struct Places {
    by_name: HashMap<Box<str>, usize>,
    places: Vec<Option<Place>>,
    free: Vec<usize>,
    /// Namespaces made so far.
    made: u64,
}

/// All namespaces of an instance.
#[derive(Debug)]
pub(crate) struct Registry {
    places: Mutex<Places>,
    dynamic_max: usize,
}

impl Registry {
    pub(crate) fn new(names: &[&str], dynamic_max: usize) -> Self {
        let mut places = Places::default();
        for &name in names {
            places.by_name.insert(name.into(), places.places.len());
            let shared = places.make(name);
            places.places.push(Some(Place { shared, sockets: None }));
        }
        Self { places: Mutex::new(places), dynamic_max }
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that exist now, in the order of their indices, without gaps for the ones that the
    /// instance was made with.
    pub(crate) fn all(&self) -> Vec<Arc<SharedNamespace>> {
        self.lock().places.iter().flatten().map(|place| place.shared.clone()).collect()
    }

    /// Those that exist for ever.
    pub(crate) fn fixed(&self) -> Vec<Arc<SharedNamespace>> {
        let places = self.lock();
        let fixed = places.places.iter().flatten().filter(|place| place.sockets.is_none());
        fixed.map(|place| place.shared.clone()).collect()
    }

    /// How many exist.
    pub(crate) fn len(&self) -> usize {
        self.lock().by_name.len()
    }

    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.lock().by_name.get(name).copied()
    }

    /// The same with what the shards share of it.
    pub(crate) fn get(&self, name: &str) -> Option<(usize, Arc<SharedNamespace>)> {
        let places = self.lock();
        let index = places.by_name.get(name).copied()?;
        let place = places.places[index].as_ref()?;
        Some((index, place.shared.clone()))
    }

    /// Whether it exists for ever.
    pub(crate) fn is_static(&self, name: &str) -> bool {
        let places = self.lock();
        let place = places.by_name.get(name).and_then(|&index| places.places[index].as_ref());
        place.is_some_and(|place| place.sockets.is_none())
    }

    /// One more socket; it is made if it does not exist, and whether it was is the last of what is
    /// returned. `None` if there are too many.
    pub(crate) fn enter(&self, name: &str) -> Option<(usize, Arc<SharedNamespace>, bool)> {
        let mut places = self.lock();
        if let Some(&index) = places.by_name.get(name) {
            let place = places.places[index].as_mut()?;
            if let Some(sockets) = &mut place.sockets {
                *sockets += 1;
            }
            return Some((index, place.shared.clone(), false));
        }
        let dynamic = places.places.len() - places.free.len();
        if dynamic >= self.dynamic_max.saturating_add(places.static_count()) {
            return None;
        }
        let shared = places.make(name);
        let place = Some(Place { shared: shared.clone(), sockets: Some(1) });
        let index = match places.free.pop() {
            Some(index) => {
                places.places[index] = place;
                index
            }
            None => {
                places.places.push(place);
                places.places.len() - 1
            }
        };
        places.by_name.insert(name.into(), index);
        Some((index, shared, true))
    }

    /// One socket less; with the last one it vanishes and is returned, unless it exists for ever.
    pub(crate) fn leave(&self, index: usize) -> Option<Arc<SharedNamespace>> {
        let mut places = self.lock();
        let sockets = places.places.get_mut(index)?.as_mut()?.sockets.as_mut()?;
        *sockets -= 1;
        if *sockets > 0 {
            return None;
        }
        let place = places.places[index].take()?;
        places.by_name.remove(place.shared.name());
        places.free.push(index);
        Some(place.shared)
    }
}

impl Places {
    fn make(&mut self, name: &str) -> Arc<SharedNamespace> {
        self.made += 1;
        SharedNamespace::new(name, self.made)
    }

    fn static_count(&self) -> usize {
        self.places
            .iter()
            .take_while(|it| it.as_ref().is_some_and(|it| it.sockets.is_none()))
            .count()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::Registry;
    use crate::{
        Alone, Application, Audience, Broadcast, ConnectRequest, Context, Decision, Handshake,
        Happening, Hub, Instance, Key, Limits, Packet,
    };

    /// Lets everybody into everything.
    struct Open;

    impl Application for Open {
        type Data = ();

        fn offers(&mut self, _: &ConnectRequest<'_>) -> bool {
            true
        }

        fn authorize(&mut self, _: &ConnectRequest<'_>) -> Decision<()> {
            Decision::Admit(())
        }

        fn handle(&mut self, _: &mut Context<'_, ()>, _: Happening<'_>) {}
    }

    fn join(hub: &mut Hub<Open>, name: &str) -> Key {
        let key = hub.open(0, Handshake::new(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        hub.on_connect(key, name, None);
        key
    }

    /// Between the two steps of a broadcast by name, another shard may have ended the one namespace
    /// and given its index to the next.
    #[test]
    fn what_was_meant_for_the_namespace_of_before_reaches_nobody() {
        let instance = Instance::new(Limits::default(), &["/"], 2, 1);
        let [mut one, mut two] =
            [0, 1].map(|shard| Hub::new(instance.clone(), shard, [7; 32], Open, Box::new(Alone)));
        let old = join(&mut two, "/old");
        let index = one.core().look_up("/old").expect("it exists");
        two.transport_ended(0, old, false);
        join(&mut two, "/new");
        assert_eq!(instance.namespaces().find("/new"), Some(index), "the index is given away");
        let packet = Packet::new(b"[\"a\"]", &[]);
        for (name, expected) in [("/old", 0), ("/new", 1)] {
            if name == "/new" {
                assert_eq!(one.core().look_up(name), Some(index));
            }
            let before = two.stats().deliveries.get();
            let broadcast = Broadcast::new(packet.clone(), Audience::all());
            one.core().broadcast(index, broadcast, false).expect("within the bounds");
            two.catch_up(0);
            assert_eq!(two.stats().deliveries.get() - before, expected, "{name}");
        }
    }

    #[test]
    fn dynamic_namespaces_vanish_with_their_last_socket() {
        let registry = Registry::new(&["/", "/a"], 1);
        let (index, shared, _) = registry.enter("/b").unwrap();
        assert_eq!((index, shared.name()), (2, "/b"));
        assert_eq!(registry.enter("/b").unwrap().0, 2);
        assert!(registry.enter("/c").is_none(), "the bound is one");
        registry.leave(2);
        assert_eq!(registry.find("/b"), Some(2));
        registry.leave(2);
        assert_eq!(registry.find("/b"), None);
        assert_eq!(registry.enter("/c").unwrap().0, 2, "the index is given away again");
        assert_eq!(registry.len(), 3);
    }

    #[test]
    fn static_namespaces_stay() {
        let registry = Registry::new(&["/"], 0);
        assert_eq!(registry.enter("/").unwrap().0, 0);
        registry.leave(0);
        assert!(registry.is_static("/") && !registry.is_static("/b"));
        assert!(registry.enter("/b").is_none());
    }
}
