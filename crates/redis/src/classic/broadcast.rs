//! Broadcasts: `[uid, packet, {rooms, except, flags}]` in msgpack.

use relay_hub::{Audience, Broadcast, Packet};
use relay_socketio::msgpack::{Reader, Token, Value, read_value, write_array_header, write_str};

use super::document::DecodeLimits;
use super::event::{Refused, packet, write_packet};
use super::garbage::Garbage;
use super::id::{ShortId, bounded};
use super::options::{Flags, Options, write_options};

/// A broadcast of another instance, or of an emitter outside of the cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerBroadcast {
    /// Who sends it: its id in this namespace, of any bytes.
    pub sender: Box<[u8]>,
    /// What is sent.
    pub packet: Packet,
    /// Who gets it.
    pub audience: Audience,
    /// How.
    pub flags: Flags,
}

/// What a message on a channel of broadcasts turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Heard {
    /// Something for the sockets of this instance.
    Broadcast(PeerBroadcast),
    /// What this instance sent itself: Redis tells everybody.
    Own,
    /// It is about another namespace, whose name continues ours.
    OtherNamespace,
    /// It addresses what cannot be a room, or rooms where nobody is.
    Nobody,
}

/// Decodes a message on a channel of broadcasts of `namespace`, where this instance is `uid`. Its
/// own are known at once, whatever their size.
///
/// # Errors
/// What makes the message none.
pub fn decode_broadcast(
    bytes: &[u8],
    uid: &ShortId,
    namespace: &str,
    limits: DecodeLimits,
) -> Result<Heard, Garbage> {
    decode_broadcast_for(bytes, uid, namespace, limits, |_| true)
}

/// The same, if `is_wanted` says that the audience may have somebody here; otherwise nothing is made
/// of the packet, not even whether it is one.
///
/// # Errors
/// What makes the message none.
pub fn decode_broadcast_for(
    bytes: &[u8],
    uid: &ShortId,
    namespace: &str,
    limits: DecodeLimits,
    is_wanted: impl FnOnce(&Audience) -> bool,
) -> Result<Heard, Garbage> {
    let mut reader = Reader::new(bytes);
    let Token::Array(3) = reader.token()? else { return Err(Garbage::Shape("message")) };
    let sender = match reader.whole()? {
        Token::Str(sender) if sender == uid.as_bytes() => return Ok(Heard::Own),
        Token::Str(sender) => sender,
        // Node takes anything; nobody sends anything else.
        _ => return Err(Garbage::Shape("uid")),
    };
    if bytes.len() > limits.message_bytes_max {
        return Err(Garbage::TooLarge);
    }
    bounded(sender)?;
    let mut packet_reader = reader;
    reader.whole()?;
    let options = Options::from_msgpack(&mut reader, limits.rooms_max)?;
    reader.finish()?;
    let Some(audience) = options.audience.filter(is_wanted) else { return Ok(Heard::Nobody) };
    let (data, is_here) = read_packet(&mut packet_reader, namespace, limits)?;
    if !is_here {
        return Ok(Heard::OtherNamespace);
    }
    let packet = packet(data, limits)?;
    let sender = sender.into();
    Ok(Heard::Broadcast(PeerBroadcast { sender, packet, audience, flags: options.flags }))
}

/// The `data` of a packet, and whether it is for `namespace`; a packet without one is for `/`.
fn read_packet(
    reader: &mut Reader<'_>,
    namespace: &str,
    limits: DecodeLimits,
) -> Result<(Value, bool), Garbage> {
    let Token::Map(count) = reader.token()? else { return Err(Garbage::Shape("packet")) };
    let (mut packet_type, mut data, mut is_here) = (None, None, namespace == "/");
    for _ in 0..count {
        match reader.whole()? {
            Token::Str(b"type") => packet_type = Some(reader.whole()?),
            Token::Str(b"nsp") => {
                is_here = match reader.whole()? {
                    Token::Str(name) => name == namespace.as_bytes(),
                    Token::Undefined => namespace == "/",
                    _ => false,
                };
            }
            Token::Str(b"data") => {
                data = Some(read_value(reader, limits.attachments_max, limits.depth_max)?);
            }
            _ => {
                reader.whole()?;
            }
        }
    }
    // Servers of Socket.IO 2 tell events with binaries by a type of their own.
    if !is_here {
        let nothing = Value { json: String::new(), depth: 0, attachments: Vec::new() };
        return Ok((data.unwrap_or(nothing), false));
    }
    if !matches!(packet_type, Some(Token::Number(2.0 | 5.0))) {
        return Err(Garbage::Shape("type"));
    }
    Ok((data.ok_or(Garbage::Shape("data"))?, true))
}

/// Appends a broadcast of this instance, which is `uid` in `namespace`.
///
/// # Errors
/// What makes it unfit for the other instances; then nothing is appended.
pub fn write_broadcast(
    out: &mut Vec<u8>,
    uid: &ShortId,
    namespace: &str,
    broadcast: &Broadcast,
    bytes_max: usize,
) -> Result<(), Refused> {
    let begin = out.len();
    write_array_header(out, 3);
    write_str(out, uid.as_bytes());
    let written = write_packet(out, namespace, &broadcast.packet, bytes_max);
    if written.is_err() {
        out.truncate(begin);
        return written;
    }
    let flags = Flags { volatile: broadcast.volatile, ..Flags::default() };
    write_options(out, &broadcast.audience, flags);
    Ok(())
}
