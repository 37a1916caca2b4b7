//! The other instances of the cluster, in the classic dialect: an implementation of the hub's port.
//!
//! Owns the way of everything that is published, asked and answered, from a shard to Redis and back
//! to the right shard; which namespaces are listened to; and who is asked what. Does not own what a
//! broadcast reaches here, nor the collecting of answers: that is the hub's.
//!
//! Each shard has a `ShardPort`, which queues and returns. Writing and reading happen on a thread
//! of the cluster's own.

mod asker;
mod book;
mod inbound;
mod outbound;
mod pace;
mod permissions;
mod registry;
mod shard;
mod stats;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use relay_hub::{Audience, Cluster, Remote};
use tokio::sync::oneshot;

use crate::classic::{DecodeLimits, Parser};
use crate::link::{Address, Link, LinkSettings, LinkStats, State, Turn};

pub use permissions::{Permission, Permissions};
pub use stats::ClusterStats;

use book::Book;
use inbound::Inbound;
use outbound::{Outbound, Writer};
use pace::Pace;
use registry::Registry;
use shard::ShardPort;

/// Where what comes from other instances goes.
pub trait Shards: Clone + Send + Sync + 'static {
    /// How many there are.
    fn count(&self) -> usize;

    /// Whether an audience may have somebody on some shard, when everything is carried out that was
    /// handed over before.
    fn have(&self, namespace: &str, audience: &Audience) -> bool;

    /// Hands something to a shard, when it has room. The shard may sleep on until it is woken.
    fn put(&self, shard: usize, remote: Remote) -> impl Future<Output = ()> + Send;

    /// Wakes a shard that something was put for.
    fn wake(&self, shard: usize);
}

/// How an instance is part of a cluster.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// Separates deployments that share one Redis.
    pub prefix: String,
    /// How values are encoded: as the other instances do.
    pub parser: Parser,
    /// The connections.
    pub link: LinkSettings,
    /// Under load, what Redis has sent is read and what waits is published no more often than once in
    /// this time; after a silence at once.
    pub turn_interval: Duration,
    /// Bytes that may wait to be published.
    pub queue_bytes_max: usize,
    /// Bytes of one message in the form that other instances get.
    pub encoded_bytes_max: usize,
    /// What is taken from Redis.
    pub decode: DecodeLimits,
    /// Time for answers to questions that name none of their own.
    pub answer_timeout: Duration,
    /// Questions of this instance that are under way.
    pub questions_max: usize,
    /// What other instances may ask this one to do.
    pub permissions: Permissions,
}

/// What the parts share.
pub(crate) struct Shared {
    settings: ClusterSettings,
    link: Link<Outbound>,
    registry: Registry,
    book: Book,
    stats: ClusterStats,
}

/// The cluster, as the embedding program sees it. Clones are of the same.
#[derive(Clone)]
pub struct Classic {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Classic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Classic").field("link", &self.shared.link).finish_non_exhaustive()
    }
}

/// The thread behind a [`Classic`].
#[derive(Debug)]
pub struct Running {
    thread: std::thread::JoinHandle<()>,
    stop: oneshot::Sender<Duration>,
}

impl Classic {
    /// A cluster that is not connected yet: what is published goes nowhere. `seed` is for ids.
    #[must_use]
    pub fn new(settings: ClusterSettings, seed: [u8; 32]) -> Self {
        let link = Link::new(settings.queue_bytes_max);
        let registry = Registry::new(&settings.prefix, seed);
        let book = Book::new(settings.questions_max);
        let stats = ClusterStats::default();
        Self { shared: Arc::new(Shared { settings, link, registry, book, stats }) }
    }

    /// The port of a shard.
    #[must_use]
    pub fn port<S: Shards>(
        &self,
        shard: usize,
        shards: &ShardsLater<S>,
    ) -> Box<dyn Cluster + Send> {
        Box::new(ShardPort { shard, shared: self.shared.clone(), shards: shards.clone() })
    }

    /// Connects, on a thread of its own, which also tells `take` when Redis goes and comes: at most
    /// once in the longest pause between attempts. It must be quick.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start<S: Shards>(
        &self,
        address: Address,
        seed: u64,
        shards: S,
        later: &ShardsLater<S>,
        take: impl FnMut(Turn) + Send + 'static,
    ) -> io::Result<Running> {
        later.fill(shards.clone());
        let pace = Pace::new(self.shared.settings.turn_interval, Instant::now());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .on_thread_park(move || pace.keep())
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let shared = self.shared.clone();
        let run = move || {
            runtime.block_on(async move {
                let probe = shared.registry.probe();
                let writer = Writer::new(shared.clone());
                let inbound = Inbound::new(shared.clone(), shards);
                let settings = shared.settings.link.clone();
                let tasks = shared.link.start(address, settings, (&probe, seed), writer, inbound);
                let pause = shared.settings.link.retry_max;
                let timeout = tokio::select! {
                    // A program that forgets it stops at once.
                    stopped = stopped => stopped.unwrap_or_default(),
                    () = shared.link.tell_turns(pause, take) => Duration::ZERO,
                };
                shared.link.close(tasks, timeout).await;
            });
        };
        let thread = std::thread::Builder::new().name("redis".to_owned()).spawn(run)?;
        Ok(Running { thread, stop })
    }

    /// How it stands with Redis.
    #[must_use]
    pub fn state(&self) -> State {
        self.shared.link.state().borrow().clone()
    }

    /// What the connections did.
    #[must_use]
    pub fn link_stats(&self) -> &LinkStats {
        self.shared.link.stats()
    }

    /// What came and went.
    #[must_use]
    pub fn stats(&self) -> &ClusterStats {
        &self.shared.stats
    }

    /// Bytes that wait to be published.
    #[must_use]
    pub fn queue_bytes(&self) -> usize {
        self.shared.link.queue_bytes()
    }
}

impl Running {
    /// Leaves the cluster, publishes what is queued, and ends; within `timeout`.
    pub fn stop(self, timeout: Duration) {
        // The thread may have ended.
        let _ = self.stop.send(timeout);
        let _ = self.thread.join();
    }
}

/// The shards, which are there only after their ports are.
pub struct ShardsLater<S>(Arc<std::sync::OnceLock<S>>);

impl<S> Default for ShardsLater<S> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<S> Clone for ShardsLater<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> std::fmt::Debug for ShardsLater<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ShardsLater").field(&self.0.get().is_some()).finish()
    }
}

impl<S: Shards> ShardsLater<S> {
    fn fill(&self, shards: S) {
        // The second one is the same: a cluster has one server.
        let _ = self.0.set(shards);
    }

    pub(crate) fn get(&self) -> Option<&S> {
        self.0.get()
    }
}
