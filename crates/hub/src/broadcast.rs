//! What is sent: a packet, an audience, a place in the order.

use std::sync::Arc;

use bytes::Bytes;

use crate::bulk::BulkOp;
use crate::directory::Expected;
use crate::frame::Weight;
use crate::limits::Limits;
use crate::room::Audience;

/// An event ready to be encoded: its arguments as the text of one JSON array whose first element
/// is the event's name, and the binaries that its placeholders name.
///
/// The text is passed on byte for byte; whoever builds one vouches that it is such an array.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// The JSON array.
    pub args: Bytes,
    /// The attachments, in the order of their placeholders.
    pub attachments: Vec<Bytes>,
}

impl Packet {
    /// A packet with a copy of `args`.
    #[must_use]
    pub fn new(args: &[u8], attachments: &[Bytes]) -> Self {
        Self { args: Bytes::copy_from_slice(args), attachments: attachments.to_vec() }
    }

    /// Whether it may be sent under these bounds.
    ///
    /// # Errors
    /// [`EmitError::TooLarge`] or [`EmitError::TooManyAttachments`].
    pub fn check(&self, limits: &Limits) -> Result<(), EmitError> {
        check(self.args.len(), &self.attachments, limits)
    }

    /// What it costs to keep: arguments and attachments.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.args.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }
}

/// A packet, who gets it, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broadcast {
    /// What is sent.
    pub packet: Packet,
    /// Who gets it.
    pub audience: Audience,
    /// Clients that cannot take it at once go without.
    pub volatile: bool,
    /// Other instances are not told.
    pub local: bool,
}

impl Broadcast {
    /// A broadcast that waits for slow receivers and crosses instances.
    #[must_use]
    pub fn new(packet: Packet, audience: Audience) -> Self {
        Self { packet, audience, volatile: false, local: false }
    }
}

/// Whether so many bytes of arguments and these binaries may be sent.
pub(crate) fn check(args: usize, attachments: &[Bytes], limits: &Limits) -> Result<(), EmitError> {
    if attachments.len() > limits.attachments_max {
        return Err(EmitError::TooManyAttachments);
    }
    // The largest encoding, whoever the receivers are: base64. Headers of the packet and the
    // frames are far below the slack of a kilobyte.
    let base64 = |data: &Bytes| data.len().div_ceil(3) * 4 + 16;
    let encoded = args + attachments.iter().map(base64).sum::<usize>() + 1_024;
    if encoded > limits.encoded_bytes_max { Err(EmitError::TooLarge) } else { Ok(()) }
}

/// Why something was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EmitError {
    /// The encoding would exceed the bound of one message: our limit.
    TooLarge,
    /// More binaries than stock clients accept: our limit.
    TooManyAttachments,
    /// The bound of awaited acknowledgements is reached: our limit.
    TooManyAcks,
    /// The socket is gone.
    Gone,
}

impl std::fmt::Display for EmitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the message is too large to be sent",
            Self::TooManyAttachments => "the message has too many attachments",
            Self::TooManyAcks => "too many acknowledgements are awaited",
            Self::Gone => "the socket is gone",
        })
    }
}

impl std::error::Error for EmitError {}

/// Who collects the acknowledgements of a broadcast.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Collect {
    /// The ack id that every receiver gets.
    pub(crate) id: u32,
    /// The shard that collects, and its number for it.
    pub(crate) shard: usize,
    pub(crate) request: u64,
    /// When it ends, answered or not.
    pub(crate) due: u64,
}

/// A packet on its way to an audience.
#[derive(Debug)]
pub(crate) struct Sending {
    pub(crate) packet: Packet,
    pub(crate) volatile: bool,
    pub(crate) collect: Option<Collect>,
    /// The beginning of the turn that it was read in, in microseconds.
    pub(crate) caused_at: u64,
}

/// What is done to each socket of an audience.
#[derive(Debug)]
pub(crate) enum Work {
    Send(Sending),
    Change(BulkOp),
    /// A shard wants to know who they are, and has this number for it.
    Find {
        shard: usize,
        request: u64,
    },
    /// The same, but only how many they are.
    Count {
        shard: usize,
        request: u64,
    },
}

impl Work {
    /// Whether who is in a room may be another after it.
    pub(crate) fn changes_rooms(&self) -> bool {
        match self {
            Self::Send(_) | Self::Find { .. } | Self::Count { .. } => false,
            Self::Change(BulkOp::Join(_) | BulkOp::Leave(_) | BulkOp::Disconnect { .. }) => true,
        }
    }
}

/// A place in the order: an audience, and what is done to it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) namespace: usize,
    /// Which of the namespaces that had this index.
    pub(crate) serial: u64,
    pub(crate) audience: Audience,
    pub(crate) work: Work,
    pub(crate) weight: Option<Arc<Weight>>,
    /// What joins rooms is expected to until every shard has left this place.
    pub(crate) _expected: Option<Expected>,
}
