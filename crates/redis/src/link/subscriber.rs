//! The connection that listens, and the judgement how it stands with both.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures_core::Stream as _;
use redis::aio::{PubSub, PubSubSink, PubSubStream};
use tokio::sync::watch;
use tokio::task::consume_budget;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::address::Address;
use super::backoff::Backoff;
use super::caught::caught;
use super::connect::dial;
use super::gate::{Gate, Gated};
use super::publisher::{Failure, PublisherState, failure};
use super::queue::{Message, Outgoing};
use super::settings::LinkSettings;
use super::sift::Sifter;
use super::stats::count;
use super::steps::Steps;
use super::topics::TopicMap;
use super::{Arrived, Listener, Phase, Shared, State};

pub(super) struct Subscriber<M, L> {
    pub(super) address: Arc<Address>,
    pub(super) settings: LinkSettings,
    /// The channel on which this link hears itself.
    pub(super) probe: Box<str>,
    pub(super) shared: Arc<Shared<M>>,
    pub(super) publisher: watch::Receiver<PublisherState>,
    pub(super) phase: watch::Receiver<Phase>,
    pub(super) listener: L,
    /// Probes sent so far. Each contains its number.
    pub(super) probes: u64,
}

/// Messages as they come, through the gate.
struct Inbound {
    stream: PubSubStream,
    gate: Arc<Gate>,
}

/// Messages that are taken one after the other before whatever else is due.
const BURST_MAX: usize = 64;

impl Inbound {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Arrived>> {
        if let Poll::Ready(arrived) = self.gate.poll_take(context) {
            return Poll::Ready(Some(arrived));
        }
        // The library hears no messages; that it hears no more is the end of the connection.
        while ready!(Pin::new(&mut self.stream).poll_next(context)).is_some() {}
        Poll::Ready(None)
    }

    async fn next(&mut self) -> Option<Arrived> {
        poll_fn(|context| self.poll(context)).await
    }

    /// The next one if it is there already.
    async fn next_of_burst(&mut self) -> Option<Arrived> {
        poll_fn(|context| match self.poll(context) {
            // An end is seen again by whoever waits.
            Poll::Ready(arrived) => Poll::Ready(arrived),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }
}

/// Whether what is published comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    None,
    /// This probe was sent through this publishing connection.
    Awaited {
        probe: u64,
        publisher: u64,
        since: Instant,
    },
    /// It came back.
    Seen {
        publisher: u64,
    },
}

/// When Redis was last heard on a connection.
struct Pulse {
    read_bytes: u64,
    heard_at: Instant,
    looked_at: Instant,
    pinged: bool,
}

/// One connection.
struct Session {
    sink: PubSubSink,
    inbound: Inbound,
    steps: Steps,
    proof: Proof,
    pulse: Pulse,
    closing: bool,
}

impl<M: Message, L: Listener> Subscriber<M, L> {
    /// Connects and listens until the link closes.
    pub(super) async fn run(mut self, mut backoff: Backoff) {
        loop {
            if *self.phase.borrow() != Phase::Open {
                return;
            }
            let stats = self.shared.stats.clone();
            let failed = match caught(&stats, self.connect()).await {
                Ok(session) => {
                    let worked_since = Instant::now();
                    let listened = caught(&stats, self.listen(session)).await;
                    if worked_since.elapsed() > self.settings.retry_max {
                        backoff.reset();
                    }
                    listened
                }
                Err(failed) => Err(failed),
            };
            let Err(failed) = failed else { return };
            count(&self.shared.stats.failures, 1);
            self.down(failed);
            let pause = backoff.next(self.settings.retry_min, self.settings.retry_max);
            tokio::select! {
                () = sleep(pause) => {}
                _ = self.phase.wait_for(|it| *it != Phase::Open) => return,
            }
        }
    }

    fn down(&self, error: Failure) {
        self.shared.state.send_modify(|state| {
            let since = match state {
                State::Down { since, .. } => *since,
                State::Connecting | State::Up => {
                    count(&self.shared.stats.outages, 1);
                    Instant::now()
                }
            };
            *state = State::Down { since, error };
        });
    }

    fn up(&self) {
        self.shared.state.send_if_modified(|state| {
            if let State::Down { since, .. } = state {
                let away_us = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
                count(&self.shared.stats.away_us, away_us);
            }
            std::mem::replace(state, State::Up) != State::Up
        });
    }

    async fn connect(&mut self) -> Result<Session, Failure> {
        let gate = Gate::new(self.settings.inbound_bytes_max, self.shared.stats.clone());
        let sifter = Sifter::new(self.settings.message_bytes_max);
        let connecting = async {
            let stream =
                Gated::new(dial(&self.address).await.map_err(failure)?, gate.clone(), sifter);
            PubSub::new(&self.address.greeting, stream).await.map_err(failure)
        };
        let connected = tokio::select! {
            it = timeout(self.settings.connect_timeout, connecting) => it,
            _ = self.phase.wait_for(|it| *it != Phase::Open) => return Err("closing".into()),
        };
        let (sink, stream) = connected.map_err(|_| failure("no answer while connecting"))??.split();
        count(&self.shared.stats.connections, 1);
        let now = Instant::now();
        Ok(Session {
            steps: Steps::new(sink.clone(), &self.probe, self.settings.response_timeout),
            sink,
            inbound: Inbound { stream, gate },
            proof: Proof::None,
            pulse: Pulse { read_bytes: 0, heard_at: now, looked_at: now, pinged: false },
            closing: false,
        })
    }

