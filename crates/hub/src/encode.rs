//! From a Socket.IO packet to the bytes of one kind of client.
//!
//! A client is told apart by its transport and by its parser. Owns nothing of when and to whom.

use std::borrow::Cow;

use bytes::Bytes;
use relay_engineio::packet::{Packet as EnginePacket, encode_text};
use relay_engineio::payload::SEPARATOR;
use relay_socketio::msgpack;
use relay_socketio::packet::{
    write_ack_header, write_connect, write_connect_error, write_disconnect, write_event_header,
};
use relay_websocket::{Opcode, header_len, write_frame, write_header};

use crate::application::Message;
use crate::frame::Format;

/// A Socket.IO packet that the server sends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outgoing<'a> {
    Event { ack: Option<u64>, args: &'a [u8], attachments: &'a [Bytes] },
    Ack { id: u64, args: &'a [u8], attachments: &'a [Bytes] },
    Connect { payload: &'a str },
    ConnectError { message: &'a str, data: Option<&'a str> },
    Disconnect,
}

impl<'a> Outgoing<'a> {
    /// The arguments and their attachments; packets without have none.
    fn body(&self) -> (&'a [u8], &'a [Bytes]) {
        match *self {
            Self::Event { args, attachments, .. } | Self::Ack { args, attachments, .. } => {
                (args, attachments)
            }
            Self::Connect { .. } | Self::ConnectError { .. } | Self::Disconnect => (&[], &[]),
        }
    }

    /// How many Engine.IO packets it is in the default parser; in the other it is one.
    pub(crate) fn packets(&self, format: Format) -> u16 {
        let attachments = if format.msgpack { 0 } else { self.body().1.len() };
        u16::try_from(1 + attachments).unwrap_or(u16::MAX)
    }
}

/// The packet for clients of a format, or `None` if that would take more than `bytes_max`: as
/// msgpack a text can grow, and what it refers to twice is sent twice. `scratch` is where a header
/// is put together.
pub(crate) fn encode(
    format: Format,
    namespace: &str,
    outgoing: Outgoing<'_>,
    bytes_max: usize,
    scratch: &mut Vec<u8>,
) -> Option<Vec<u8>> {
    scratch.clear();
    if format.msgpack {
        pack(scratch, namespace, outgoing, bytes_max)?;
        return Some(message(format, Message::Binary(scratch)));
    }
    scratch.push(b'4');
    let (args, attachments) = outgoing.body();
    match outgoing {
        Outgoing::Event { ack, .. } => {
            write_event_header(scratch, namespace, ack, attachments.len());
        }
        Outgoing::Ack { id, .. } => write_ack_header(scratch, namespace, id, attachments.len()),
        Outgoing::Connect { payload } => write_connect(scratch, namespace, Some(payload)),
        Outgoing::ConnectError { message, data } => {
            write_connect_error(scratch, namespace, message, data);
        }
        Outgoing::Disconnect => write_disconnect(scratch, namespace),
    }
    Some(if format.polling {
        polling(scratch, args, attachments)
    } else {
        websocket(scratch, args, attachments)
    })
}

/// The packet as msgpack, without a frame.
fn pack(
    out: &mut Vec<u8>,
    namespace: &str,
    outgoing: Outgoing<'_>,
    bytes_max: usize,
) -> Option<()> {
    // Whoever builds arguments vouches that they are JSON.
    let args = std::str::from_utf8(outgoing.body().0).ok()?;
    match outgoing {
        Outgoing::Event { ack, attachments, .. } => {
            msgpack::write_event(out, namespace, ack, args, attachments, bytes_max)
        }
        Outgoing::Ack { id, attachments, .. } => {
            msgpack::write_ack(out, namespace, id, args, attachments, bytes_max)
        }
        Outgoing::Connect { payload } => {
            msgpack::write_connect(out, namespace, Some(payload), bytes_max)
        }
        Outgoing::ConnectError { message, data } => {
            msgpack::write_connect_error(out, namespace, message, data, bytes_max)
        }
        Outgoing::Disconnect => {
            msgpack::write_disconnect(out, namespace);
            Ok(())
        }
    }
    .ok()
}

/// One message of Engine.IO.
pub(crate) fn message(format: Format, message: Message<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    match (format.polling, message) {
        (false, Message::Text(text)) => {
            bytes.reserve(text.len() + 11);
            write_header(&mut bytes, Opcode::Text, text.len() + 1);
            bytes.push(b'4');
            bytes.extend_from_slice(text.as_bytes());
        }
        (false, Message::Binary(data)) => write_frame(&mut bytes, Opcode::Binary, data),
        (true, Message::Text(text)) => encode_text(&EnginePacket::Text(text), &mut bytes),
        (true, Message::Binary(data)) => {
            encode_text(&EnginePacket::Binary(Cow::Borrowed(data)), &mut bytes);
        }
    }
    bytes
}

/// A packet and its attachments as frames of RFC 6455.
fn websocket(head: &[u8], args: &[u8], attachments: &[Bytes]) -> Vec<u8> {
    let text = head.len() + args.len();
    let binary: usize = attachments.iter().map(|data| header_len(data.len()) + data.len()).sum();
    let mut bytes = Vec::with_capacity(header_len(text) + text + binary);
    write_header(&mut bytes, Opcode::Text, text);
    bytes.extend_from_slice(head);
    bytes.extend_from_slice(args);
    for data in attachments {
        write_header(&mut bytes, Opcode::Binary, data.len());
        bytes.extend_from_slice(data);
    }
    bytes
}

/// The same as part of a polling body.
fn polling(head: &[u8], args: &[u8], attachments: &[Bytes]) -> Vec<u8> {
    let binary: usize = attachments.iter().map(|data| data.len().div_ceil(3) * 4 + 2).sum();
    let mut bytes = Vec::with_capacity(head.len() + args.len() + binary);
    bytes.extend_from_slice(head);
    bytes.extend_from_slice(args);
    for data in attachments {
        bytes.push(SEPARATOR);
        encode_text(&EnginePacket::Binary(Cow::Borrowed(data)), &mut bytes);
    }
    bytes
}
