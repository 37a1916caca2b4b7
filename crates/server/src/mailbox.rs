//! What one shard is told by others and by its HTTP connections, and how it is woken.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use relay_engineio::handshake::HandshakeError;
use relay_engineio::sid::SessionId;
use relay_hub::{Effect, Handshake, Reply, Request};
use tokio::sync::Notify;
use tokio::sync::oneshot::Sender;

use crate::http::Upgraded;

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
    notify: Notify,
}

impl Default for Mailbox {
    fn default() -> Self {
        Self {
            effects: Mutex::default(),
            inputs: Mutex::new(Some(VecDeque::new())),
            notify: Notify::new(),
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

    pub(crate) fn wake(&self) {
        self.notify.notify_one();
    }

    pub(crate) async fn woken(&self) {
        self.notify.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use relay_hub::Handshake;
    use tokio::sync::oneshot::{Receiver, channel, error::TryRecvError};

    use super::{Input, Mailbox};

    fn ask(mailbox: &Mailbox) -> Receiver<(relay_engineio::sid::SessionId, Vec<u8>)> {
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
}
