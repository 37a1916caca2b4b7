//! Acknowledgements that the server awaits from single sockets, and the ids under which it does.

use std::cmp::Reverse;
use std::time::Duration;

use bytes::Bytes;

use crate::application::{Answers, SocketKey};
use crate::broadcast::EmitError;
use crate::cluster::SocketInfo;
use crate::core::{Core, Timer, millis};
use crate::encode::Outgoing;
use crate::namespace::AckFor;
use crate::slots::Key;

/// The ack id as it stands in a packet.
pub(crate) fn ack_key(id: u32) -> u64 {
    u64::from(id)
}

/// What the application has yet to hear of an acknowledgement. Answers of single sockets are
/// handed over at once and never wait here.
#[derive(Debug)]
pub(crate) enum Outcome {
    Timeout { token: u64, connection: Key },
    Disconnected { token: u64 },
    Broadcast { token: u64, answers: Answers },
    Fetched { token: u64, sockets: Vec<SocketInfo>, complete: bool },
    Counted { token: u64, sockets: u64, complete: bool },
}

impl<D> Core<D> {
    /// An id that is pending nowhere on the socket: the counter may have come round.
    fn free_ack(&mut self, socket: SocketKey) -> Result<u32, EmitError> {
        let max = self.instance.limits().acks_per_socket_max;
        let namespace = &mut self.namespaces[socket.namespace];
        let shared = namespace.shared.clone().ok_or(EmitError::Gone)?;
        let found = namespace.sockets.get_mut(socket.key);
        let found = found.filter(|socket| !socket.ended).ok_or(EmitError::Gone)?;
        if !found.may_await(self.now, max) {
            self.stats.acks_refused.add(1);
            return Err(EmitError::TooManyAcks);
        }
        loop {
            let id = shared.next_ack();
            if !found.acks.as_deref().is_some_and(|acks| acks.contains_key(&id)) {
                return Ok(id);
            }
        }
    }

    pub(crate) fn emit_with_ack(
        &mut self,
        socket: SocketKey,
        args: &[u8],
        attachments: &[Bytes],
        timeout: Duration,
        token: u64,
    ) -> Result<(), EmitError> {
        let id = self.free_ack(socket)?;
        let ack = Some(ack_key(id));
        self.emit(socket, Outgoing::Event { ack, args, attachments }, false)?;
        if let Some(socket) = self.namespaces[socket.namespace].sockets.get_mut(socket.key) {
            let pending = socket.acks.get_or_insert_default();
            pending.insert(id, AckFor::Application { token });
        }
        let due = self.now.saturating_add(millis(timeout));
        self.timers.push(Reverse((due, Timer::Ack(socket, id))));
        Ok(())
    }

    /// An acknowledgement arrived, or its time is over. What it was for, the first time only.
    pub(crate) fn take_ack(&mut self, socket: SocketKey, id: u64) -> Option<AckFor> {
        let id = u32::try_from(id).ok()?;
        let socket = self.namespaces[socket.namespace].sockets.get_mut(socket.key)?;
        let acks = socket.acks.as_deref_mut()?;
        let found = acks.remove(&id)?;
        if acks.is_empty() {
            socket.acks = None;
        }
        Some(found)
    }

    /// The time of an emit's acknowledgement is over. What else bears the id by now is not touched.
    pub(crate) fn ack_timeout(&mut self, socket: SocketKey, id: u32) {
        let Some(found) = self.socket(socket) else { return };
        let connection = found.connection;
        let pending = found.acks.as_deref().and_then(|acks| acks.get(&id)).copied();
        if let Some(AckFor::Application { token }) = pending {
            self.take_ack(socket, ack_key(id));
            self.outcomes.push_back(Outcome::Timeout { token, connection });
        }
    }
}
