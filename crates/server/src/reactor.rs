//! What a shard's thread waits for: one epoll for its listener, its HTTP connections, its upgraded
//! sockets and whoever wakes it, and the timers of its HTTP connections.
//!
//! Owns which socket an event belongs to and which task waits for it. Does not own the upgraded
//! sockets (`shard`), nor when to wait.

mod socket;
#[cfg(test)]
mod tests;
mod timer;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Instant;

use mio::event::{Event, Source};
use mio::{Interest, Registry, Token};

pub(crate) use socket::Socket;
pub(crate) use timer::{HttpTimer, Sleep, sleep, timeout};

/// The listener. Upgraded sockets have their own numbers, from 0.
pub(crate) const LISTENER: Token = Token(usize::MAX);

/// Whoever wakes the shard.
pub(crate) const MAILBOX: Token = Token(usize::MAX - 1);

/// Tokens from here on are those of HTTP connections.
const SOCKETS: usize = 1 << (usize::BITS - 1);

/// Both directions: a socket stays registered as it is from its accept to its end.
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Read at once while `hyper` is there.
const READ_BYTES: usize = 16 * 1024;

thread_local! {
    static REACTOR: Reactor = Reactor::default();
}

/// What this thread's tasks wait for.
#[derive(Default)]
struct Reactor {
    registry: OnceCell<Registry>,
    sockets: RefCell<Sockets>,
    timers: RefCell<BTreeMap<(Instant, u64), Waker>>,
    /// Timers set so far.
    timers_set: Cell<u64>,
    /// Those who have had their part of a turn, and since when.
    deferred: RefCell<Vec<Waker>>,
    deferred_at: Cell<Option<Instant>>,
    /// What is read on its way to `hyper`, which has no room that safe code could write to.
    buffer: RefCell<Vec<u8>>,
}

#[derive(Default)]
struct Sockets {
    ready: Vec<Option<Rc<Ready>>>,
    free: Vec<usize>,
}

/// What the kernel said of a socket and nobody has used up.
#[derive(Default)]
struct Ready {
    read: Side,
    write: Side,
    /// The end is near: a short read is not the last.
    ending: Cell<bool>,
}

/// One direction.
#[derive(Default)]
struct Side {
    ready: Cell<bool>,
    task: Cell<Option<Waker>>,
}

impl Side {
    fn announce(&self) {
        self.ready.set(true);
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }
}

/// A socket's number here, for as long as it is one of HTTP.
struct Registration {
    number: usize,
    ready: Rc<Ready>,
}

impl Registration {
    fn new(socket: &mut impl Source) -> io::Result<Self> {
        let ready = Rc::<Ready>::default();
        let number = REACTOR.with(|reactor| {
            let mut sockets = reactor.sockets.borrow_mut();
            let number = sockets.free.pop().unwrap_or_else(|| {
                sockets.ready.push(None);
                sockets.ready.len() - 1
            });
            sockets.ready[number] = Some(ready.clone());
            number
        });
        let registration = Self { number, ready };
        with_registry(|registry| registry.register(socket, Token(SOCKETS | number), BOTH))?;
        Ok(registration)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        REACTOR.with(|reactor| {
            let mut sockets = reactor.sockets.borrow_mut();
            sockets.ready[self.number] = None;
            sockets.free.push(self.number);
        });
    }
}

fn with_registry<T>(act: impl FnOnce(&Registry) -> io::Result<T>) -> io::Result<T> {
    REACTOR.with(|reactor| {
        act(reactor.registry.get().ok_or_else(|| io::Error::other("not the thread of a shard"))?)
    })
}

/// Makes this thread's tasks wait for what `poll` says from now on.
pub(crate) fn begin(poll: &mio::Poll) -> io::Result<()> {
    let registry = poll.registry().try_clone()?;
    REACTOR.with(|reactor| {
        reactor.buffer.borrow_mut().resize(READ_BYTES, 0);
        reactor.registry.set(registry).map_err(|_| io::Error::other("this thread has a shard"))
    })
}

/// Registers an upgraded socket under a number of its own. `is_registered` if it comes from an HTTP
/// connection of this shard.
pub(crate) fn adopt(
    stream: &mut mio::net::TcpStream,
    number: usize,
    is_registered: bool,
) -> io::Result<()> {
    with_registry(|registry| match is_registered {
        true => registry.reregister(stream, Token(number), BOTH),
        false => registry.register(stream, Token(number), BOTH),
    })
}

/// Wakes who waits for an event of an HTTP connection.
pub(crate) fn announce(event: &Event) {
    let number = event.token().0 & !SOCKETS;
    let of = |reactor: &Reactor| reactor.sockets.borrow().ready.get(number)?.clone();
    // It may be over, or be another's by now: who looks then finds nothing.
    if let Some(ready) = REACTOR.with(of) {
        if event.is_read_closed() || event.is_error() {
            ready.ending.set(true);
        }
        if event.is_readable() || ready.ending.get() {
            ready.read.announce();
        }
        if event.is_writable() || event.is_write_closed() || event.is_error() {
            ready.write.announce();
        }
    }
}

/// Has a task go on when the kernel has been asked again, and everybody else has had a turn.
pub(crate) fn defer(cx: &Context<'_>) {
    REACTOR.with(|reactor| {
        reactor.deferred.borrow_mut().push(cx.waker().clone());
        if reactor.deferred_at.get().is_none() {
            reactor.deferred_at.set(Some(Instant::now()));
        }
    });
}

/// When somebody is to be woken next.
pub(crate) fn next_due() -> Option<Instant> {
    REACTOR.with(|reactor| {
        let timer = || reactor.timers.borrow().keys().next().map(|&(due, _)| due);
        reactor.deferred_at.get().or_else(timer)
    })
}

/// Wakes those whose time has come.
pub(crate) fn wake_due() {
    REACTOR.with(|reactor| {
        if reactor.deferred_at.take().is_some() {
            reactor.deferred.borrow_mut().drain(..).for_each(Waker::wake);
        }
        let mut timers = reactor.timers.borrow_mut();
        if timers.is_empty() {
            return;
        }
        let now = Instant::now();
        while let Some(entry) = timers.first_entry()
            && entry.key().0 <= now
        {
            entry.remove().wake();
        }
    });
}
