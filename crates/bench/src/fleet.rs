//! The clients of one thread and the epoll loop that serves them.
//!
//! The loop owns readiness and time; what is to be done (connecting, joining rooms, sending a
//! load) is a [`Job`].

use crate::client::{Client, Phase, Shared};
use crate::clock::{Clock, MILLISECOND, Nanos};
use crate::load::Deaf;
use crate::masks::Masks;
use crate::os::{self, Timer};
use crate::target::Target;
use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::sync::Arc;

/// Bytes read from a socket at once.
const READ_BUFFER_BYTES: usize = 256 << 10;

/// Events taken from the kernel at once.
const EVENTS_MAX: usize = 1024;

/// After so many events of ordinary clients the express ones are looked after.
const EXPRESS_EVERY: usize = 32;

/// The longest sleep, so that a job can judge its own time-outs.
const SLEEP_MAX: Nanos = 50 * MILLISECOND;

const TIMER: Token = Token(usize::MAX);
const EXPRESS: Token = Token(usize::MAX - 1);

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
    /// Number of this thread, and of all.
    pub(crate) worker: usize,
    pub(crate) workers: usize,
    /// Clients whose events are handled before those of others.
    pub(crate) express: Range<usize>,
    buffer: Vec<u8>,
    bulk_poll: Poll,
    express_poll: Poll,
}

/// Runs jobs over a fleet.
pub(crate) struct Loop {
    pub(crate) fleet: Fleet,
    timer: Timer,
    events: Events,
    express_events: Events,
    some_were_deaf: bool,
}

impl Fleet {
    /// The common number of the client with this local number.
    pub(crate) fn number(&self, local: usize) -> usize {
        local * self.workers + self.worker
    }

    /// The local number of client `number`, if this thread owns it.
    pub(crate) fn local(&self, number: usize) -> Option<usize> {
        (number % self.workers == self.worker).then_some(number / self.workers)
    }

    /// How many clients of this thread have a number below `total`.
    pub(crate) fn share(&self, total: usize) -> usize {
        (total + self.workers - 1 - self.worker) / self.workers
    }

    /// Local and common numbers of the clients that are in the namespace.
    pub(crate) fn joined(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let joined = |(_, client): &(usize, &Client)| client.phase() == Phase::Joined;
        self.clients.iter().enumerate().filter(joined).map(|(local, _)| (local, self.number(local)))
    }

    /// Begins the connection of the next client.
    pub(crate) fn dial(&mut self, now: Nanos) -> io::Result<()> {
        let local = self.clients.len();
        let number = self.number(local);
        let mut stream = os::dial(self.target.address, self.target.source(number))?;
        let poll =
            if self.express.contains(&number) { &self.express_poll } else { &self.bulk_poll };
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, Token(local), interest)?;
        self.clients.push(Client::new(stream, now, &mut self.masks));
        Ok(())
    }

    /// Reads what the client's socket holds.
    pub(crate) fn read<J: Job>(&mut self, local: usize, read_closed: bool, job: &mut J) {
        self.serve(local, job, |client, shared, job| {
            client.readable(shared, read_closed, |message, now| job.on_event(local, message, now))
        });
    }

    fn serve<J: Job>(
        &mut self,
        local: usize,
        job: &mut J,
        act: impl FnOnce(&mut Client, &mut Shared<'_>, &mut J) -> Result<(), String>,
    ) {
        let Some(client) = self.clients.get_mut(local) else { return };
        let mut shared = Shared {
            buffer: &mut self.buffer,
            target: &self.target,
            clock: self.clock,
            masks: &mut self.masks,
        };
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
        let local = event.token().0;
        let ended = event.is_read_closed() || event.is_error();
        if event.is_writable() {
            self.serve(local, job, |client, shared, _| client.writable(shared));
        }
        if job.deaf().contains(self.number(local)) {
            if ended {
                self.close(local, "the server closed the connection".to_owned(), job);
            }
        } else if event.is_readable() || ended {
            self.read(local, ended, job);
        }
        job.on_progress(self, local);
    }
}

impl Loop {
    /// An empty fleet: number `worker` of `workers` threads.
    pub(crate) fn new(
        target: Arc<Target>,
        clock: Clock,
        worker: usize,
        workers: usize,
        express: Range<usize>,
    ) -> io::Result<Self> {
        let (bulk_poll, express_poll) = (Poll::new()?, Poll::new()?);
        let timer = Timer::new()?;
        let registry = bulk_poll.registry();
        registry.register(&mut SourceFd(&timer.raw_fd()), TIMER, Interest::READABLE)?;
        registry.register(&mut SourceFd(&express_poll.as_raw_fd()), EXPRESS, Interest::READABLE)?;
        let fleet = Fleet {
            clients: Vec::new(),
            target,
            clock,
            masks: Masks::new(0x9e37_79b9_7f4a_7c15 ^ ((worker as u64) << 1)),
            worker,
            workers,
            express,
            buffer: vec![0; READ_BUFFER_BYTES],
            bulk_poll,
            express_poll,
        };
        let events = Events::with_capacity(EVENTS_MAX);
        let express_events = Events::with_capacity(EVENTS_MAX);
        Ok(Self { fleet, timer, events, express_events, some_were_deaf: false })
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
                self.fleet.read(local, false, job);
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
            self.drain_express(job)?;
            for (count, event) in self.events.iter().enumerate() {
                match event.token() {
                    TIMER | EXPRESS => {}
                    _ => self.fleet.on_ready(event, job),
                }
                if (count + 1) % EXPRESS_EVERY == 0 && !self.fleet.express.is_empty() {
                    drain_express(&mut self.fleet, &mut self.express_events, job)?;
                }
                let now = self.fleet.clock.now();
                if job.next_wake(&self.fleet).is_some_and(|at| at <= now) {
                    job.work(&mut self.fleet, now);
                }
            }
        }
    }

    fn drain_express<J: Job>(&mut self, job: &mut J) -> io::Result<()> {
        drain_express(&mut self.fleet, &mut self.express_events, job)
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
        match self.fleet.bulk_poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }
}

/// Serves the express clients that are ready, without waiting.
fn drain_express<J: Job>(fleet: &mut Fleet, events: &mut Events, job: &mut J) -> io::Result<()> {
    if fleet.express.is_empty() {
        return Ok(());
    }
    match fleet.express_poll.poll(events, Some(std::time::Duration::ZERO)) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
        other => other?,
    }
    for event in events.iter() {
        fleet.on_ready(event, job);
    }
    Ok(())
}
