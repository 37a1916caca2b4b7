//! Frames as they go out (RFC 6455 §5.2), always whole messages in one frame.
//!
//! Functions append to a buffer that the caller owns and never clear it, so that frames can be
//! coalesced into one write. A server's frames depend on nothing but their payload: one encoded frame
//! can be sent to any number of connections.

use crate::header::{CONTROL_PAYLOAD_BYTES_MAX, Opcode};
use crate::mask;

const FIN: u8 = 0x80;
const MASK: u8 = 0x80;

/// Appends the header of an unmasked frame with FIN; the caller appends `payload_len` bytes after it.
///
/// A control frame's payload has at most [`CONTROL_PAYLOAD_BYTES_MAX`] octets (§5.5).
pub fn write_header(out: &mut Vec<u8>, opcode: Opcode, payload_len: usize) {
    write_header_with(out, opcode, payload_len, 0);
}

/// The octets that [`write_header`] appends for this payload: 2, 4 or 10.
#[must_use]
pub fn header_len(payload_len: usize) -> usize {
    match payload_len {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    }
}

/// Appends an unmasked frame with FIN: what a server sends.
pub fn write_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    out.reserve(header_len(payload.len()) + payload.len());
    write_header(out, opcode, payload.len());
    out.extend_from_slice(payload);
}

/// Appends a masked frame with FIN: what a client sends.
///
/// A browser takes a fresh, unpredictable key for each frame (§5.3); randomness is the caller's.
pub fn write_masked_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], mask: [u8; 4]) {
    out.reserve(header_len(payload.len()) + mask.len() + payload.len());
    write_header_with(out, opcode, payload.len(), MASK);
    out.extend_from_slice(&mask);
    let payload_start = out.len();
    out.extend_from_slice(payload);
    mask::apply(&mut out[payload_start..], mask);
}

/// Appends a server's Close frame (§5.5.1).
///
/// Without a code the payload is empty, the reason is left out, and the peer reports 1005. A reason
/// is cut at a character boundary to the 123 octets that fit beside the code.
pub fn write_close(out: &mut Vec<u8>, code: Option<u16>, reason: &str) {
    let Some(code) = code else { return write_header(out, Opcode::Close, 0) };
    let code = code.to_be_bytes();
    let mut reason_end = reason.len().min(CONTROL_PAYLOAD_BYTES_MAX - code.len());
    while !reason.is_char_boundary(reason_end) {
        reason_end -= 1;
    }
    let reason = &reason.as_bytes()[..reason_end];
    write_header(out, Opcode::Close, code.len() + reason.len());
    out.extend_from_slice(&code);
    out.extend_from_slice(reason);
}

fn write_header_with(out: &mut Vec<u8>, opcode: Opcode, payload_len: usize, mask_bit: u8) {
    debug_assert!(!opcode.is_control() || payload_len <= CONTROL_PAYLOAD_BYTES_MAX);
    let first = FIN | opcode as u8;
    match u16::try_from(payload_len) {
        Ok(length @ 0..=125) => out.extend_from_slice(&[first, mask_bit | length.to_be_bytes()[1]]),
        Ok(length) => {
            let [high, low] = length.to_be_bytes();
            out.extend_from_slice(&[first, mask_bit | 126, high, low]);
        }
        Err(_) => {
            out.extend_from_slice(&[first, mask_bit | 127]);
            out.extend_from_slice(&(payload_len as u64).to_be_bytes());
        }
    }
}
