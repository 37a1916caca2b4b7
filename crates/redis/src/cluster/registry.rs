//! The namespaces that this instance serves, their channels, and who it is in each.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use relay_hub::Serving;

use crate::classic::{Channels, ShortId};
use crate::link::Topic;

/// This instance in one namespace.
#[derive(Debug)]
pub(super) struct Presence {
    pub(super) namespace: Box<str>,
    pub(super) uid: ShortId,
    pub(super) channels: Channels,
}

impl Presence {
    pub(super) fn topic(&self) -> Topic {
        Topic {
            patterns: vec![self.channels.pattern.clone()],
            channels: vec![
                self.channels.responses.clone(),
                self.channels.own_responses.clone(),
                self.channels.own_counts.clone(),
            ],
            counted: self.channels.requests.clone(),
        }
    }
}

/// What a message on a channel is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Subject {
    Broadcast,
    Request,
    Response,
}

struct Served {
    /// How often it began to be served, less how often that ended.
    times: i64,
    presence: Arc<Presence>,
}

struct Inner {
    random: ChaCha12Rng,
    served: HashMap<Box<str>, Served>,
    /// Patterns and channels that are listened to.
    subjects: HashMap<Box<str>, (Subject, Arc<Presence>)>,
}

/// What has to be told to the connection when a namespace begins or ends to be served.
#[derive(Debug)]
pub(super) enum Change {
    Begun(Topic),
    /// The topic with this counted channel.
    Ended(Box<str>),
}

pub(super) struct Registry {
    prefix: Box<str>,
    /// What the ids in namespaces are made of.
    secret: [u64; 2],
    probe: Box<str>,
    inner: Mutex<Inner>,
}

