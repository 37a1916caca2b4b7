//! From bytes to events: joins frames into messages (RFC 6455 §5.4), and says at the first octet that
//! allows it that a stream is not legal.
//!
//! The decoder owns what it must remember between two reads: a header cut short, the frame in
//! progress, and one buffer for the message in progress. It does not own the read buffer.
//!
//! The buffer holds the message so far and, behind it, a control frame that arrives in parts. No
//! record is kept per fragment, so that a message costs its bytes however small its frames are.

use std::ops::Range;

use crate::Role;
use crate::error::Error;
use crate::event::{Event, EventKind};
use crate::header::{CONTROL_PAYLOAD_BYTES_MAX, Context, HEADER_BYTES_MAX, Header, Opcode};
use crate::mask;

/// The first allocation for a message that arrives in small parts, in bytes.
const BUFFER_BYTES_MIN: usize = 64;

/// Decodes one direction of a connection.
///
/// Each call of [`decode`](Self::decode) yields at most one event; call it with what the last call
/// left of the input until it yields none.
///
/// Heap is held only while a message or a control frame is incomplete, or while the event that was
/// joined from it is lent out; the next call gives it back.
#[derive(Debug)]
pub struct Decoder {
    /// The message in progress, then the control frame in progress; both already unmasked.
    buffer: Vec<u8>,
    state: State,
    message_bytes_max: u32,
    role: Role,
    message: Option<Message>,
}

/// What [`Decoder::decode`] did with the input.
#[derive(Debug)]
pub struct Step<'a> {
    /// Bytes at the front of the input that are done with; all of them if there is no event.
    pub consumed: usize,
    /// A message or control frame that is now complete.
    pub event: Option<Event<'a>>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Between frames, with the first octets of a header that was cut by the end of a read.
    Header { octets: [u8; HEADER_BYTES_MAX], filled: u8 },
    /// Inside a frame's payload.
    Payload(Frame),
    /// The buffer holds a message that the caller has seen.
    MessageLent,
    /// The last `payload_len` bytes of the buffer are a control frame that the caller has seen.
    ControlLent { payload_len: u8 },
    /// A Close or a violation was met: nothing that follows means anything (§5.5.1, §7.1.7).
    Closed,
}

const BETWEEN_FRAMES: State = State::Header { octets: [0; HEADER_BYTES_MAX], filled: 0 };

/// The message in progress, from the header of its first frame to the end of its last.
#[derive(Debug, Clone, Copy)]
enum Message {
    /// The buffered text ends in the first `unfinished` octets (0–3) of a character; what is before
    /// them is UTF-8.
    Text {
        unfinished: u8,
    },
    Binary,
}

/// The frame in progress.
#[derive(Debug, Clone, Copy)]
struct Frame {
    /// Octets of payload that have not been taken.
    missing: u32,
    /// The masking key, turned so that it starts at the next octet.
    mask: [u8; 4],
    kind: FrameKind,
}

#[derive(Debug, Clone, Copy)]
enum FrameKind {
    Data { fin: bool },
    Control { kind: EventKind, payload_len: u8 },
}

/// Where a complete payload lies. Ranges rather than slices, so that the decoder can still change.
struct Ready {
    kind: EventKind,
    place: Place,
}

enum Place {
    Input(Range<usize>),
    /// From here to the end of the buffer.
    Buffer(usize),
}

impl Decoder {
    /// A decoder at the start of a connection, after the handshake.
    ///
    /// `message_bytes_max` limits a message's payload, its fragments added up; the limit of a control
    /// frame is the RFC's, 125 octets.
    #[must_use]
    pub fn new(role: Role, message_bytes_max: u32) -> Self {
        Self { buffer: Vec::new(), state: BETWEEN_FRAMES, message_bytes_max, role, message: None }
    }

    /// Decodes at most one event from the front of `input`, which it unmasks in place.
    ///
    /// [`Step::consumed`] bytes are done with. Call again with the rest until there is no event: then
    /// all of `input` was consumed, and what is incomplete is kept inside.
    ///
    /// A message that lies in `input` as one whole frame is borrowed from there; any other is joined
    /// in the decoder's buffer, which grows with what has arrived and never by what a header claims.
    ///
    /// # Errors
    /// The first violation in the stream, as soon as its octet is reached; [`Error::close_code`] is
    /// what the peer should be told. After an error, as after an [`Event::Close`], input is consumed
    /// and ignored.
    pub fn decode<'a>(&'a mut self, input: &'a mut [u8]) -> Result<Step<'a>, Error> {
        self.release();
        let (consumed, ready) = match self.advance(input) {
            Ok(progress) => progress,
            Err(error) => return Err(self.fail(error)),
        };
        let Some(Ready { kind, place }) = ready else { return Ok(Step { consumed, event: None }) };
        let event = match place {
            Place::Input(range) => match Event::parse(kind, &input[range]) {
                Ok(event) => event,
                Err(error) => return Err(self.fail(error)),
            },
            // Cannot fail: what is joined in the buffer was checked on its way there.
            Place::Buffer(start) => Event::parse(kind, &self.buffer[start..])?,
        };
        Ok(Step { consumed, event: Some(event) })
    }

