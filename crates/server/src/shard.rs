//! One shard: a thread, an epoll, a hub, the sockets that belong to it and the tasks of its HTTP
//! connections.
//!
//! A turn is: what the kernel has, what HTTP connections say, a pass, what HTTP connections are
//! answered. A pass is: what other shards said, a bounded number of reads, what is due, a flush. An
//! idle upgraded connection costs a slot in a table and nothing else.

mod turn;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use mio::{Events, Interest};
use relay_hub::{Application, Hub, Key, Output};
use socket2::SockRef;
use tokio::task::LocalSet;

use crate::flush::Gather;
use crate::handle::Calls;
use crate::http::{Door, OpenSlot, Upgraded};
use crate::inputs::Requests;
use crate::{Shared, reactor};
use turn::Nudge;

/// A shard without deadlines looks up once a second all the same: whoever watches it can tell that
/// it is idle from that it is stuck.
const LONGEST_SLEEP_MS: u64 = 1_000;

/// While it is drained it looks up this often.
const DRAIN_STEP_MS: u64 = 20;

/// When all else is over, who is about to be answered over HTTP has this long.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// A shard that looks up so much later than it meant to was stopped, or starved.
const STALL_MS: u64 = 500;

/// What arrived during a stall is read within this time.
const STALL_GRACE_MS: u64 = 1_000;

/// When descriptors run out, the next accept is tried after this time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Asked of the kernel at once.
const EVENTS_MAX: usize = 1024;

/// A socket after its 101. Closed: what a connection can be made of is listed here.
enum Stream {
    Plain(mio::net::TcpStream),
}

impl Stream {
    fn tcp(&mut self) -> &mut mio::net::TcpStream {
        match self {
            Self::Plain(stream) => stream,
        }
    }
}

/// A connection's socket and what is known of it.
struct Peer {
    key: Key,
    stream: Stream,
    /// The kernel holds bytes, or the end, that were not read.
    unread: bool,
    /// The end is near: a short read is not the last.
    ending: bool,
    /// It waits for its turn to be read.
    queued: bool,
    /// The hub does not want it to be read.
    held: bool,
    _slot: OpenSlot,
}

pub(crate) struct Shard<A: Application> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) index: usize,
    pub(crate) requests: Requests,
    /// Others may have put something in this shard's queues. While nobody has, as when clients talk
    /// to themselves, no lock is taken.
    pub(crate) wanted: bool,
    /// The source of inputs whose turn was first in the last pass.
    pub(crate) first_source: usize,
    pub(crate) calls: Arc<[Calls<A>]>,
    /// Connections when the server began to close them.
    draining_from: Option<usize>,
    /// While it is drained: there is nothing left to do here.
    finished: bool,
    /// When this shard meant to look up next; much later it was stopped meanwhile.
    planned: u64,
    /// Until when what arrived during a stall may not have been read yet.
    late_until: u64,
    hub: Rc<RefCell<Hub<A>>>,
    door: Rc<Door>,
    poll: mio::Poll,
    events: Events,
    /// `None` when nobody is accepted any more.
    listener: Option<TcpListener>,
    /// Somebody knocks.
    knocks: bool,
    /// When the kernel was asked last.
    asked: Instant,
    /// Accepting failed: not before then.
    accept_at: Option<Instant>,
    pub(crate) tasks: LocalSet,
    nudge: Arc<Nudge>,
    waker: Waker,
    peers: Vec<Option<Peer>>,
    open: usize,
    to_read: VecDeque<Key>,
    /// Dirty connections that a flush did not come to.
    rest: VecDeque<Key>,
    buffer: Vec<u8>,
    gather: Gather,
}

/// A shard that is silently gone would stop all others for want of its credit.
struct AbortOnPanic(usize);

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(io::stderr(), "shard {} panicked: the process ends", self.0);
            std::process::abort();
        }
    }
}

