//! The two connections to Redis: one publishes, one listens.
//!
//! Owns connecting again and again, the queue of what is to be published, the list of what is
//! listened to, and the question whether all of this works: [`State::Up`] is only what was seen to
//! work, a message published on the one connection that came back on the other. Does not own what
//! the messages mean.
//!
//! Nothing waits for Redis but the reader of its messages. What is published while it is away is
//! dropped and counted. A Redis that takes connections and says nothing is noticed by its silence.
//! A panic while messages are written or heard is the end of that connection: it is said like any
//! other, and the next one is tried.

mod address;
mod backoff;
mod caught;
mod connect;
mod gate;
mod publisher;
mod queue;
mod settings;
pub(crate) mod sift;
mod stats;
mod steps;
mod subscriber;
mod topics;
mod turns;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use address::{Address, AddressInvalid};
pub use queue::{Dropped, Encoder, Message, OnSubscribers};
pub use settings::LinkSettings;
pub use stats::{LATENCY_BUCKETS, LatencyBuckets, LinkStats};
pub use topics::Topic;
pub use turns::Turn;

use publisher::PublisherState;
use queue::{Outgoing, Queue};
use topics::Topics;

/// How it stands with Redis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum State {
    /// The first attempt is under way.
    Connecting,
    /// What is published arrives, here too.
    Up,
    /// It does not.
    Down {
        /// Since when.
        since: Instant,
        /// What was seen last, in words. No secret is in it.
        error: Arc<str>,
    },
}

/// A message that somebody published.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrived {
    /// Where.
    pub channel: Bytes,
    /// The pattern that caught it; `None` if the channel itself is listened to.
    pub pattern: Option<Bytes>,
    /// What: of contents beyond [`LinkSettings::message_bytes_max`] one byte more than that.
    pub payload: Bytes,
}

/// Who takes the messages.
pub trait Listener: Send + 'static {
    /// Takes one. Nothing more is read from Redis until it is done, beyond
    /// [`LinkSettings::inbound_bytes_max`].
    fn hear(&mut self, arrived: Arrived) -> impl Future<Output = ()> + Send;

    /// Nothing more is there for now, or others shall have their turn: what was heard must not wait
    /// any longer.
    fn rest(&mut self) {}
}

/// How far the link is on its way to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Open,
    /// All channels are left; what others asked before can still be answered.
    Leaving,
    /// What is queued is published.
    Closing,
}

/// The handle of both connections. Clones are of the same.
pub struct Link<M> {
    shared: Arc<Shared<M>>,
}

impl<M> Clone for Link<M> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<M> std::fmt::Debug for Link<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.shared.state.borrow();
        f.debug_struct("Link").field("state", &*state).field("stats", &self.shared.stats).finish()
    }
}

struct Shared<M> {
    queue: Queue<M>,
    topics: Topics,
    state: watch::Sender<State>,
    stats: Arc<LinkStats>,
    phase: watch::Sender<Phase>,
}

/// The work behind a [`Link`], to be awaited when it closes.
#[derive(Debug)]
pub struct LinkTasks {
    publisher: JoinHandle<()>,
    subscriber: JoinHandle<()>,
}

impl<M: Message> Link<M> {
    /// A link that does not connect yet. `queue_bytes_max` is what may wait to be published.
    #[must_use]
    pub fn new(queue_bytes_max: usize) -> Self {
        let shared = Arc::new(Shared {
            queue: Queue::new(queue_bytes_max),
            topics: Topics::default(),
            state: watch::Sender::new(State::Connecting),
            stats: Arc::default(),
            phase: watch::Sender::new(Phase::Open),
        });
        Self { shared }
    }

    /// Begins to connect, on the runtime that runs this. `probe` is a channel that nobody else
    /// uses: what is published there shows that the connections work. `seed` spreads the attempts
    /// of many instances.
    pub fn start(
        &self,
        address: Address,
        settings: LinkSettings,
        (probe, seed): (&str, u64),
        encoder: impl Encoder<M>,
        listener: impl Listener,
    ) -> LinkTasks {
        let (publisher_out, publisher_in) = watch::channel(PublisherState::Connecting);
        let address = Arc::new(address);
        let publisher = publisher::Publisher {
            address: address.clone(),
            settings: settings.clone(),
            shared: self.shared.clone(),
            state: publisher_out,
            phase: self.shared.phase.subscribe(),
            encoder,
        };
        let subscriber = subscriber::Subscriber {
            address,
            settings,
            probe: probe.into(),
            shared: self.shared.clone(),
            publisher: publisher_in,
            phase: self.shared.phase.subscribe(),
            listener,
            probes: 0,
        };
        LinkTasks {
            publisher: tokio::spawn(publisher.run(backoff::Backoff::new(seed))),
            subscriber: tokio::spawn(subscriber.run(backoff::Backoff::new(!seed))),
        }
    }

    /// Queues a message. Returns at once.
    ///
    /// # Errors
    /// Why it was dropped. It is counted.
    pub fn publish(&self, message: M) -> Result<(), Dropped> {
        self.shared.queue.push(Outgoing::Publish(message)).inspect_err(|dropped| {
            self.shared.stats.dropped(*dropped);
        })
    }

    /// Asks how many subscribers a channel has, as Redis counts them when it has taken everything
    /// that was published before. `answer` is called by the task that publishes: it must be quick.
    ///
    /// # Errors
    /// Why it is not asked.
    pub fn count_subscribers(&self, channel: &str, answer: OnSubscribers) -> Result<(), Dropped> {
        self.shared.queue.push(Outgoing::Subscribers { channel: channel.into(), answer })
    }

    /// Listens to a topic from now on, also after connecting again.
    pub fn serve(&self, topic: Topic) {
        self.shared.topics.serve(topic);
    }

    /// Does not listen any more to the topic that has this counted channel.
    pub fn leave(&self, counted: &str) {
        self.shared.topics.leave(counted);
    }

    /// How it stands, now and whenever that changes.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<State> {
        self.shared.state.subscribe()
    }

    /// Tells `take` when Redis goes and when it comes, no more often than every `pause`, as long as
    /// this is polled.
    pub async fn tell_turns(&self, pause: Duration, take: impl FnMut(Turn)) {
        turns::tell(self.state(), self.shared.stats.clone(), pause, take).await;
    }

    /// Whether what is published arrives, as far as is known.
    #[must_use]
    pub fn is_up(&self) -> bool {
        *self.shared.state.borrow() == State::Up
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> &Arc<LinkStats> {
        &self.shared.stats
    }

    /// Bytes that wait to be published.
    #[must_use]
    pub fn queue_bytes(&self) -> usize {
        self.shared.queue.bytes()
    }

    /// Leaves all channels, publishes what is queued, and closes; within `timeout`.
    pub async fn close(&self, tasks: LinkTasks, timeout: Duration) {
        let LinkTasks { mut publisher, mut subscriber } = tasks;
        let both = async {
            self.shared.phase.send_replace(Phase::Leaving);
            let _ = (&mut subscriber).await;
            self.shared.phase.send_replace(Phase::Closing);
            let _ = (&mut publisher).await;
        };
        if tokio::time::timeout(timeout, both).await.is_err() {
            subscriber.abort();
            publisher.abort();
        }
    }
}