    /// Bytes of heap held, for a budget over all connections: 0 unless a message or control frame is
    /// incomplete, or was joined and lent out by the last [`decode`](Self::decode).
    ///
    /// At most the message limit and a control frame.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// Takes back what the last call lent out.
    fn release(&mut self) {
        match self.state {
            State::Header { .. } | State::Payload(_) => return,
            State::MessageLent => self.buffer.clear(),
            State::ControlLent { payload_len } => {
                let message_bytes = self.buffer.len() - usize::from(payload_len);
                self.buffer.truncate(message_bytes);
            }
            State::Closed => {
                self.buffer = Vec::new();
                return;
            }
        }
        if self.buffer.is_empty() {
            self.buffer = Vec::new();
        }
        self.state = BETWEEN_FRAMES;
    }

    fn fail(&mut self, error: Error) -> Error {
        self.close();
        error
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.message = None;
        self.buffer = Vec::new();
    }

    /// Moves to the end of the first event, or of the input. Returns how far it came.
    fn advance(&mut self, input: &mut [u8]) -> Result<(usize, Option<Ready>), Error> {
        let mut at = 0;
        loop {
            let (mut frame, is_new) = match self.state {
                State::Header { octets, filled } => {
                    let Some((header, taken)) = self.take_header(octets, filled, &input[at..])?
                    else {
                        return Ok((input.len(), None));
                    };
                    at += taken;
                    (self.begin(&header), true)
                }
                State::Payload(frame) => (frame, false),
                // `release` has left the lent states.
                State::MessageLent | State::ControlLent { .. } | State::Closed => {
                    return Ok((input.len(), None));
                }
            };
            let available = u32::try_from(input.len() - at).unwrap_or(u32::MAX);
            let taken = available.min(frame.missing);
            let payload = at..at + taken as usize;
            at = payload.end;
            frame.missing -= taken;
            mask::apply(&mut input[payload.clone()], frame.mask);
            frame.mask.rotate_left(payload.len() % 4);

            if is_new && self.needs_no_joining(&frame) {
                let kind = self.event_kind(&frame);
                self.end_in_place(&frame);
                return Ok((at, Some(Ready { kind, place: Place::Input(payload) })));
            }
            let ready = self.take_payload(frame, &input[payload])?;
            if ready.is_some() || at == input.len() {
                return Ok((at, ready));
            }
        }
    }

    /// The next header, joined with the octets of it that were kept, and how many octets of `input`
    /// belong to it. Keeps `input` if the header does not end there.
    fn take_header(
        &mut self,
        mut octets: [u8; HEADER_BYTES_MAX],
        filled: u8,
        input: &[u8],
    ) -> Result<Option<(Header, usize)>, Error> {
        let context = Context {
            role: self.role,
            message_bytes_max: self.message_bytes_max,
            message_bytes: self.message.map(|_| self.buffer.len()),
        };
        let kept = usize::from(filled);
        if kept == 0
            && let Some(header) = Header::parse(input, &context)?
        {
            return Ok(Some((header, header.header_len)));
        }
        let taken = input.len().min(HEADER_BYTES_MAX - kept);
        octets[kept..kept + taken].copy_from_slice(&input[..taken]);
        if kept != 0
            && let Some(header) = Header::parse(&octets[..kept + taken], &context)?
        {
            return Ok(Some((header, header.header_len - kept)));
        }
        // A header without an end is shorter than the longest one, so all of the input was taken.
        #[expect(clippy::cast_possible_truncation, reason = "at most 14")]
        let filled = (kept + taken) as u8;
        self.state = State::Header { octets, filled };
        Ok(None)
    }

    /// Enters the frame that the header announces.
    fn begin(&mut self, header: &Header) -> Frame {
        #[expect(clippy::cast_possible_truncation, reason = "control frames have at most 125")]
        let payload_len = header.payload_len as u8;
        match header.opcode {
            Opcode::Text => self.message = Some(Message::Text { unfinished: 0 }),
            Opcode::Binary => self.message = Some(Message::Binary),
            Opcode::Continuation | Opcode::Close | Opcode::Ping | Opcode::Pong => {}
        }
        let kind = match header.opcode {
            Opcode::Continuation | Opcode::Text | Opcode::Binary => {
                FrameKind::Data { fin: header.fin }
            }
            Opcode::Close => FrameKind::Control { kind: EventKind::Close, payload_len },
            Opcode::Ping => FrameKind::Control { kind: EventKind::Ping, payload_len },
            Opcode::Pong => FrameKind::Control { kind: EventKind::Pong, payload_len },
        };
        Frame { missing: header.payload_len, mask: header.mask, kind }
    }

