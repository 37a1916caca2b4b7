//! Packets: their parts, and writing them (Socket.IO protocol v5, default parser).
//!
//! Owns the header grammar in the writing direction and the shape of a decoded packet. Payloads
//! are JSON text that somebody else wrote and checked. Reading packets, and putting attachments
//! and text together, is [`crate::decoder`]'s.

use std::borrow::Cow;

use bytes::Bytes;

use crate::json;

/// Packet types as they appear on the wire, one digit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum PacketType {
    /// Join a namespace, or the confirmation that it was joined.
    Connect = 0,
    /// Leave a namespace.
    Disconnect = 1,
    /// An event without attachments.
    Event = 2,
    /// An acknowledgement without attachments.
    Ack = 3,
    /// A namespace refused a CONNECT.
    ConnectError = 4,
    /// An event with attachments.
    BinaryEvent = 5,
    /// An acknowledgement with attachments.
    BinaryAck = 6,
}

impl PacketType {
    /// The type that an ASCII digit stands for.
    pub fn from_digit(digit: u8) -> Option<Self> {
        Some(match digit {
            b'0' => PacketType::Connect,
            b'1' => PacketType::Disconnect,
            b'2' => PacketType::Event,
            b'3' => PacketType::Ack,
            b'4' => PacketType::ConnectError,
            b'5' => PacketType::BinaryEvent,
            b'6' => PacketType::BinaryAck,
            _ => return None,
        })
    }

    /// The ASCII digit of this type.
    pub fn digit(self) -> u8 {
        b'0' + self as u8
    }
}

/// A decoded packet. It borrows the text it was decoded from, or the decoder that kept it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The namespace as written, `/` when the packet names none. It begins with `/` and has no
    /// comma; everything else is unchecked. In a msgpack packet it may be any text.
    pub namespace: &'a str,
    /// What the packet says.
    pub body: Body<'a>,
}

/// What a packet says. The binary types do not appear: an event is an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body<'a> {
    /// CONNECT.
    Connect {
        /// A checked JSON object: credentials from a client, `{"sid":…}` from a server.
        auth: Option<&'a str>,
    },
    /// DISCONNECT.
    Disconnect,
    /// EVENT or BINARY_EVENT.
    Event {
        /// The sender wants an acknowledgement with this id, at most 2^53 - 1.
        id: Option<u64>,
        /// The event name, then its arguments.
        args: Args<'a>,
    },
    /// ACK or BINARY_ACK.
    Ack {
        /// The id of the event that is acknowledged, at most 2^53 - 1.
        id: u64,
        /// The arguments of the acknowledgement.
        args: Args<'a>,
    },
    /// CONNECT_ERROR, which only servers send.
    ConnectError {
        /// A checked JSON object or string.
        payload: &'a str,
    },
}

/// A checked JSON array and its attachments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Args<'a> {
    raw: &'a str,
    depth: u32,
    attachments: Attachments<'a>,
}

impl<'a> Args<'a> {
    pub(crate) fn new(raw: &'a str, depth: u32, attachments: Attachments<'a>) -> Self {
        Args { raw, depth, attachments }
    }

    /// The array as the sender wrote it, without surrounding white space.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// The elements of the array; for an event the first one is its name.
    pub fn elements(&self) -> json::Elements<'a> {
        json::elements(self.raw)
    }

    /// Deepest nesting, the array itself included: at least 1.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// The attachments that the array's placeholders refer to.
    pub fn attachments(&self) -> Attachments<'a> {
        self.attachments
    }

    /// The name of an event: its first element, which the decoder has made sure is a string or a
    /// number. Arguments of an acknowledgement have no name; they give whatever they begin with,
    /// or an empty text.
    pub fn event_name(&self) -> EventName<'a> {
        match self.elements().next() {
            Some(first) if json::kind(first) == json::Kind::String => {
                EventName::Text(json::unescape(first))
            }
            Some(first) => EventName::Number(first),
            None => EventName::Text(Cow::Borrowed(b"")),
        }
    }
}

