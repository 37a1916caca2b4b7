//! A binary packet between its text and its last attachment.
//!
//! Owns what is held meanwhile and how much that is. What was announced allocates nothing; what
//! exceeds the bound is counted and not kept. When attachments may come is the decoder's.

use bytes::Bytes;

use crate::packet::{Args, Attachments, Body, Packet};

/// A binary packet whose text has arrived.
#[derive(Debug)]
pub(crate) struct Incomplete {
    namespace: Box<str>,
    raw: Box<str>,
    depth: u32,
    id: Option<u64>,
    is_event: bool,
    /// How many attachments are still to come. Nothing was allocated for them.
    awaited: u8,
    attachments: Vec<Bytes>,
    /// Text and attachments as received.
    received_bytes: usize,
    too_large: bool,
}

impl Incomplete {
    /// What an attachment costs beside its contents: its handle, the header that it gets when it
    /// is shared, and the allocator's own.
    const ATTACHMENT_OVERHEAD_BYTES: usize = 64;

    /// Keeps the text of a packet, which was `text_bytes` long with its header, until `awaited`
    /// attachments have followed. `None` for a body that cannot have attachments.
    pub(crate) fn new(
        text_bytes: usize,
        namespace: &str,
        body: &Body<'_>,
        awaited: u8,
    ) -> Option<Box<Self>> {
        let (is_event, id, args) = match body {
            Body::Event { id, args } => (true, *id, args),
            Body::Ack { id, args } => (false, Some(*id), args),
            Body::Connect { .. } | Body::Disconnect | Body::ConnectError { .. } => return None,
        };
        let too_large = matches!(args.attachments(), Attachments::TooLarge { .. });
        Some(Box::new(Incomplete {
            namespace: namespace.into(),
            raw: args.raw().into(),
            depth: args.depth(),
            id,
            is_event,
            awaited,
            attachments: Vec::new(),
            received_bytes: text_bytes,
            too_large,
        }))
    }

    /// Whether the last attachment has arrived.
    pub(crate) fn is_complete(&self) -> bool {
        self.awaited == 0
    }

    /// Takes the next attachment; keeps it unless text and attachments exceed `bytes_max`.
    pub(crate) fn take(&mut self, data: &[u8], bytes_max: usize) {
        self.awaited = self.awaited.saturating_sub(1);
        self.received_bytes = self.received_bytes.saturating_add(data.len());
        if self.received_bytes > bytes_max {
            self.too_large = true;
        }
        if self.too_large {
            self.attachments = Vec::new();
        } else {
            self.attachments.push(Bytes::copy_from_slice(data));
        }
    }

    /// The packet as far as it has arrived.
    pub(crate) fn packet(&self) -> Packet<'_> {
        let attachments = if self.too_large {
            Attachments::TooLarge { bytes: self.received_bytes }
        } else {
            Attachments::List(&self.attachments)
        };
        let args = Args::new(&self.raw, self.depth, attachments);
        let body = match (self.is_event, self.id) {
            (false, Some(id)) => Body::Ack { id, args },
            (_, id) => Body::Event { id, args },
        };
        Packet { namespace: &self.namespace, body }
    }

    /// Heap held, the value itself included, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        let contents: usize = self.attachments.iter().map(Bytes::len).sum();
        size_of::<Self>()
            + self.namespace.len()
            + self.raw.len()
            + self.attachments.capacity() * Self::ATTACHMENT_OVERHEAD_BYTES
            + contents
    }
}
