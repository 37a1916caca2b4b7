//! What a run does (streams of messages between clients) and what came of it.
//!
//! Clients are numbered over all threads; [`crate::transport`] says which thread owns which.

use crate::clock::Nanos;
use crate::latency::Latency;
use crate::ledger::Counts;
use crate::pacer::Pace;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

/// Whom the messages of a stream are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The sender alone (`yo`).
    Sender,
    /// Every client of the namespace (`nosotros`).
    Everyone,
    /// The members of the sender's room (`room`). Client `i` is in room `i % rooms`.
    Room {
        /// How many rooms there are.
        rooms: usize,
    },
}

impl Audience {
    /// The word that stands for `$destino` in a template.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Sender => "yo",
            Self::Everyone => "nosotros",
            Self::Room { .. } => "room",
        }
    }

    /// The name that stands for `$room` in a template, for a message of client `sender`.
    #[must_use]
    pub fn room(self, sender: usize) -> String {
        match self {
            Self::Room { rooms } => room_name(sender % rooms),
            Self::Sender | Self::Everyone => String::new(),
        }
    }

    /// Whether a message of client `sender` is for client `receiver`.
    #[must_use]
    pub fn includes(self, sender: usize, receiver: usize) -> bool {
        match self {
            Self::Sender => sender == receiver,
            Self::Everyone => true,
            Self::Room { rooms } => sender % rooms == receiver % rooms,
        }
    }
}

/// The name of room number `index`.
#[must_use]
pub fn room_name(index: usize) -> String {
    format!("bench-{index}")
}

/// Messages of one kind.
#[derive(Clone, Debug)]
pub struct Stream {
    /// The name under which its figures are reported.
    pub name: &'static str,
    /// Numbers of the clients that send.
    pub senders: Vec<usize>,
    /// How fast.
    pub pace: Pace,
    /// To whom.
    pub audience: Audience,
    /// Bytes of the Socket.IO packet, padding included.
    pub payload_bytes: usize,
}

/// Clients that stop reading for the length of a run.
#[derive(Clone, Debug, Default)]
pub struct Deaf {
    /// These do nothing at all.
    pub silent: Range<usize>,
    /// These send an unasked Engine.IO pong (`3`) now and then.
    pub ponging: Range<usize>,
    /// How often.
    pub pong_interval: Duration,
}

impl Deaf {
    /// Whether everybody reads.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.silent.is_empty() && self.ponging.is_empty()
    }

    /// Whether client `index` reads nothing.
    #[must_use]
    pub fn contains(&self, index: usize) -> bool {
        self.silent.contains(&index) || self.ponging.contains(&index)
    }
}

/// What a run does.
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// How long messages are sent (or, without streams, how long heartbeats are answered).
    pub duration: Duration,
    /// The messages.
    pub streams: Vec<Stream>,
    /// Who does not read.
    pub deaf: Deaf,
    /// Remember the sequence of all messages at each receiver.
    pub record_order: bool,
}

/// A load as it is handed to all threads.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) load: Load,
    pub(crate) start: Nanos,
    pub(crate) end: Nanos,
    /// The stamp's `from` of the first sender of the first stream; the others count on from it.
    pub(crate) from_base: u32,
    /// Messages that each sender of each stream has sent, in that order.
    pub(crate) sent: Vec<AtomicU64>,
    /// Threads that have sent everything.
    pub(crate) finished: AtomicUsize,
}

/// What came of one stream.
#[derive(Clone, Debug, Default)]
pub struct StreamOutcome {
    /// [`Stream::name`].
    pub name: &'static str,
    /// Messages sent.
    pub sent: u64,
    /// Messages that were due while their sender was closed, or had 64 MiB waiting.
    pub unsent: u64,
    /// Bytes that were sent, the framing of WebSocket included, HTTP's not.
    pub bytes_written: u64,
    /// Deliveries.
    pub counts: Counts,
    /// From the scheduled time of sending to the read of the delivery.
    pub latency: Latency,
    /// From the scheduled time of sending to the actual one.
    pub slip: Latency,
}

/// A connection that ended during a run.
#[derive(Clone, Debug)]
pub struct Closure {
    /// The client's number.
    pub client: usize,
    /// When, counted from the start of the run.
    pub after: Nanos,
    /// What was seen of it.
    pub why: String,
}

/// The order in which one receiver got the messages of a run.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// The client's number.
    pub client: usize,
    /// Each message as sender number and message number.
    pub messages: Vec<(u32, u32)>,
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// One for each stream, in the load's order.
    pub streams: Vec<StreamOutcome>,
    /// Messages of earlier runs.
    pub stale: u64,
    /// Events without a stamp.
    pub unstamped: u64,
    /// Connections that ended.
    pub closures: Vec<Closure>,
    /// Clients in the namespace at the end.
    pub connected: usize,
    /// Share of one core that the busiest thread used while messages were sent, 0 to 1.
    pub busy: f64,
    /// Deliveries were still coming when the patience for them ended.
    pub cut_short: bool,
    /// When the last delivery of the run came, counted from its start.
    pub last_delivery: Nanos,
    /// With [`Load::record_order`]: what each receiver saw.
    pub sequences: Vec<Sequence>,
}

impl Outcome {
    /// Adds another thread's outcome of the same run.
    pub(crate) fn merge(&mut self, other: Self) {
        if self.streams.is_empty() {
            self.streams = other.streams;
        } else {
            for (ours, theirs) in self.streams.iter_mut().zip(&other.streams) {
                ours.sent += theirs.sent;
                ours.unsent += theirs.unsent;
                ours.bytes_written += theirs.bytes_written;
                ours.counts.merge(&theirs.counts);
                ours.latency.merge(&theirs.latency);
                ours.slip.merge(&theirs.slip);
            }
        }
        self.stale += other.stale;
        self.unstamped += other.unstamped;
        self.closures.extend(other.closures);
        self.connected += other.connected;
        self.busy = self.busy.max(other.busy);
        self.cut_short |= other.cut_short;
        self.last_delivery = self.last_delivery.max(other.last_delivery);
        self.sequences.extend(other.sequences);
    }

    /// The outcome of the stream called `name`; an empty one when there is none.
    #[must_use]
    pub fn stream(&self, name: &str) -> StreamOutcome {
        self.streams.iter().find(|stream| stream.name == name).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audiences() {
        let check = |audience: Audience, sender, receiver, expected| {
            assert_eq!(audience.includes(sender, receiver), expected, "{audience:?}");
        };
        check(Audience::Sender, 1, 1, true);
        check(Audience::Sender, 1, 2, false);
        check(Audience::Everyone, 1, 2, true);
        check(Audience::Room { rooms: 3 }, 1, 4, true);
        check(Audience::Room { rooms: 3 }, 1, 3, false);
        assert_eq!(Audience::Room { rooms: 3 }.room(4), "bench-1");
        assert_eq!(Audience::Everyone.room(4), "");
    }
}