/// Binary attachments of a packet, in the order in which they arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attachments<'a> {
    /// All of them; empty for a packet without attachments.
    List(&'a [Bytes]),
    /// Text and attachments together exceed the limit of the decoder. The attachments are gone,
    /// the text is intact: the sender can be told what was refused.
    TooLarge {
        /// Size of text and attachments as received, in bytes.
        bytes: usize,
    },
}

/// The name of an event: the first element of its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventName<'a> {
    /// The contents of a string, as WTF-8.
    Text(Cow<'a, [u8]>),
    /// The raw text of a number.
    Number(&'a str),
}

impl EventName<'_> {
    /// Whether this is the event `name`. A number is the event that is spelt like it.
    pub fn is(&self, name: &str) -> bool {
        match self {
            EventName::Text(text) => **text == *name.as_bytes(),
            EventName::Number(raw) => *raw == name,
        }
    }
}

/// Names that mean something to the libraries themselves. A packet that uses one as an event name
/// is refused by every stock decoder, so that none must ever be written either.
pub const RESERVED_EVENT_NAMES: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Appends the header of an event with `attachments` binaries; the JSON array follows.
///
/// Writes EVENT without attachments and BINARY_EVENT with them, for clients drop the connection
/// on a binary type that announces none. Like all writers here it leaves out Engine.IO's `4`.
pub fn write_event_header(out: &mut Vec<u8>, namespace: &str, id: Option<u64>, attachments: usize) {
    let types = (PacketType::Event, PacketType::BinaryEvent);
    write_header(out, types, namespace, id, attachments);
}

/// Appends the header of an acknowledgement with `attachments` binaries; the JSON array follows.
pub fn write_ack_header(out: &mut Vec<u8>, namespace: &str, id: u64, attachments: usize) {
    let types = (PacketType::Ack, PacketType::BinaryAck);
    write_header(out, types, namespace, Some(id), attachments);
}

/// Appends a CONNECT. Servers must give a payload with a `sid`; clients may give credentials.
pub fn write_connect(out: &mut Vec<u8>, namespace: &str, payload_json: Option<&str>) {
    out.push(PacketType::Connect.digit());
    write_namespace(out, namespace);
    out.extend_from_slice(payload_json.unwrap_or_default().as_bytes());
}

/// Appends a DISCONNECT.
pub fn write_disconnect(out: &mut Vec<u8>, namespace: &str) {
    out.push(PacketType::Disconnect.digit());
    write_namespace(out, namespace);
}

/// Appends a CONNECT_ERROR whose payload is an object with `message` and, if given, `data`. Stock
/// clients break on any other shape.
pub fn write_connect_error(
    out: &mut Vec<u8>,
    namespace: &str,
    message: &str,
    data_json: Option<&str>,
) {
    out.push(PacketType::ConnectError.digit());
    write_namespace(out, namespace);
    out.extend_from_slice(b"{\"message\":");
    json::write_string(out, message);
    if let Some(data) = data_json {
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(data.as_bytes());
    }
    out.push(b'}');
}

/// `types`: the one without and the one with attachments.
fn write_header(
    out: &mut Vec<u8>,
    types: (PacketType, PacketType),
    namespace: &str,
    id: Option<u64>,
    attachments: usize,
) {
    if attachments == 0 {
        out.push(types.0.digit());
    } else {
        out.push(types.1.digit());
        write_decimal(out, attachments as u64);
        out.push(b'-');
    }
    write_namespace(out, namespace);
    if let Some(id) = id {
        write_decimal(out, id);
    }
}

fn write_namespace(out: &mut Vec<u8>, namespace: &str) {
    if namespace != "/" {
        out.extend_from_slice(namespace.as_bytes());
        out.push(b',');
    }
}

fn write_decimal(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [b'0'; 20];
    let mut begin = digits.len();
    loop {
        begin -= 1;
        digits[begin] += u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[begin..]);
}
