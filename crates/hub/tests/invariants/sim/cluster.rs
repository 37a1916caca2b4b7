//! Instances joined by a cluster in memory.
//!
//! Owns what is on its way between instances: in order from each of them, otherwise in any
//! interleaving. What reaches an instance is handed to a shard by who sent it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use relay_hub::{Asker, Cluster, Limits, Others, Publication, Question, Remote, Response, Serving};

use super::{Published, World};

/// Something on its way to a shard of an instance.
struct Letter {
    to: usize,
    /// `None`: the instance's own choice, the same for each sender.
    shard: Option<usize>,
    remote: Remote,
}

/// What all instances share.
#[derive(Default)]
pub(crate) struct Post {
    /// By the instance that sent it.
    on_the_way: Vec<VecDeque<Letter>>,
    /// How often each namespace is served, by instance.
    served: Vec<BTreeMap<String, i64>>,
    /// Instances that nothing reaches, though they are counted.
    pub(crate) mute: Vec<usize>,
    /// Nobody is asked.
    pub(crate) is_cut_off: bool,
    /// Questions that await answers, by instance, shard and number.
    pub(crate) asked: BTreeSet<(usize, usize, u64)>,
}

/// One instance's way to the others.
#[derive(Clone)]
pub(crate) struct Wire {
    post: Rc<RefCell<Post>>,
    instance: usize,
}

impl Wire {
    fn others(&self, namespace: &str) -> Vec<usize> {
        let post = self.post.borrow();
        let serves = |it: &usize| post.served[*it].get(namespace).is_some_and(|&n| n > 0);
        (0..post.served.len()).filter(|&it| it != self.instance).filter(serves).collect()
    }

    fn send(&self, to: usize, shard: Option<usize>, remote: Remote) {
        let mut post = self.post.borrow_mut();
        post.on_the_way[self.instance].push_back(Letter { to, shard, remote });
    }
}

/// A shard's port: it notes what was published, and hands everything to the others if there are any.
pub(super) struct Port {
    noted: [Published; 2],
    wire: Option<Wire>,
    shard: usize,
}

impl Port {
    pub(super) fn new(noted: [Published; 2], wire: Option<Wire>, shard: usize) -> Self {
        Self { noted, wire, shard }
    }
}

impl Cluster for Port {
    fn publish(&mut self, namespace: &str, publication: &Publication) {
        for noted in &self.noted {
            noted.borrow_mut().push((namespace.to_owned(), publication.clone()));
        }
        let Some(wire) = &self.wire else { return };
        for to in wire.others(namespace) {
            let (namespace, publication) = (namespace.into(), publication.clone());
            wire.send(to, None, Remote::Publication { namespace, publication });
        }
    }

    fn ask(&mut self, namespace: &str, request: u64, question: &Question, t: Duration) -> Others {
        let Some(wire) = &self.wire else { return Others::Nobody };
        if wire.post.borrow().is_cut_off {
            return Others::Unreached;
        }
        wire.post.borrow_mut().asked.insert((wire.instance, self.shard, request));
        let others = wire.others(namespace);
        for &to in &others {
            let asker = Asker(format!("{} {} {request}", wire.instance, self.shard).into());
            let (namespace, question) = (namespace.into(), question.clone());
            wire.send(to, None, Remote::Question { namespace, asker, question, timeout: t });
        }
        let instances = Response::Instances(u32::try_from(others.len()).expect("a few"));
        wire.send(
            wire.instance,
            Some(self.shard),
            Remote::Response { request, response: instances },
        );
        Others::Awaited
    }

    fn done(&mut self, request: u64) {
        let wire = self.wire.as_ref().expect("it was asked");
        let was_asked = wire.post.borrow_mut().asked.remove(&(wire.instance, self.shard, request));
        assert!(was_asked, "question {request} ends twice, or never began");
    }