impl Registry {
    pub(super) fn new(prefix: &str, seed: [u8; 32]) -> Self {
        let mut random = ChaCha12Rng::from_seed(seed);
        let secret = [random.next_u64(), random.next_u64()];
        let probe = format!("{prefix}-relay#{:016x}#", random.next_u64());
        let inner = Inner { random, served: HashMap::new(), subjects: HashMap::new() };
        Self { prefix: prefix.into(), secret, probe: probe.into(), inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The channel on which the instance hears itself.
    pub(super) fn probe(&self) -> Box<str> {
        self.probe.clone()
    }

    pub(super) fn short_id(&self) -> ShortId {
        short_id(&mut self.lock().random)
    }

    /// Counts, and tells what changes by it, before anybody else can change it again: what is told
    /// is told in the order in which it happened.
    pub(super) fn serve(&self, namespace: &str, serving: Serving, tell: impl FnOnce(Change)) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        if !inner.served.contains_key(namespace) {
            let presence = Arc::new(self.presence_of(namespace));
            inner.served.insert(namespace.into(), Served { times: 0, presence });
        }
        let Some(served) = inner.served.get_mut(namespace) else { return };
        let before = served.times;
        served.times += match serving {
            Serving::Begins => 1,
            Serving::Ends => -1,
        };
        let (is, was) = (served.times > 0, before > 0);
        let presence = served.presence.clone();
        if served.times == 0 {
            inner.served.remove(namespace);
        }
        if is == was {
            return;
        }
        for (name, subject) in subjects(&presence.channels) {
            if is {
                inner.subjects.insert(name.into(), (subject, presence.clone()));
            } else {
                inner.subjects.remove(name);
            }
        }
        let topic = presence.topic();
        tell(if is { Change::Begun(topic) } else { Change::Ended(topic.counted) });
    }

    /// The id is the same whenever the namespace comes again: what was said before it went can come
    /// back after that, and is still our own.
    fn presence_of(&self, namespace: &str) -> Presence {
        let mut hasher = DefaultHasher::new();
        (self.secret, namespace).hash(&mut hasher);
        let [bytes @ .., _, _] = hasher.finish().to_be_bytes();
        let uid = ShortId::new(bytes);
        let channels = Channels::new(&self.prefix, namespace, &uid);
        Presence { namespace: namespace.into(), uid, channels }
    }

    /// This instance in a namespace, whether it serves it or not.
    pub(super) fn presence(&self, namespace: &str) -> Arc<Presence> {
        let served = self.lock().served.get(namespace).map(|it| it.presence.clone());
        served.unwrap_or_else(|| Arc::new(self.presence_of(namespace)))
    }

    /// What a message is about that came by this pattern or channel; `None` if it is not listened
    /// to any more.
    pub(super) fn subject(&self, name: &str) -> Option<(Subject, Arc<Presence>)> {
        self.lock().subjects.get(name).cloned()
    }
}

fn subjects(channels: &Channels) -> [(&str, Subject); 5] {
    [
        (&channels.pattern, Subject::Broadcast),
        (&channels.requests, Subject::Request),
        (&channels.responses, Subject::Response),
        (&channels.own_responses, Subject::Response),
        (&channels.own_counts, Subject::Response),
    ]
}

fn short_id(random: &mut ChaCha12Rng) -> ShortId {
    let mut bytes = [0; 6];
    random.fill_bytes(&mut bytes);
    ShortId::new(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Registry {
        Registry::new("socket.io", [7; 32])
    }

    fn serve(it: &Registry, serving: Serving) -> Option<Change> {
        let mut told = None;
        it.serve("/a", serving, |change| told = Some(change));
        told
    }

    #[test]
    fn a_namespace_is_served_while_more_began_than_ended() {
        let it = registry();
        let first = it.presence("/a").uid;
        let serve = |serving| serve(&it, serving);
        assert!(serve(Serving::Ends).is_none(), "shards may be heard in any order");
        assert!(serve(Serving::Begins).is_none());
        assert!(matches!(serve(Serving::Begins), Some(Change::Begun(_))));
        assert!(serve(Serving::Begins).is_none());
        assert!(it.subject("socket.io-request#/a#").is_some());
        assert!(serve(Serving::Ends).is_none());
        assert!(
            matches!(serve(Serving::Ends), Some(Change::Ended(name)) if &*name == "socket.io-request#/a#")
        );
        assert!(it.subject("socket.io-request#/a#").is_none());
        assert!(matches!(serve(Serving::Begins), Some(Change::Begun(_))));
        assert_eq!(it.presence("/a").uid, first, "what it said before is still its own");
        assert_ne!(it.presence("/b").uid, first);
        assert_ne!(Registry::new("socket.io", [8; 32]).presence("/a").uid, first);
    }

    #[test]
    fn what_changes_is_told_in_the_order_in_which_it_happens() {
        let it = registry();
        let is_heard = Mutex::new(false);
        let tell = |change| {
            std::thread::yield_now();
            let begins = matches!(change, Change::Begun(_));
            let before = std::mem::replace(&mut *is_heard.lock().unwrap(), begins);
            assert_ne!(before, begins);
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2_000 {
                        it.serve("/a", Serving::Begins, tell);
                        it.serve("/a", Serving::Ends, tell);
                    }
                });
            }
        });
        assert!(!*is_heard.lock().unwrap());
    }

    #[test]
    fn channels_are_known_by_what_they_are_about() {
        let it = registry();
        serve(&it, Serving::Begins);
        let uid = it.presence("/a").uid;
        let own = format!("socket.io-response#/a#{}#", uid.as_str());
        let counts = format!("socket.io-relay-count#/a#{}#", uid.as_str());
        for (name, subject) in [
            ("socket.io#/a#*", Subject::Broadcast),
            ("socket.io-request#/a#", Subject::Request),
            ("socket.io-response#/a#", Subject::Response),
            (own.as_str(), Subject::Response),
            (counts.as_str(), Subject::Response),
        ] {
            let (found, presence) = it.subject(name).expect(name);
            assert_eq!((found, &*presence.namespace), (subject, "/a"));
        }
        assert!(it.subject("socket.io#/b#*").is_none());
        assert_eq!(&*it.presence("/b").channels.broadcasts, "socket.io#/b#");
    }
}