/// Runs a shard until the server stops.
pub(crate) fn run<A: Application + 'static>(
    index: usize,
    shared: &Arc<Shared>,
    calls: Arc<[Calls<A>]>,
    hub: Hub<A>,
    listener: std::net::TcpListener,
) {
    let _guard = AbortOnPanic(index);
    if let Err(error) = try_run(index, shared, calls, hub, listener) {
        let _ = writeln!(io::stderr(), "shard {index} cannot run: {error}");
        std::process::abort();
    }
}

fn try_run<A: Application + 'static>(
    index: usize,
    shared: &Arc<Shared>,
    calls: Arc<[Calls<A>]>,
    hub: Hub<A>,
    listener: std::net::TcpListener,
) -> io::Result<()> {
    // For what must not run here: it has threads of its own, and this one is not its.
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let _context = runtime.enter();
    let poll = mio::Poll::new()?;
    reactor::begin(&poll)?;
    shared.mailboxes[index].begin(&poll)?;
    // A listener that was passed in lives on: whoever knocks from now on is its successor's.
    let was_passed = !SockRef::from(&listener).reuse_port()?;
    let mut listener = TcpListener::from_std(listener);
    poll.registry().register(&mut listener, reactor::LISTENER, Interest::READABLE)?;
    let nudge = Arc::new(Nudge { shared: shared.clone(), index, due: AtomicBool::new(true) });
    let mut shard = Shard {
        index,
        requests: Requests::default(),
        wanted: true,
        first_source: 0,
        calls,
        draining_from: None,
        finished: false,
        planned: u64::MAX,
        late_until: 0,
        hub: Rc::new(RefCell::new(hub)),
        door: Rc::new(Door::new(shared.clone(), index)),
        poll,
        events: Events::with_capacity(EVENTS_MAX),
        listener: Some(listener),
        knocks: false,
        asked: Instant::now(),
        accept_at: None,
        tasks: LocalSet::new(),
        waker: nudge.clone().into(),
        nudge,
        peers: Vec::new(),
        open: 0,
        to_read: VecDeque::new(),
        rest: VecDeque::new(),
        buffer: vec![0; shared.limits().read_bytes],
        gather: Gather::default(),
        shared: shared.clone(),
    };
    shard.run()?;
    if was_passed {
        shard.listener = None;
    }
    shard.answer_the_last()
}

impl<A: Application> Shard<A> {
    /// Closes what is due while the server ends; whether no shard has anything left to do. One that is
    /// gone would take its listener along, at which clients of the others may just have knocked.
    fn drained(&mut self) -> bool {
        let Some(draining) = self.shared.draining.get() else { return false };
        let now = self.shared.now();
        if !draining.refuses(now) {
            return false;
        }
        let hub = &mut *self.hub.borrow_mut();
        let open = usize::try_from(hub.stats().connections.get()).unwrap_or(usize::MAX);
        let all = *self.draining_from.get_or_insert(open);
        let excess = open.saturating_sub(draining.may_be_open(now, all));
        hub.shut_down(now, excess);
        if now >= draining.cut_at {
            return true;
        }
        let idle = self.open == 0 && self.rest.is_empty() && self.requests.waiting.is_empty();
        let finished = draining.may_be_open(now, all) == 0
            && idle
            && hub.connections() == 0
            && !hub.has_output()
            && self.door.requests.get() == 0;
        if finished && !std::mem::replace(&mut self.finished, true) {
            self.shared.unfinished.fetch_sub(1, Ordering::AcqRel);
        }
        finished && self.shared.unfinished.load(Ordering::Acquire) == 0
    }

    /// Whether the process was stopped just now, so that HTTP connections were not read yet.
    pub(crate) fn is_late(&self, now: u64) -> bool {
        now < self.late_until
    }

