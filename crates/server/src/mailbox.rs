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
#[derive(Default)]
pub(crate) struct Mailbox {
    effects: Mutex<VecDeque<Effect>>,
    inputs: Mutex<VecDeque<Input>>,
    notify: Notify,
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
        self.inputs.lock().unwrap_or_else(PoisonError::into_inner).push_back(input);
        self.wake();
    }

    /// Moves the inputs behind those that the shard has not come to.
    pub(crate) fn take_inputs(&self, into: &mut VecDeque<Input>) {
        into.append(&mut self.inputs.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn wake(&self) {
        self.notify.notify_one();
    }

    pub(crate) async fn woken(&self) {
        self.notify.notified().await;
    }
}
