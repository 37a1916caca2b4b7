//! The clients of one thread and the epoll loop that serves them.
//!
//! The loop owns readiness and time; what is to be done (connecting, joining rooms, sending a
//! load) is a [`Job`].

use crate::client::Client;
use crate::clock::{Clock, MILLISECOND, Nanos};
use crate::link::{Ghosts, Lane, Scratch, Shared};
use crate::load::Deaf;
use crate::masks::Masks;
use crate::os::Timer;
use crate::session::Phase;
use crate::target::Target;
use crate::transport::Farewell;
use crate::transport::Share;
use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::io;
use std::sync::Arc;

/// Bytes read from a socket at once.
const READ_BUFFER_BYTES: usize = 256 << 10;

/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 1024;

/// The longest sleep, so that a job can judge its own time-outs.
const SLEEP_MAX: Nanos = 50 * MILLISECOND;

const TIMER: Token = Token(usize::MAX);

/// What the loop is to achieve.
pub(crate) trait Job {
    /// Does what is due at `now`.
    fn work(&mut self, fleet: &mut Fleet, now: Nanos);
    /// When [`Job::work`] has something to do next; `None` when only events matter.
    fn next_wake(&self, fleet: &Fleet) -> Option<Nanos>;
    /// Whether the loop may end.
    fn is_finished(&mut self, fleet: &Fleet, now: Nanos) -> bool;
    /// An event of the namespace came to the client with this local number.
    fn on_event(&mut self, local: usize, message: &[u8], now: Nanos);
    /// The client with this local number has made progress or written something.
    fn on_progress(&mut self, fleet: &mut Fleet, local: usize);
    /// The connection of the client with this local number has ended.
    fn on_closed(&mut self, local: usize, why: String, now: Nanos);
    /// Who does not read.
    fn deaf(&self) -> &Deaf;
}

/// The clients of one thread.
pub(crate) struct Fleet {
    pub(crate) clients: Vec<Client>,
    pub(crate) target: Arc<Target>,
    pub(crate) clock: Clock,
    pub(crate) masks: Masks,
    /// Which clients these are among all.
    pub(crate) share: Share,
    /// Threads that serve clients, this one among them.
    pub(crate) workers: usize,
    buffer: Vec<u8>,
    scratch: Scratch,
    ghosts: Ghosts,
    poll: Poll,
}

/// Runs jobs over a fleet.
pub(crate) struct Loop {
    pub(crate) fleet: Fleet,
    timer: Timer,
    events: Events,
    some_were_deaf: bool,
}

impl Fleet {
    /// The common number of the client with this local number.
    pub(crate) fn number(&self, local: usize) -> usize {
        self.share.number(local)
    }

    /// The local number of client `number`, if this thread owns it.
    pub(crate) fn local(&self, number: usize) -> Option<usize> {
        self.share.local(number)
    }

    /// Local and common numbers of the clients that are in the namespace.
    pub(crate) fn joined(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let joined = |(_, client): &(usize, &Client)| client.phase() == Phase::Joined;
        self.clients.iter().enumerate().filter(joined).map(|(local, _)| (local, self.number(local)))
    }

    /// Begins the connection of the next client.
    pub(crate) fn dial(&mut self, now: Nanos) -> io::Result<()> {
        let (_, mut shared) = self.parts(self.clients.len());
        let transport = shared.target.transport(shared.number);
        let client = Client::dial(transport, now, &mut shared)?;
        self.clients.push(client);
        Ok(())
    }

    /// Begins a new connection in the place of a client that has gone.
    pub(crate) fn dial_again(&mut self, local: usize, now: Nanos) -> io::Result<()> {
        let (_, mut shared) = self.parts(local);
        let transport = shared.target.transport(shared.number);
        let client = Client::dial(transport, now, &mut shared)?;
        self.clients[local] = client;
        Ok(())
    }

    /// Ends a client's session in a certain way, without a word to a job.
    pub(crate) fn leave(&mut self, local: usize, farewell: Farewell) {
        let (clients, mut shared) = self.parts(local);
        if let Some(client) = clients.get_mut(local) {
            client.leave(farewell, &mut shared);
        }
    }

    /// Appends a packet to `out`, encoded for this client.
    pub(crate) fn encode(&mut self, local: usize, packet: &[u8], out: &mut Vec<u8>) {
        if let Some(client) = self.clients.get(local) {
            client.encode(packet, &mut self.masks, out);
        }
    }

    /// Sends packets that were encoded for this client.
    ///
    /// # Errors
    /// A description when the connection is gone.
    pub(crate) fn send(&mut self, local: usize, encoded: &[u8]) -> Result<(), String> {
        let (clients, mut shared) = self.parts(local);
        match clients.get_mut(local) {
            Some(client) => client.send(encoded, &mut shared),
            None => Ok(()),
        }
    }

    /// Sends one Engine.IO packet; `wants_ack` says that its answer is to be waited for.
    ///
    /// # Errors
    /// A description when the connection is gone.
    pub(crate) fn send_packet(
        &mut self,
        local: usize,
        packet: &str,
        wants_ack: bool,
    ) -> Result<(), String> {
        let mut encoded = Vec::new();
        self.encode(local, packet.as_bytes(), &mut encoded);
        if wants_ack {
            self.clients[local].want_acknowledgement();
        }
        self.send(local, &encoded)
    }