    fn answer(&mut self, asker: &Asker, response: Response) {
        let wire = self.wire.as_ref().expect("somebody asked");
        let asker = std::str::from_utf8(&asker.0).expect("as it was made");
        let numbers: Vec<u64> = asker.split(' ').map(|it| it.parse().expect("a number")).collect();
        let [to, shard, request] = numbers[..] else { panic!("{asker:?} is nobody") };
        let [to, shard] = [to, shard].map(|it| usize::try_from(it).expect("a few"));
        wire.send(to, Some(shard), Remote::Response { request, response });
    }

    fn serve(&mut self, namespace: &str, serving: Serving) {
        let Some(wire) = &self.wire else { return };
        let served = &mut wire.post.borrow_mut().served[wire.instance];
        *served.entry(namespace.to_owned()).or_default() += match serving {
            Serving::Begins => 1,
            Serving::Ends => -1,
        };
    }
}

/// Several instances.
pub(crate) struct Fleet {
    pub(crate) worlds: Vec<World>,
    pub(crate) post: Rc<RefCell<Post>>,
}

impl Fleet {
    pub(crate) fn new(limits: &Limits, instances: usize, shards: usize, seed: u64) -> Self {
        let post = Rc::new(RefCell::new(Post::default()));
        post.borrow_mut().on_the_way.resize_with(instances, VecDeque::new);
        post.borrow_mut().served.resize_with(instances, BTreeMap::new);
        let world = |instance| {
            let wire = Wire { post: post.clone(), instance };
            World::on(limits.clone(), shards, seed ^ (instance as u64) << 40, Some(&wire))
        };
        Self { worlds: (0..instances).map(world).collect(), post }
    }

    /// How often an instance serves a namespace.
    pub(crate) fn served(&self, instance: usize, namespace: &str) -> i64 {
        self.post.borrow().served[instance].get(namespace).copied().unwrap_or(0)
    }

    /// Hands over one letter of a sender; `false` if there is none.
    fn deliver(&mut self, from: usize) -> bool {
        let Some(letter) = self.post.borrow_mut().on_the_way[from].pop_front() else {
            return false;
        };
        if from != letter.to && self.post.borrow().mute.contains(&letter.to) {
            return true;
        }
        let world = &mut self.worlds[letter.to];
        let shard = letter.shard.unwrap_or(from % world.instance.shards());
        if world.may_take(shard) {
            world.take_remote(shard, letter.remote);
            return true;
        }
        self.post.borrow_mut().on_the_way[from].push_front(letter);
        false
    }

    /// Runs everything that can run without time passing, in a random interleaving.
    pub(crate) fn settle(&mut self) {
        loop {
            let mut moved = false;
            for from in 0..self.worlds.len() {
                while self.worlds[from].random.one_in(2) && self.deliver(from) {
                    moved = true;
                }
                for _ in 0..self.worlds[from].random.up_to(20) {
                    moved |= self.worlds[from].step();
                }
            }
            let on_the_way = self.post.borrow().on_the_way.iter().any(|it| !it.is_empty());
            if !moved && !on_the_way {
                for world in &mut self.worlds {
                    world.settle();
                }
                if self.post.borrow().on_the_way.iter().all(VecDeque::is_empty) {
                    return;
                }
            }
        }
    }

    /// Lets `ms` pass everywhere.
    pub(crate) fn advance(&mut self, ms: u64) {
        for world in &mut self.worlds {
            world.advance(ms);
        }
        self.settle();
    }

    pub(crate) fn finish(mut self) {
        self.settle();
        for world in self.worlds {
            world.finish();
        }
    }

    /// Takes what an instance has answered off the way.
    pub(crate) fn answers_of(&mut self, instance: usize) -> Vec<Response> {
        let letters = std::mem::take(&mut self.post.borrow_mut().on_the_way[instance]);
        let said = letters.into_iter().map(|letter| match letter.remote {
            Remote::Response { response, .. } => response,
            other => panic!("no answer: {other:?}"),
        });
        said.collect()
    }

    /// An answer of a peer that nobody waits for, or that says nonsense.
    pub(crate) fn forge(&mut self, instance: usize, shard: usize, request: u64, said: Response) {
        self.worlds[instance].take_remote(shard, Remote::Response { request, response: said });
    }
}

/// JSON text as it is handed over.
pub(crate) fn json(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}
