//! A link with a listener that keeps what it hears.

use std::sync::Arc;
use std::time::{Duration, Instant};

use relay_redis::link::{
    Address, Arrived, Dropped, Encoder, Link, LinkSettings, LinkTasks, Listener, Message, State,
    Topic,
};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::server::{PATIENCE, Redis};

/// Whoever writes this panics.
pub(crate) const UNWRITABLE: &str = "unwritable";
/// Whoever hears this panics.
pub(crate) const UNBEARABLE: &str = "unbearable";

/// A message that is what it is.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) channel: &'static str,
    pub(crate) contents: Vec<u8>,
}

impl Message for Text {
    fn bytes(&self) -> usize {
        self.contents.len()
    }
}

struct Writer;

impl Encoder<Text> for Writer {
    fn encode(&mut self, message: Text, publish: &mut dyn FnMut(&[u8], &[u8])) {
        assert!(message.contents != UNWRITABLE.as_bytes(), "a test wants it so");
        publish(message.channel.as_bytes(), &message.contents);
    }
}

struct Keeper {
    heard: mpsc::UnboundedSender<Arrived>,
    /// Each message takes a permit.
    permits: Arc<Semaphore>,
}

impl Listener for Keeper {
    async fn hear(&mut self, arrived: Arrived) {
        assert!(arrived.payload != UNBEARABLE.as_bytes(), "a test wants it so");
        if let Ok(permit) = self.permits.acquire().await {
            permit.forget();
        }
        // The test may be over.
        let _ = self.heard.send(arrived);
    }
}

pub(crate) const QUEUE_BYTES_MAX: usize = 1 << 20;

/// Short times, so that faults are noticed soon; long enough for a slow machine.
pub(crate) fn settings() -> LinkSettings {
    LinkSettings {
        batch_bytes_max: 1 << 16,
        inbound_bytes_max: 1 << 16,
        message_bytes_max: 1 << 22,
        connect_timeout: Duration::from_secs(2),
        response_timeout: Duration::from_secs(2),
        ping_interval: Duration::from_millis(500),
        retry_min: Duration::from_millis(20),
        retry_max: Duration::from_millis(200),
    }
}

pub(crate) struct Peer {
    pub(crate) link: Link<Text>,
    pub(crate) tasks: LinkTasks,
    pub(crate) heard: mpsc::UnboundedReceiver<Arrived>,
    pub(crate) permits: Arc<Semaphore>,
}

impl Peer {
    /// A link named `name`, which listens to the topic `t` and hears at once whatever comes.
    pub(crate) fn new(url: &str, name: &str) -> Self {
        Self::with(url, name, (settings(), QUEUE_BYTES_MAX), Semaphore::MAX_PERMITS)
    }

    pub(crate) fn at(address: Address, name: &str) -> Self {
        Self::to(address, name, (settings(), QUEUE_BYTES_MAX), Semaphore::MAX_PERMITS)
    }

    pub(crate) fn with(
        url: &str,
        name: &str,
        settings: (LinkSettings, usize),
        permits: usize,
    ) -> Self {
        Self::to(Address::parse(url).expect("a URL"), name, settings, permits)
    }

    fn to(
        address: Address,
        name: &str,
        (settings, queue_bytes_max): (LinkSettings, usize),
        permits: usize,
    ) -> Self {
        let (heard, heard_out) = mpsc::unbounded_channel();
        let permits = Arc::new(Semaphore::new(permits));
        let keeper = Keeper { heard, permits: permits.clone() };
        let seed = name.bytes().fold(7, |seed, byte| seed * 31 + u64::from(byte));
        let link = Link::new(queue_bytes_max);
        let probe = format!("probe-{name}");
        let tasks = link.start(address, settings, (&probe, seed), Writer, keeper);
        link.serve(topic("t", name));
        Self { link, tasks, heard: heard_out, permits }
    }

    /// Waits until all works.
    pub(crate) async fn up(&self) {
        self.state(|it| *it == State::Up).await;
    }

    /// Waits until it is said that something does not; what.
    pub(crate) async fn down(&self) -> String {
        match self.state(|it| matches!(it, State::Down { .. })).await {
            State::Down { error, .. } => error.to_string(),
            State::Connecting | State::Up => String::new(),
        }
    }

    async fn state(&self, wanted: impl FnMut(&State) -> bool) -> State {
        let mut state = self.link.state();
        let waiting = state.wait_for(wanted);
        let found = tokio::time::timeout(PATIENCE, waiting).await;
        found.unwrap_or_else(|_| panic!("{:?}", self.link)).expect("the link lives").clone()
    }

    pub(crate) fn publish(&self, contents: &(impl ToString + ?Sized)) -> Result<(), Dropped> {
        self.send("t#", contents.to_string().into_bytes())
    }

    pub(crate) fn send(&self, channel: &'static str, contents: Vec<u8>) -> Result<(), Dropped> {
        self.link.publish(Text { channel, contents })
    }

    /// The next message heard, as text.
    pub(crate) async fn hears(&mut self) -> String {
        String::from_utf8_lossy(&self.next().await.payload).into_owned()
    }

    pub(crate) async fn next(&mut self) -> Arrived {
        let next = tokio::time::timeout(PATIENCE, self.heard.recv());
        next.await.expect("a message in time").expect("the link lives")
    }

    /// Publishes until the other one hears: what is on its way while a connection breaks is lost.
    pub(crate) async fn reaches(&self, other: &mut Self) {
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "{:?} does not reach {:?}", self.link, other.link);
            let _ = self.publish("again?");
            let heard = tokio::time::timeout(Duration::from_millis(50), other.heard.recv()).await;
            if heard.is_ok() {
                break;
            }
        }
    }

    /// How many subscribers a channel has; `None` if Redis does not tell.
    pub(crate) async fn subscribers(&self, channel: &str) -> Option<u64> {
        let (answer, answered) = oneshot::channel();
        let tell = Box::new(|count| {
            let _ = answer.send(count);
        });
        self.link.count_subscribers(channel, tell).ok()?;
        answered.await.ok()
    }

    pub(crate) async fn close(self) {
        self.link.close(self.tasks, PATIENCE).await;
    }
}

/// What a namespace would listen to.
pub(crate) fn topic(name: &str, own: &str) -> Topic {
    Topic {
        patterns: vec![format!("{name}#*").into()],
        channels: vec![format!("{name}-answers").into(), format!("{name}-answers-{own}").into()],
        counted: format!("{name}-requests").into(),
    }
}

/// Two links that are up.
pub(crate) async fn pair(redis: &Redis) -> (Peer, Peer) {
    let (a, b) = (Peer::new(&redis.url(), "a"), Peer::new(&redis.url(), "b"));
    a.up().await;
    b.up().await;
    (a, b)
}