    /// Reads what the client's connections hold.
    pub(crate) fn read<J: Job>(&mut self, local: usize, job: &mut J) {
        for lane in Lane::ALL {
            self.read_lane(local, lane, false, job);
        }
    }

    fn read_lane<J: Job>(&mut self, local: usize, lane: Lane, read_closed: bool, job: &mut J) {
        self.serve(local, job, |client, shared, job| {
            let on_event = |message: &[u8], now| job.on_event(local, message, now);
            client.readable(lane, shared, read_closed, on_event)
        });
    }

    /// All clients, and what they share while the one with this local number is served.
    fn parts(&mut self, local: usize) -> (&mut [Client], Shared<'_>) {
        let number = self.number(local);
        let shared = Shared {
            buffer: &mut self.buffer,
            scratch: &mut self.scratch,
            target: &self.target,
            clock: self.clock,
            masks: &mut self.masks,
            registry: self.poll.registry(),
            ghosts: &mut self.ghosts,
            local,
            number,
        };
        (&mut self.clients, shared)
    }

    fn serve<J: Job>(
        &mut self,
        local: usize,
        job: &mut J,
        act: impl FnOnce(&mut Client, &mut Shared<'_>, &mut J) -> Result<(), String>,
    ) {
        let (clients, mut shared) = self.parts(local);
        let Some(client) = clients.get_mut(local) else { return };
        if let Err(why) = act(client, &mut shared, job) {
            self.close(local, why, job);
        }
    }

    /// Ends a client's connection and tells the job.
    pub(crate) fn close<J: Job>(&mut self, local: usize, why: String, job: &mut J) {
        let now = self.clock.now();
        let open = self.clients.get_mut(local).filter(|client| client.phase() != Phase::Closed);
        if let Some(client) = open {
            client.close();
            job.on_closed(local, why, now);
        }
    }

    fn on_ready<J: Job>(&mut self, event: &Event, job: &mut J) {
        let (local, lane) = Lane::of(event.token());
        let ended = event.is_read_closed() || event.is_error();
        if event.is_writable() {
            self.serve(local, job, |client, shared, _| client.writable(lane, shared));
        }
        if job.deaf().contains(self.number(local)) {
            if ended && self.clients.get(local).is_some_and(|client| client.depends_on(lane)) {
                self.close(local, "the server closed the connection".to_owned(), job);
            }
        } else if event.is_readable() || ended {
            self.read_lane(local, lane, ended, job);
        }
        job.on_progress(self, local);
    }
}

impl Loop {
    /// An empty fleet for one of `workers` threads.
    pub(crate) fn new(
        target: Arc<Target>,
        clock: Clock,
        share: Share,
        workers: usize,
        seed: u64,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let timer = Timer::new()?;
        poll.registry().register(&mut SourceFd(&timer.raw_fd()), TIMER, Interest::READABLE)?;
        let fleet = Fleet {
            clients: Vec::new(),
            target,
            clock,
            masks: Masks::new(0x9e37_79b9_7f4a_7c15 ^ (seed << 1)),
            share,
            workers,
            buffer: vec![0; READ_BUFFER_BYTES],
            scratch: Scratch::default(),
            ghosts: Ghosts::default(),
            poll,
        };
        let events = Events::with_capacity(EVENTS_MAX);
        Ok(Self { fleet, timer, events, some_were_deaf: false })
    }

    /// Reads from every client that is not deaf. Readiness is reported once, when it changes: a
    /// client that did not read in the last run would never hear of what came meanwhile.
    pub(crate) fn read_missed<J: Job>(&mut self, job: &mut J) {
        let some_are_deaf = !job.deaf().is_empty();
        if !std::mem::replace(&mut self.some_were_deaf, some_are_deaf) {
            return;
        }
        for local in 0..self.fleet.clients.len() {
            if !job.deaf().contains(self.fleet.number(local)) {
                self.fleet.read(local, job);
            }
        }
    }

    /// Serves the clients until the job is finished.
    pub(crate) fn drive<J: Job>(&mut self, job: &mut J) -> io::Result<()> {
        loop {
            let now = self.fleet.clock.now();
            job.work(&mut self.fleet, now);
            if job.is_finished(&self.fleet, now) {
                return Ok(());
            }
            self.wait(job)?;
            for event in &self.events {
                if event.token() != TIMER {
                    self.fleet.on_ready(event, job);
                }
                let now = self.fleet.clock.now();
                if job.next_wake(&self.fleet).is_some_and(|at| at <= now) {
                    job.work(&mut self.fleet, now);
                }
            }
        }
    }

    /// Waits for events, but not beyond the job's next wake.
    fn wait<J: Job>(&mut self, job: &J) -> io::Result<()> {
        let now = self.fleet.clock.now();
        let wake = job.next_wake(&self.fleet).unwrap_or(u64::MAX).min(now + SLEEP_MAX);
        let timeout = if wake <= now {
            Some(std::time::Duration::ZERO)
        } else {
            self.timer.arm(now, wake)?;
            None
        };
        match self.fleet.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }
}