    /// One pass, which began at `started`; whether there is more to do at once.
    fn pass(&mut self, started: Instant) -> bool {
        // What has come since is not known: a deadline may have been kept.
        let now = self.shared.millis_at(self.asked);
        let hub = self.hub.clone();
        let hub = &mut *hub.borrow_mut();
        hub.begin_turn(self.shared.micros_at(started));
        if self.wanted {
            for effect in self.shared.mailboxes[self.index].take() {
                hub.effect(now, effect);
            }
        }
        if now > self.planned.saturating_add(STALL_MS) {
            self.late_until = now + STALL_GRACE_MS;
        }
        hub.catch_up(now);
        self.take_upgraded(hub, now);
        self.take_inputs(hub, now);
        // Whatever the kernel holds was asked for above: only then deadlines are judged.
        let (peers, late) = (&self.peers, self.is_late(now));
        hub.handle_deadlines(now, |key| {
            // What is held is not read for our reasons: its time-outs stand still, its pings are due.
            peer_of(peers, key).map_or(late, |peer| peer.unread && !peer.held)
        });
        hub.relieve_memory(now);
        self.carry_out(hub);
        self.flush(hub, now, started);
        self.carry_out(hub);
        self.wanted = self.wanted
            && (!self.requests.waiting.is_empty()
                || !self.shared.inboxes[self.index].is_empty()
                || !self.calls[self.index].is_empty());
        let waits = self.wanted || !self.to_read.is_empty();
        let more = !self.rest.is_empty() || hub.is_behind() || (waits && hub.may_read());
        // Whoever waits for credit has others woken.
        self.carry_out(hub);
        more
    }

    fn take_upgraded(&mut self, hub: &mut Hub<A>, now: u64) {
        let upgraded = std::mem::take(&mut *self.door.upgraded.borrow_mut());
        for (handshake, upgraded) in upgraded {
            let key = hub.open(now, handshake);
            self.attach(hub, now, key, upgraded);
        }
    }

    /// Puts the socket of a connection on the epoll.
    pub(crate) fn attach(&mut self, hub: &mut Hub<A>, now: u64, key: Key, upgraded: Upgraded) {
        let Upgraded { mut stream, is_registered, leftover, slot } = upgraded;
        if reactor::adopt(&mut stream, key.slot(), is_registered).is_err() {
            return hub.transport_ended(now, key, true);
        }
        if self.peers.len() <= key.slot() {
            self.peers.resize_with(key.slot() + 1, || None);
        }
        let peer = Peer {
            key,
            stream: Stream::Plain(stream),
            unread: false,
            ending: false,
            queued: false,
            held: false,
            _slot: slot,
        };
        // One that has ended in this very pass may still be there.
        if self.peers[key.slot()].replace(peer).is_none() {
            self.open += 1;
        }
        if !leftover.is_empty() {
            hub.receive(now, key, &mut leftover.to_vec());
        }
    }

    /// Reads each waiting connection once, in turn, while the order has room for what they say.
    pub(crate) fn read_some(&mut self, hub: &mut Hub<A>, now: u64) {
        for _ in 0..self.to_read.len().min(self.shared.limits().reads_per_pass) {
            if !hub.may_read() {
                return;
            }
            let Some(key) = self.to_read.pop_front() else { return };
            self.read(hub, now, key);
            self.carry_out(hub);
        }
    }

    fn read(&mut self, hub: &mut Hub<A>, now: u64, key: Key) {
        let Some(peer) = peer_mut(&mut self.peers, key) else { return };
        peer.queued = false;
        if peer.held {
            return;
        }
        let read = peer.stream.tcp().read(&mut self.buffer);
        // A short read has emptied the socket; the next bytes announce themselves.
        let full = matches!(read, Ok(n) if n == self.buffer.len());
        peer.unread = full || peer.ending;
        match read {
            Ok(0) => hub.transport_ended(now, key, false),
            Ok(n) => {
                if peer.unread {
                    peer.queued = true;
                    self.to_read.push_back(key);
                }
                hub.receive(now, key, &mut self.buffer[..n]);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => peer.unread = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                peer.unread = true;
                peer.queued = true;
                self.to_read.push_back(key);
            }
            // An abrupt end is an end.
            Err(_) => hub.transport_ended(now, key, false),
        }
    }

