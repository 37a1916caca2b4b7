//! The header of a frame (RFC 6455 §5.2) and every rule that a header alone can break.
//!
//! Octets are judged in the order in which they arrive, so that the verdict on a stream does not depend
//! on how it was cut into reads.

use crate::Role;
use crate::error::Error;

/// The longest header: two octets, a 64-bit length and a masking key.
pub(crate) const HEADER_BYTES_MAX: usize = 14;

/// The largest payload of a control frame, in octets (§5.5).
pub const CONTROL_PAYLOAD_BYTES_MAX: usize = 125;

/// What the payload of a frame is (§5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// The next fragment of the message in progress.
    Continuation = 0,
    /// A text message, or its first fragment.
    Text = 1,
    /// A binary message, or its first fragment.
    Binary = 2,
    /// The last frame that an end sends.
    Close = 8,
    /// Asks for a Pong.
    Ping = 9,
    /// Answers a Ping, or shows that the sender is alive.
    Pong = 10,
}

impl Opcode {
    /// Whether this is a control frame, which may come between the fragments of a message (§5.5).
    #[must_use]
    pub fn is_control(self) -> bool {
        match self {
            Self::Continuation | Self::Text | Self::Binary => false,
            Self::Close | Self::Ping | Self::Pong => true,
        }
    }

    fn from_bits(bits: u8) -> Result<Self, Error> {
        match bits {
            0 => Ok(Self::Continuation),
            1 => Ok(Self::Text),
            2 => Ok(Self::Binary),
            8 => Ok(Self::Close),
            9 => Ok(Self::Ping),
            10 => Ok(Self::Pong),
            reserved => Err(Error::ReservedOpcode(reserved)),
        }
    }
}

/// What a header is judged against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    pub(crate) role: Role,
    pub(crate) message_bytes_max: u32,
    /// The bytes of the message in progress so far, or `None` if the last message is complete.
    pub(crate) message_bytes: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub(crate) opcode: Opcode,
    pub(crate) fin: bool,
    pub(crate) payload_len: u32,
    /// Zero, which masks nothing, in an unmasked frame.
    pub(crate) mask: [u8; 4],
    /// Octets of the header itself.
    pub(crate) header_len: usize,
}

impl Header {
    /// Reads the header at the front of `bytes`; `None` if its end has not arrived.
    pub(crate) fn parse(bytes: &[u8], context: &Context) -> Result<Option<Self>, Error> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let fin = first & 0x80 != 0;
        let opcode = parse_first(first, context)?;

        let Some(&second) = bytes.get(1) else { return Ok(None) };
        let length_bits = second & 0x7f;
        check_second(second, opcode, context.role)?;

        let Some((payload_len, length_end)) = parse_length(bytes, length_bits)? else {
            return Ok(None);
        };
        let payload_len = check_limit(payload_len, opcode, context)?;

        let (mask, header_len) = match context.role {
            Role::Client => ([0; 4], length_end),
            Role::Server => match bytes[length_end..].first_chunk::<4>() {
                Some(mask) => (*mask, length_end + 4),
                None => return Ok(None),
            },
        };
        Ok(Some(Self { opcode, fin, payload_len, mask, header_len }))
    }
}

fn parse_first(first: u8, context: &Context) -> Result<Opcode, Error> {
    if first & 0x70 != 0 {
        return Err(Error::ReservedBits);
    }
    let opcode = Opcode::from_bits(first & 0x0f)?;
    let fin = first & 0x80 != 0;
    match (opcode, context.message_bytes) {
        (Opcode::Continuation, None) => Err(Error::UnexpectedContinuation),
        (Opcode::Text | Opcode::Binary, Some(_)) => Err(Error::InterleavedMessage),
        (Opcode::Close | Opcode::Ping | Opcode::Pong, _) if !fin => Err(Error::FragmentedControl),
        _ => Ok(opcode),
    }
}

fn check_second(second: u8, opcode: Opcode, role: Role) -> Result<(), Error> {
    let masked = second & 0x80 != 0;
    match role {
        Role::Server if !masked => return Err(Error::UnmaskedFrame),
        Role::Client if masked => return Err(Error::MaskedFrame),
        Role::Server | Role::Client => {}
    }
    if opcode.is_control() && usize::from(second & 0x7f) > CONTROL_PAYLOAD_BYTES_MAX {
        return Err(Error::OversizedControl);
    }
    if opcode == Opcode::Close && second & 0x7f == 1 {
        return Err(Error::TruncatedCloseCode);
    }
    Ok(())
}

/// The payload length and the offset at which it ends; `None` if its octets have not all arrived.
fn parse_length(bytes: &[u8], length_bits: u8) -> Result<Option<(u64, usize)>, Error> {
    match length_bits {
        126 => {
            let Some(field) = bytes[2..].first_chunk::<2>() else { return Ok(None) };
            let length = u16::from_be_bytes(*field);
            if length < 126 {
                return Err(Error::LengthNotMinimal);
            }
            Ok(Some((u64::from(length), 4)))
        }
        127 => {
            let Some(field) = bytes[2..].first_chunk::<8>() else { return Ok(None) };
            let length = u64::from_be_bytes(*field);
            if length >> 63 != 0 {
                return Err(Error::LengthTopBit);
            }
            if length <= u64::from(u16::MAX) {
                return Err(Error::LengthNotMinimal);
            }
            Ok(Some((length, 10)))
        }
        short => Ok(Some((u64::from(short), 2))),
    }
}

/// Refuses a message by the length that a header claims, before any of that payload is kept.
fn check_limit(payload_len: u64, opcode: Opcode, context: &Context) -> Result<u32, Error> {
    let too_long = Error::MessageTooLong { message_bytes_max: context.message_bytes_max };
    let frame_bytes = u32::try_from(payload_len).map_err(|_| too_long)?;
    if opcode.is_control() {
        return Ok(frame_bytes);
    }
    // A buffered message never exceeds the limit, so neither conversion nor sum can overflow.
    let message_bytes = context.message_bytes.unwrap_or(0) as u64 + payload_len;
    if message_bytes > u64::from(context.message_bytes_max) {
        return Err(too_long);
    }
    Ok(frame_bytes)
}
