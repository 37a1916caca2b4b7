//! Encoding: from JSON text and attachments to msgpack, values and packets.
//!
//! Owns the second table of [`super`] and the members of every packet in the order in which a
//! Node server writes them. Takes JSON that has passed the check; what was never checked gives
//! meaningless bytes, or [`TooLarge`].

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;

use super::Library;
use super::shape::{Container, Instead, Member, Shape, key, shape, value_begin};
use super::write::{
    write_array_header, write_bin, write_bool, write_integer, write_map_header, write_nil,
    write_number, write_str,
};
use crate::json::{self, Kind, skip_space, skip_value};
use crate::packet::PacketType;

/// What was to be written exceeds the bound. Nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too large as it would be written")
    }
}

impl std::error::Error for TooLarge {}

/// Appends the value of a checked JSON text, its placeholders replaced by the attachments that
/// they refer to; without attachments every object is plain data. It is for readers with `library`.
///
/// # Errors
/// [`TooLarge`] beyond `bytes_max` bytes, or for a text of 4 GiB.
pub fn write_value(
    out: &mut Vec<u8>,
    json: &str,
    attachments: &[Bytes],
    library: Library,
    bytes_max: usize,
) -> Result<(), TooLarge> {
    bounded(out, bytes_max, |out, end_max| value_for(library, out, json, attachments, end_max))
}

/// Appends an EVENT. `args_json` is an array: the name, then the arguments. `id`, at most
/// [`crate::decoder::ACK_ID_MAX`], asks for an acknowledgement.
///
/// # Errors
/// [`TooLarge`] beyond `bytes_max` bytes.
pub fn write_event(
    out: &mut Vec<u8>,
    namespace: &str,
    id: Option<u64>,
    args_json: &str,
    attachments: &[Bytes],
    bytes_max: usize,
) -> Result<(), TooLarge> {
    bounded(out, bytes_max, |out, end_max| {
        write_map_header(out, if id.is_some() { 4 } else { 3 });
        write_type(out, PacketType::Event);
        write_str(out, b"data");
        value(out, args_json, attachments, end_max)?;
        if let Some(id) = id {
            write_id(out, id);
        }
        write_namespace(out, namespace);
        Ok(())
    })
}

/// Appends an ACK of the event with that id. `args_json` is an array.
///
/// # Errors
/// [`TooLarge`] beyond `bytes_max` bytes.
pub fn write_ack(
    out: &mut Vec<u8>,
    namespace: &str,
    id: u64,
    args_json: &str,
    attachments: &[Bytes],
    bytes_max: usize,
) -> Result<(), TooLarge> {
    bounded(out, bytes_max, |out, end_max| {
        write_map_header(out, 4);
        write_id(out, id);
        write_type(out, PacketType::Ack);
        write_str(out, b"data");
        value(out, args_json, attachments, end_max)?;
        write_namespace(out, namespace);
        Ok(())
    })
}

/// Appends a CONNECT. `payload_json` is an object; servers always send a payload with a `sid`.
///
/// A Node server adds `pid: undefined`; for the clients that is the same as no `pid`.
///
/// # Errors
/// [`TooLarge`] beyond `bytes_max` bytes.
pub fn write_connect(
    out: &mut Vec<u8>,
    namespace: &str,
    payload_json: Option<&str>,
    bytes_max: usize,
) -> Result<(), TooLarge> {
    bounded(out, bytes_max, |out, end_max| {
        write_map_header(out, if payload_json.is_some() { 3 } else { 2 });
        write_type(out, PacketType::Connect);
        if let Some(payload) = payload_json {
            write_str(out, b"data");
            value(out, payload, &[], end_max)?;
        }
        write_namespace(out, namespace);
        Ok(())
    })
}

/// Appends a DISCONNECT.
pub fn write_disconnect(out: &mut Vec<u8>, namespace: &str) {
    write_map_header(out, 2);
    write_type(out, PacketType::Disconnect);
    write_namespace(out, namespace);
}