    /// Whether what came of a new frame is all of an event, and can be lent where it lies.
    fn needs_no_joining(&self, frame: &Frame) -> bool {
        let is_event = match frame.kind {
            FrameKind::Control { .. } => true,
            FrameKind::Data { fin } => fin && self.buffer.is_empty(),
        };
        is_event && frame.missing == 0
    }

    fn event_kind(&self, frame: &Frame) -> EventKind {
        match (frame.kind, self.message) {
            (FrameKind::Control { kind, .. }, _) => kind,
            (FrameKind::Data { .. }, Some(Message::Text { .. })) => EventKind::Text,
            (FrameKind::Data { .. }, Some(Message::Binary) | None) => EventKind::Binary,
        }
    }

    /// Leaves a frame whose payload is lent out of the input.
    fn end_in_place(&mut self, frame: &Frame) {
        match frame.kind {
            FrameKind::Control { kind: EventKind::Close, .. } => self.close(),
            FrameKind::Control { .. } => self.state = BETWEEN_FRAMES,
            FrameKind::Data { .. } => {
                self.message = None;
                self.state = BETWEEN_FRAMES;
            }
        }
    }

    /// Appends unmasked payload to the buffer; an event if that completes one.
    fn take_payload(&mut self, frame: Frame, payload: &[u8]) -> Result<Option<Ready>, Error> {
        self.append(&frame, payload);
        if let FrameKind::Data { .. } = frame.kind {
            self.check_text(payload.len())?;
        }
        if frame.missing > 0 {
            self.state = State::Payload(frame);
            return Ok(None);
        }
        let kind = self.event_kind(&frame);
        let start = match frame.kind {
            FrameKind::Data { fin: false } => {
                self.state = BETWEEN_FRAMES;
                return Ok(None);
            }
            FrameKind::Data { fin: true } => {
                if let Some(Message::Text { unfinished: 1.. }) = self.message {
                    return Err(Error::InvalidUtf8);
                }
                self.message = None;
                self.state = State::MessageLent;
                0
            }
            FrameKind::Control { kind, payload_len } => {
                let start = self.buffer.len() - usize::from(payload_len);
                self.state = State::ControlLent { payload_len };
                if kind == EventKind::Close {
                    Event::parse(kind, &self.buffer[start..])?;
                    self.state = State::Closed;
                }
                start
            }
        };
        Ok(Some(Ready { kind, place: Place::Buffer(start) }))
    }

    /// Appends to the buffer, which doubles as it grows so that a message is copied a bounded number
    /// of times, up to what can still arrive. The claimed length only ever lowers that.
    fn append(&mut self, frame: &Frame, payload: &[u8]) {
        let needed = self.buffer.len() + payload.len();
        if needed > self.buffer.capacity() {
            let is_last = match frame.kind {
                FrameKind::Data { fin } => fin,
                FrameKind::Control { .. } => self.message.is_none(),
            };
            let capacity_max = if is_last {
                needed + frame.missing as usize
            } else {
                self.message_bytes_max as usize + CONTROL_PAYLOAD_BYTES_MAX
            };
            let doubled = (2 * self.buffer.capacity()).max(BUFFER_BYTES_MIN);
            let capacity = doubled.min(capacity_max).max(needed);
            self.buffer.reserve_exact(capacity - self.buffer.len());
        }
        self.buffer.extend_from_slice(payload);
    }

    /// Checks the last `added` bytes of a text message, and the character that was cut before them.
    fn check_text(&mut self, added: usize) -> Result<(), Error> {
        let Some(Message::Text { unfinished }) = self.message else { return Ok(()) };
        let unchecked = added + usize::from(unfinished);
        let text = &self.buffer[self.buffer.len() - unchecked..];
        let unfinished = match std::str::from_utf8(text) {
            Ok(_) => 0,
            // `error_len` is `None` only if the text ends inside a character that may become valid.
            Err(error) if error.error_len().is_none() => text.len() - error.valid_up_to(),
            Err(_) => return Err(Error::InvalidUtf8),
        };
        #[expect(clippy::cast_possible_truncation, reason = "a character has at most 4 octets")]
        let unfinished = unfinished as u8;
        self.message = Some(Message::Text { unfinished });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Decoder;

    #[test]
    fn an_idle_decoder_is_small() {
        assert!(size_of::<Decoder>() <= 48, "{} bytes", size_of::<Decoder>());
    }
}