    /// Does what the hub asks for, and wakes the others if something was placed in the order.
    pub(crate) fn carry_out(&mut self, hub: &mut Hub<A>) {
        while let Some(output) = hub.output() {
            match output {
                Output::Effect { shard, effect } => self.shared.mailboxes[shard].push(effect),
                Output::Wake { shard } => self.shared.mailboxes[shard].wake(),
                Output::Hold(key) => {
                    if let Some(peer) = peer_mut(&mut self.peers, key) {
                        peer.held = true;
                    }
                }
                Output::Read(key) => {
                    if let Some(peer) = peer_mut(&mut self.peers, key) {
                        peer.held = false;
                        if peer.unread && !peer.queued {
                            peer.queued = true;
                            self.to_read.push_back(key);
                        }
                    }
                }
                Output::Finish(key) => {
                    if let Some(peer) = peer_mut(&mut self.peers, key) {
                        // The peer may be gone already; the read that follows tells.
                        let _ = peer.stream.tcp().shutdown(Shutdown::Write);
                    }
                }
                Output::Reply { number, reply } => self.requests.answer(number, reply),
                Output::Drop(key) => {
                    if peer_mut(&mut self.peers, key).is_some() {
                        self.peers[key.slot()] = None;
                        self.open -= 1;
                    }
                }
            }
        }
        let concerned = hub.take_concerned();
        if concerned.is_empty() {
            return;
        }
        for (shard, mailbox) in self.shared.mailboxes.iter().enumerate() {
            if shard != self.index && concerned.contains(shard) {
                mailbox.wake();
            }
        }
    }

    /// Writes for a slice of time. Fresh outboxes go ahead of the rest, which gets as much time as
    /// everything else in this pass, within bounds: a pass that was long already (one broadcast to
    /// very many) must not double.
    fn flush(&mut self, hub: &mut Hub<A>, now: u64, started: Instant) {
        let slice = self.shared.limits().flush_slice;
        let mut until = None;
        let mut written = 0_u32;
        while let Some(key) = hub.dirty() {
            // For a few nobody looks at the clock.
            if written % 8 == 7 && is_over(&mut until, slice) {
                self.rest.push_back(key);
            } else {
                self.write(hub, now, key);
                written += 1;
            }
        }
        while let Some(key) = hub.dirty_bulk() {
            self.rest.push_back(key);
        }
        if self.rest.is_empty() {
            return;
        }
        let turn = started.elapsed().clamp(slice, self.shared.limits().flush_rest_max);
        let until = Instant::now() + turn;
        written = 0;
        while let Some(key) = self.rest.pop_front() {
            self.write(hub, now, key);
            written += 1;
            if written.is_multiple_of(8) && Instant::now() >= until {
                return;
            }
        }
    }

    /// Writes a connection's whole outbox, or as much as its socket takes.
    fn write(&mut self, hub: &mut Hub<A>, now: u64, key: Key) {
        loop {
            let Some(outbox) = hub.outbox(key) else { return };
            if outbox.is_empty() {
                return;
            }
            let Some(peer) = peer_mut(&mut self.peers, key) else { return };
            match self.gather.write(peer.stream.tcp(), outbox) {
                Ok((n, all)) => {
                    if hub.wants_time() {
                        hub.delivered(self.shared.micros_at(Instant::now()), key, n);
                    }
                    hub.wrote(now, key, n);
                    if !all {
                        return hub.write_blocked(now, key);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return hub.write_blocked(now, key);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return hub.transport_ended(now, key, false),
            }
        }
    }
}

/// Whether `slice` is over since this was first asked.
fn is_over(until: &mut Option<Instant>, slice: Duration) -> bool {
    let now = Instant::now();
    now >= *until.get_or_insert(now + slice)
}

fn peer_of(peers: &[Option<Peer>], key: Key) -> Option<&Peer> {
    peers.get(key.slot())?.as_ref().filter(|peer| peer.key == key)
}

fn peer_mut(peers: &mut [Option<Peer>], key: Key) -> Option<&mut Peer> {
    peers.get_mut(key.slot())?.as_mut().filter(|peer| peer.key == key)
}