/// Appends a CONNECT_ERROR whose payload is an object with `message` and, if given, `data`.
///
/// # Errors
/// [`TooLarge`] beyond `bytes_max` bytes.
pub fn write_connect_error(
    out: &mut Vec<u8>,
    namespace: &str,
    message: &str,
    data_json: Option<&str>,
    bytes_max: usize,
) -> Result<(), TooLarge> {
    bounded(out, bytes_max, |out, end_max| {
        write_map_header(out, 3);
        write_type(out, PacketType::ConnectError);
        write_str(out, b"data");
        write_map_header(out, if data_json.is_some() { 2 } else { 1 });
        write_str(out, b"message");
        write_str(out, message.as_bytes());
        if let Some(data) = data_json {
            write_str(out, b"data");
            value(out, data, &[], end_max)?;
        }
        write_namespace(out, namespace);
        Ok(())
    })
}

fn write_type(out: &mut Vec<u8>, packet_type: PacketType) {
    write_str(out, b"type");
    write_integer(out, packet_type as i64);
}

fn write_id(out: &mut Vec<u8>, id: u64) {
    write_str(out, b"id");
    write_integer(out, i64::try_from(id).unwrap_or(i64::MAX));
}

fn write_namespace(out: &mut Vec<u8>, namespace: &str) {
    write_str(out, b"nsp");
    write_str(out, namespace.as_bytes());
}

/// Lets `write` append up to `bytes_max` bytes, and takes them away again if it appends more. It
/// is told how long `out` may become, so that it can stop early.
fn bounded(
    out: &mut Vec<u8>,
    bytes_max: usize,
    write: impl FnOnce(&mut Vec<u8>, usize) -> Result<(), TooLarge>,
) -> Result<(), TooLarge> {
    let begin = out.len();
    let end_max = begin.saturating_add(bytes_max);
    let written = write(out, end_max).and_then(|()| within(out, end_max));
    if written.is_err() {
        out.truncate(begin);
    }
    written
}

fn within(out: &[u8], end_max: usize) -> Result<(), TooLarge> {
    if out.len() > end_max { Err(TooLarge) } else { Ok(()) }
}

fn value(
    out: &mut Vec<u8>,
    json: &str,
    attachments: &[Bytes],
    end_max: usize,
) -> Result<(), TooLarge> {
    // Clients use what socket.io-msgpack-parser does.
    value_for(Library::Notepack, out, json, attachments, end_max)
}

fn value_for(
    library: Library,
    out: &mut Vec<u8>,
    json: &str,
    attachments: &[Bytes],
    end_max: usize,
) -> Result<(), TooLarge> {
    if u32::try_from(json.len()).is_err() {
        return Err(TooLarge);
    }
    let shape = shape(json, attachments.len());
    let levels = Vec::new();
    Writer { library, out, text: json, at: 0, shape: &shape, container: 0, attachments, levels }
        .run(end_max)
}

/// A container whose elements are being written.
enum Level {
    /// As it stands in the text; how many are still to come.
    Regular { remaining: u32, is_object: bool },
    /// An object whose members are looked up: those still to come of [`Shape::members`], and
    /// where to go on behind it.
    Ordered { members: Range<u32>, end: u32, next_container: u32 },
}

struct Writer<'a> {
    library: Library,
    out: &'a mut Vec<u8>,
    text: &'a str,
    at: usize,
    shape: &'a Shape,
    /// The next container that opens.
    container: u32,
    attachments: &'a [Bytes],
    levels: Vec<Level>,
}