    /// Listens until the connection fails, or until the link closes and all channels are left.
    async fn listen(&mut self, mut session: Session) -> Result<(), Failure> {
        let mut look = interval(self.settings.ping_interval / 2);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        session.steps.follow(&self.shared.topics.lock());
        loop {
            // What others asked before is still heard.
            if session.closing && session.steps.are_done() && session.inbound.gate.is_empty() {
                return Ok(());
            }
            tokio::select! {
                message = session.inbound.next() => {
                    let first = message.ok_or("Redis closed the connection")?;
                    self.take_burst(&mut session, first).await;
                }
                done = session.steps.next(), if !session.steps.are_done() => {
                    done?;
                    self.prove(&mut session);
                }
                // Topics that come and go while steps are under way add none: the last list counts.
                () = self.shared.topics.changed(),
                    if !session.closing && session.steps.are_done() =>
                {
                    session.steps.follow(&self.shared.topics.lock());
                }
                Ok(()) = self.publisher.changed() => self.prove(&mut session),
                _ = self.phase.changed(), if !session.closing => {
                    session.closing = true;
                    session.steps.follow(&TopicMap::new());
                }
                _ = look.tick() => self.look(&mut session)?,
            }
        }
    }

    async fn take_burst(&mut self, session: &mut Session, first: Arrived) {
        let (mut next, mut left) = (Some(first), BURST_MAX);
        while let Some(arrived) = next {
            // The thread has other tasks: who publishes, who reads.
            consume_budget().await;
            let waited = self.take(session, arrived).await;
            left -= 1;
            let goes_on = left > 0 && !waited;
            next = if goes_on { session.inbound.next_of_burst().await } else { None };
        }
        self.listener.rest();
    }

    /// Takes a message; whether the listener had to be waited for.
    async fn take(&mut self, session: &mut Session, arrived: Arrived) -> bool {
        if arrived.pattern.is_none() && *arrived.channel == *self.probe.as_bytes() {
            if let Proof::Awaited { probe, publisher, .. } = session.proof
                && *arrived.payload == *probe.to_string().as_bytes()
            {
                session.proof = Proof::Seen { publisher };
                self.prove(session);
            }
            return false;
        }
        let stats = &self.shared.stats;
        count(&stats.received, 1);
        count(&stats.received_bytes, arrived.payload.len() as u64);
        let mut waits_since = None;
        let mut hearing = pin!(self.listener.hear(arrived));
        poll_fn(|context| {
            let polled = hearing.as_mut().poll(context);
            if polled.is_pending() {
                waits_since.get_or_insert_with(Instant::now);
            }
            polled
        })
        .await;
        // Redis was not listened to meanwhile: its silence says nothing.
        if waits_since.is_some_and(|since| since.elapsed() > self.settings.ping_interval / 2) {
            session.pulse.heard_at = Instant::now();
        }
        waits_since.is_some()
    }

    /// Says how it stands; sends a probe when both connections are there and it is not proven yet
    /// that what is published on the one arrives on the other.
    fn prove(&mut self, session: &mut Session) {
        let publisher = self.publisher.borrow_and_update().clone();
        let publisher = match publisher {
            PublisherState::Connected(number) => number,
            PublisherState::Connecting => return,
            PublisherState::Down(error) => {
                session.proof = Proof::None;
                return self.down(error);
            }
        };
        match session.proof {
            Proof::Seen { publisher: seen } if seen == publisher => {
                if session.steps.are_done() {
                    self.up();
                }
                return;
            }
            Proof::Awaited { publisher: through, .. } if through == publisher => return,
            Proof::None | Proof::Awaited { .. } | Proof::Seen { .. } => {}
        }
        if !session.steps.are_done() || session.closing {
            return;
        }
        self.probes += 1;
        let payload = self.probes.to_string().into_bytes();
        let probe = Outgoing::Probe { channel: self.probe.clone(), payload };
        // A queue that is full is tried again at the next look.
        if self.shared.queue.push(probe).is_ok() {
            let since = Instant::now();
            session.proof = Proof::Awaited { probe: self.probes, publisher, since };
        }
    }

    /// Looks whether Redis is still there. A process that was stopped itself looks again before it
    /// judges, after it has read what came meanwhile.
    fn look(&mut self, session: &mut Session) -> Result<(), Failure> {
        let (now, pulse) = (Instant::now(), &mut session.pulse);
        let read_bytes = session.inbound.gate.read_bytes();
        let was_stopped = now - pulse.looked_at > self.settings.ping_interval;
        pulse.looked_at = now;
        // Nor is anything heard while what was read waits to be taken.
        let is_deaf = was_stopped || !session.inbound.gate.is_open();
        if read_bytes != pulse.read_bytes || is_deaf {
            *pulse = Pulse { read_bytes, heard_at: now, looked_at: now, pinged: false };
        }
        if let Proof::Awaited { since, .. } = &mut session.proof
            && is_deaf
        {
            *since = now;
        }
        let silence = now - pulse.heard_at;
        if silence > self.settings.ping_interval + self.settings.response_timeout {
            return Err("Redis does not answer".into());
        }
        if silence >= self.settings.ping_interval && !pulse.pinged {
            pulse.pinged = true;
            let mut sink = session.sink.clone();
            // The answer is read like everything else; its bytes are what counts.
            tokio::spawn(async move { drop(sink.ping::<redis::Value>().await) });
        }
        if let Proof::Awaited { since, .. } = session.proof
            && now - since > self.settings.response_timeout * 2
        {
            return Err("what is published does not come back".into());
        }
        self.prove(session);
        Ok(())
    }
}
