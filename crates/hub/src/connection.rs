//! One Engine.IO session and the transport it has now.

use std::sync::Arc;

use relay_engineio::heartbeat::Heartbeat;
use relay_engineio::sid::SessionId;
use relay_socketio::Parser;

use crate::application::{Handshake, SocketKey};
use crate::defer::Deferral;
use crate::deliver::Urgency;
use crate::frame::{Format, Window};
use crate::outbox::Outbox;
use crate::polling::Polling;
use crate::registry::SharedNamespace;

/// The transport under a session. Replaceable: nothing above it knows which one it is.
#[derive(Debug)]
pub(crate) enum Transport {
    /// RFC 6455 frames.
    WebSocket(relay_websocket::Decoder),
    /// HTTP long-polling, perhaps with a WebSocket that probes for an upgrade.
    Polling(Polling),
}

impl Transport {
    /// Heap held for a message that is not complete.
    pub(crate) fn buffered_bytes(&self) -> usize {
        match self {
            Self::WebSocket(decoder) => decoder.buffered_bytes(),
            Self::Polling(polling) => polling.buffered_bytes(),
        }
    }
}

/// Namespaces that a connection is neither in nor a stranger to.
#[derive(Debug, Default)]
pub(crate) struct Doors {
    /// Those that the server made it leave, until when late packets for them are forgiven.
    pub(crate) left: Vec<(Arc<SharedNamespace>, u64)>,
    /// Those that the application has yet to decide on, with the number of the ticket.
    pub(crate) deciding: Vec<(u64, Box<str>)>,
}

/// Where a connection is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// Packets flow.
    Open,
    /// Its sockets have ended; the outbox is written out, then the closing handshake is awaited.
    Closing,
}

/// No deadline.
pub(crate) const NEVER: u64 = u64::MAX;

/// All of a session that is not its sockets. Times are milliseconds of the shard's clock.
///
/// In the order of declaration, since a fan-out touches every receiver's outbox and flags and
/// little else: they share two cache lines, and with thousands of receivers each line is a miss.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Connection {
    pub(crate) outbox: Outbox,
    pub(crate) stage: Stage,
    /// Its socket refused bytes and has not said that it takes more.
    pub(crate) blocked: bool,
    /// It took no byte for so long that it weighs on no sender.
    pub(crate) stalled: bool,
    /// It is in a queue of connections to be written: which one.
    pub(crate) dirty: Option<Urgency>,
    pub(crate) format: Format,
    /// Told by the first message.
    pub(crate) parser: Option<Parser>,
    pub(crate) joined: bool,
    /// Its close frame came: once ours is written nothing is left to wait for.
    pub(crate) close_received: bool,
    /// It is not read.
    pub(crate) held: bool,
    /// That is since too much of what it sent waits.
    pub(crate) heavy: bool,
    /// `None` only while bytes of it are being worked on.
    pub(crate) transport: Option<Transport>,
    /// Awaited attachments belong to the session, not to its transport.
    pub(crate) decoder: Option<relay_socketio::decoder::Decoder>,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) session: SessionId,
    pub(crate) handshake: Handshake,
    /// Its sockets, one per namespace at most.
    pub(crate) sockets: Vec<SocketKey>,
    /// An event that the application thinks about: it is not read meanwhile.
    pub(crate) deferral: Option<Box<Deferral>>,
    /// Made when it is first needed.
    pub(crate) doors: Option<Box<Doors>>,
    /// What it caused that still waits; made with its first message.
    pub(crate) window: Option<Arc<Window>>,
    /// Until when it must have joined a namespace, or its attachments must be there, or the
    /// closing handshake must be over. While it is open and held, how much time is left for that.
    pub(crate) deadline: u64,
    /// Since when it holds a partial message.
    pub(crate) partial_since: u64,
    /// Bytes of partial messages charged to the memory budget.
    pub(crate) partial_bytes: usize,
    /// When its socket last took a real amount of bytes; meaningful while `blocked`.
    pub(crate) progress: u64,
    /// What it took since `progress`.
    pub(crate) progress_bytes: usize,
    /// When it began.
    pub(crate) opened: u64,
    /// What came from its peer so far.
    pub(crate) received_bytes: u64,
    /// What its peer took so far.
    pub(crate) sent_bytes: u64,
    /// When its timer fires next; an entry of the timers with another time is stale.
    pub(crate) scheduled: u64,
}

impl Connection {
    /// When something must be done about it, apart from what its peer does.
    pub(crate) fn next_deadline(&self, receiver_stall_ms: u64) -> u64 {
        let stall =
            if self.blocked && !self.stalled { self.progress + receiver_stall_ms } else { NEVER };
        let heartbeat = if self.stage == Stage::Open { self.heartbeat.deadline() } else { NEVER };
        let transport = match &self.transport {
            Some(Transport::Polling(polling)) => polling.deadline(),
            Some(Transport::WebSocket(_)) | None => NEVER,
        };
        self.running_deadline().min(stall).min(heartbeat).min(transport)
    }

    /// [`Self::deadline`], unless it stands still.
    pub(crate) fn running_deadline(&self) -> u64 {
        if self.held && self.stage == Stage::Open { NEVER } else { self.deadline }
    }

    /// Its socket took `n` bytes. Only a real amount, or all there is, counts as progress: a trickle
    /// must not keep its senders waiting.
    pub(crate) fn took(&mut self, n: usize, now: u64, receiver_progress_bytes: usize) {
        self.sent_bytes += n as u64;
        self.progress_bytes = self.progress_bytes.saturating_add(n);
        if self.outbox.is_empty() || self.progress_bytes >= receiver_progress_bytes {
            self.progress = now;
            self.progress_bytes = 0;
            self.stalled = false;
        }
    }

    /// It is not read from now on. Its time-outs stand still, for what it says cannot be heard.
    pub(crate) fn hold(&mut self, now: u64) {
        self.held = true;
        self.heartbeat.pause(now);
        if self.deadline != NEVER {
            self.deadline = self.deadline.saturating_sub(now);
        }
    }

    /// It is read again: its time-outs go on where they stood.
    pub(crate) fn release(&mut self, now: u64) {
        self.held = false;
        self.heartbeat.resume(now);
        if self.stage == Stage::Open {
            self.deadline = self.deadline.saturating_add(now);
        }
    }
}