impl Writer<'_> {
    fn run(&mut self, end_max: usize) -> Result<(), TooLarge> {
        loop {
            self.value();
            // Every value takes a byte, so that this ends whatever the text was.
            within(self.out, end_max)?;
            if !self.advance() {
                return Ok(());
            }
        }
    }

    /// Writes a scalar or an attachment, or opens a container.
    fn value(&mut self) {
        let bytes = self.text.as_bytes();
        self.at = skip_space(bytes, self.at);
        if matches!(bytes.get(self.at), Some(b'{' | b'[')) {
            return self.open();
        }
        let end = skip_value(bytes, self.at).unwrap_or(bytes.len());
        let raw = self.text.get(self.at..end).unwrap_or_default();
        self.at = end;
        match json::kind(raw) {
            Kind::String => write_string(self.out, raw),
            Kind::Number => write_json_number(self.out, raw, self.library),
            Kind::Bool => write_bool(self.out, raw == "true"),
            Kind::Null | Kind::Array | Kind::Object => write_nil(self.out),
        }
    }

    fn open(&mut self) {
        let is_object = self.text.as_bytes().get(self.at) == Some(&b'{');
        let container = self.shape.containers.get(self.container as usize).copied();
        let irregular = match container.unwrap_or(Container::Regular(0)) {
            Container::Regular(remaining) => {
                if is_object {
                    write_map_header(self.out, remaining);
                } else {
                    write_array_header(self.out, remaining);
                }
                self.at += 1;
                self.container = self.container.saturating_add(1);
                return self.levels.push(Level::Regular { remaining, is_object });
            }
            Container::Irregular(at) => &self.shape.irregular[at as usize],
        };
        let (end, next_container) = (irregular.end, irregular.next_container);
        match &irregular.instead {
            Instead::Attachment(index) => {
                let data = self.attachments.get(*index as usize).cloned().unwrap_or_default();
                write_bin(self.out, &data);
                self.at = end as usize;
                self.container = next_container;
            }
            Instead::Members(members) => {
                write_map_header(self.out, members.end - members.start);
                let members = members.clone();
                self.levels.push(Level::Ordered { members, end, next_container });
            }
        }
    }

    /// Moves behind the containers that are complete, and past the next key to the next value.
    /// False when the outermost value is complete.
    fn advance(&mut self) -> bool {
        let bytes = self.text.as_bytes();
        while let Some(level) = self.levels.last_mut() {
            match level {
                Level::Regular { remaining: 0, .. } => {
                    // Behind the closing bracket.
                    self.at = skip_space(bytes, self.at).saturating_add(1).min(bytes.len());
                }
                Level::Regular { remaining, is_object } => {
                    *remaining -= 1;
                    self.at = skip_space(bytes, self.at);
                    if bytes.get(self.at) == Some(&b',') {
                        self.at = skip_space(bytes, self.at + 1);
                    }
                    if *is_object {
                        let at = u32::try_from(self.at).unwrap_or(u32::MAX);
                        self.key(Member { key: at, container: self.container });
                    }
                    return true;
                }
                Level::Ordered { members, end, next_container } => {
                    let member = members.next().and_then(|at| self.shape.members.get(at as usize));
                    if let Some(member) = member {
                        self.container = member.container;
                        self.key(*member);
                        return true;
                    }
                    self.at = *end as usize;
                    self.container = *next_container;
                }
            }
            self.levels.pop();
        }
        false
    }

    fn key(&mut self, member: Member) {
        write_string(self.out, key(self.text, member));
        self.at = value_begin(self.text, member);
    }
}

/// Writes what a raw JSON string means.
fn write_string(out: &mut Vec<u8>, raw: &str) {
    match json::unescape(raw) {
        Cow::Borrowed(contents) => write_str(out, contents),
        Cow::Owned(mut contents) => {
            json::replace_surrogates(&mut contents);
            write_str(out, &contents);
        }
    }
}

fn write_json_number(out: &mut Vec<u8>, raw: &str, library: Library) {
    // Fifteen digits are exact, and faster without a double.
    if raw.len() <= 15
        && let Ok(integer) = raw.parse::<i64>()
        && library.takes_short_integer(integer)
    {
        return write_integer(out, integer);
    }
    write_number(out, json::number(raw), library);
}
