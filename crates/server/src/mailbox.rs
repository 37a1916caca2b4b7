//! What one shard is told by others and by its HTTP connections, and how it is woken.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use relay_engineio::handshake::HandshakeError;
use relay_engineio::sid::SessionId;
use relay_hub::{Effect, Handshake, Reply, Request};
use tokio::sync::oneshot::Sender;

use crate::http::Upgraded;
use crate::reactor;

/// It works, and has looked at everything.
const AWAKE: u8 = 0;
/// It works, and will look here before it sleeps.
const WANTED: u8 = 1;
/// It waits for the kernel.
const ASLEEP: u8 = 2;

/// Something that may cause broadcasts: it waits until the shard has credit for the largest.
pub(crate) enum Input {
    /// A session begins by polling.
    Open { handshake: Handshake, answer: Sender<(SessionId, Vec<u8>)> },
    /// A request of a session, under a number of its own.
    Request {
        session: SessionId,
        eio_matches: bool,
        number: u64,
        request: Request,
        answer: Sender<Reply>,
    },
    /// The body of a POST; `None` if it is too large.
    Body { session: SessionId, number: u64, body: Option<Bytes> },
    /// The connection of a request went away before the answer.
    Aborted { session: SessionId, number: u64 },
    /// Whether a WebSocket may be accepted for a session.
    MayProbe { session: SessionId, eio_matches: bool, answer: Sender<Result<(), HandshakeError>> },
    /// A WebSocket that was accepted for a session.
    Probe { session: SessionId, upgraded: Upgraded },
}

/// A shard's mailbox. Effects are always drained and cause no broadcast; each kind is bounded by
/// what it answers (held senders, awaited acknowledgements). Inputs are bounded by the number of
/// TCP connections, each of which has one request at a time.
pub(crate) struct Mailbox {
    effects: Mutex<VecDeque<Effect>>,
    /// `None` once the shard has ended.
    inputs: Mutex<Option<VecDeque<Input>>>,
    /// Whether the shard must be told of what is here, and how.
    state: AtomicU8,
    /// An end of the shard's epoll, since it runs.
    waker: OnceLock<mio::Waker>,
}

impl Default for Mailbox {
    fn default() -> Self {
        Self {
            effects: Mutex::default(),
            inputs: Mutex::new(Some(VecDeque::new())),
            state: AtomicU8::new(AWAKE),
            waker: OnceLock::new(),
        }
    }
}

impl Mailbox {
    pub(crate) fn push(&self, effect: Effect) {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner).push_back(effect);
        self.wake();
    }

    pub(crate) fn take(&self) -> VecDeque<Effect> {
        std::mem::take(&mut *self.effects.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn push_input(&self, input: Input) {
        if let Some(inputs) = &mut *self.inputs.lock().unwrap_or_else(PoisonError::into_inner) {
            inputs.push_back(input);
        }
        self.wake();
    }

    /// Moves the inputs behind those that the shard has not come to.
    pub(crate) fn take_inputs(&self, into: &mut VecDeque<Input>) {
        if let Some(inputs) = &mut *self.inputs.lock().unwrap_or_else(PoisonError::into_inner) {
            into.append(inputs);
        }
    }

    /// The shard has ended: whoever waits for its answer, or will, is told that there is none.
    pub(crate) fn close(&self) {
        *self.inputs.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Has the shard look here soon. Costs a system call only if it sleeps.
    pub(crate) fn wake(&self) {
        if self.state.swap(WANTED, Ordering::AcqRel) == ASLEEP
            && let Some(waker) = self.waker.get()
        {
            // A counter that is full has been raised before.
            let _ = waker.wake();
        }
    }

    /// Has the shard go on if it sleeps.
    pub(crate) fn rouse(&self) {
        let woken = self.state.compare_exchange(ASLEEP, WANTED, Ordering::SeqCst, Ordering::SeqCst);
        if woken.is_ok()
            && let Some(waker) = self.waker.get()
        {
            let _ = waker.wake();
        }
    }

    /// From now on the shard that waits for `poll` can be woken.
    pub(crate) fn begin(&self, poll: &mio::Poll) -> io::Result<()> {
        let waker = mio::Waker::new(poll.registry(), reactor::MAILBOX)?;
        self.waker.set(waker).map_err(|_| io::Error::other("the mailbox has a shard"))
    }

    /// Whether the shard may sleep: nobody wanted it since it was last awake.
    pub(crate) fn may_sleep(&self) -> bool {
        let slept = self.state.compare_exchange(AWAKE, ASLEEP, Ordering::SeqCst, Ordering::SeqCst);
        slept.is_ok()
    }

    /// The shard is awake; whether it must look at what others have put here or in its other queues.
    pub(crate) fn awake(&self) -> bool {
        self.state.swap(AWAKE, Ordering::AcqRel) == WANTED
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use relay_engineio::sid::SessionId;
    use relay_hub::Handshake;
    use tokio::sync::oneshot::{Receiver, channel, error::TryRecvError};

    use super::{Input, Mailbox};

    fn ask(mailbox: &Mailbox) -> Receiver<(SessionId, Vec<u8>)> {
        let (answer, answered) = channel();
        let handshake = Handshake::new(Ipv4Addr::LOCALHOST.into());
        mailbox.push_input(Input::Open { handshake, answer });
        answered
    }

    /// A shard ends when all have nothing to do; one that is asked just then waits for the answer of
    /// one that has ended.
    #[test]
    fn nobody_waits_for_a_shard_that_has_ended() {
        let mailbox = Mailbox::default();
        let mut before = ask(&mailbox);
        assert!(matches!(before.try_recv(), Err(TryRecvError::Empty)));
        mailbox.close();
        assert!(matches!(before.try_recv(), Err(TryRecvError::Closed)));
        assert!(matches!(ask(&mailbox).try_recv(), Err(TryRecvError::Closed)));
    }

    /// Whoever puts something here while the shard falls asleep wakes it.
    #[test]
    fn nobody_is_overheard() {
        const PUT: usize = 50_000;
        const PATIENCE: Duration = Duration::from_secs(60);
        let session = SessionId::new([0; 12], 0, 0);
        let mailbox = Mailbox::default();
        let mut poll = mio::Poll::new().unwrap();
        mailbox.begin(&poll).unwrap();
        let mut events = mio::Events::with_capacity(4);
        // What tasks are to the shard: it looks for itself.
        let (nudged, mut seen) = (AtomicUsize::new(0), 0);
        let mut taken = VecDeque::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..PUT {
                    if number % 2 == 0 {
                        let number = number as u64;
                        mailbox.push_input(Input::Aborted { session, number });
                    } else {
                        nudged.fetch_add(1, Ordering::SeqCst);
                        mailbox.rouse();
                    }
                    // At all distances from when the shard looks.
                    (0..number % 97).for_each(|_| std::hint::spin_loop());
                }
            });
            while taken.len() + seen < PUT {
                if mailbox.may_sleep() && nudged.load(Ordering::SeqCst) == seen {
                    let slept = Instant::now();
                    poll.poll(&mut events, Some(PATIENCE)).unwrap();
                    assert!(slept.elapsed() < PATIENCE, "nobody woke the shard");
                }
                mailbox.awake();
                seen = nudged.load(Ordering::SeqCst);
                mailbox.take_inputs(&mut taken);
            }
        });
    }
}
