//! Writing msgpack bytes, each value in the form that notepack chooses.
//!
//! Owns the formats of single values and of the headers of containers. What a container holds is
//! the caller's.

use super::Library;

/// Appends the header of an array; its values must follow.
pub fn write_array_header(out: &mut Vec<u8>, length: u32) {
    match narrow(length) {
        (Some(length @ 0..=0x0f), _) => out.push(0x90 | length),
        (_, Some(length)) => write_prefixed(out, 0xdc, &length.to_be_bytes()),
        _ => write_prefixed(out, 0xdd, &length.to_be_bytes()),
    }
}

/// Appends the header of a map; that many pairs of a key and a value must follow.
pub fn write_map_header(out: &mut Vec<u8>, length: u32) {
    match narrow(length) {
        (Some(length @ 0..=0x0f), _) => out.push(0x80 | length),
        (_, Some(length)) => write_prefixed(out, 0xde, &length.to_be_bytes()),
        _ => write_prefixed(out, 0xdf, &length.to_be_bytes()),
    }
}

/// Appends a string, which should be UTF-8. Contents of 4 GiB or more are cut there.
pub fn write_str(out: &mut Vec<u8>, contents: &[u8]) {
    let (contents, length) = bounded(contents);
    match narrow(length) {
        (Some(length @ 0..=0x1f), _) => out.push(0xa0 | length),
        (Some(length), _) => write_prefixed(out, 0xd9, &[length]),
        (_, Some(length)) => write_prefixed(out, 0xda, &length.to_be_bytes()),
        _ => write_prefixed(out, 0xdb, &length.to_be_bytes()),
    }
    out.extend_from_slice(contents);
}

/// Appends a binary. Contents of 4 GiB or more are cut there.
pub fn write_bin(out: &mut Vec<u8>, contents: &[u8]) {
    let (contents, length) = bounded(contents);
    match narrow(length) {
        (Some(length), _) => write_prefixed(out, 0xc4, &[length]),
        (_, Some(length)) => write_prefixed(out, 0xc5, &length.to_be_bytes()),
        _ => write_prefixed(out, 0xc6, &length.to_be_bytes()),
    }
    out.extend_from_slice(contents);
}

/// Appends a number: in the shortest integer form if it is integral and within what the library of
/// the readers takes for a number (±(2^53 - 1), or 32 bits), else as a float of 64 bits.
pub fn write_number(out: &mut Vec<u8>, value: f64, library: Library) {
    if value.fract() == 0.0 && library.takes_integer(value) {
        #[expect(clippy::cast_possible_truncation, reason = "integral, and far within 64 bits")]
        write_integer(out, value as i64);
    } else {
        write_prefixed(out, 0xcb, &value.to_be_bytes());
    }
}

/// Appends an integer in its shortest form. JavaScript peers need it within ±(2^53 - 1).
pub(super) fn write_integer(out: &mut Vec<u8>, value: i64) {
    if let Ok(value) = u64::try_from(value) {
        if let Ok(byte) = u8::try_from(value) {
            match byte {
                0..=0x7f => out.push(byte),
                _ => write_prefixed(out, 0xcc, &[byte]),
            }
        } else if let Ok(value) = u16::try_from(value) {
            write_prefixed(out, 0xcd, &value.to_be_bytes());
        } else if let Ok(value) = u32::try_from(value) {
            write_prefixed(out, 0xce, &value.to_be_bytes());
        } else {
            write_prefixed(out, 0xcf, &value.to_be_bytes());
        }
    } else if let Ok(value) = i8::try_from(value) {
        match value {
            -0x20.. => out.extend(value.to_be_bytes()),
            _ => write_prefixed(out, 0xd0, &value.to_be_bytes()),
        }
    } else if let Ok(value) = i16::try_from(value) {
        write_prefixed(out, 0xd1, &value.to_be_bytes());
    } else if let Ok(value) = i32::try_from(value) {
        write_prefixed(out, 0xd2, &value.to_be_bytes());
    } else {
        write_prefixed(out, 0xd3, &value.to_be_bytes());
    }
}

pub(super) fn write_bool(out: &mut Vec<u8>, value: bool) {
    out.push(if value { 0xc3 } else { 0xc2 });
}

pub(super) fn write_nil(out: &mut Vec<u8>) {
    out.push(0xc0);
}

fn write_prefixed(out: &mut Vec<u8>, prefix: u8, rest: &[u8]) {
    out.push(prefix);
    out.extend_from_slice(rest);
}

/// The length in one byte and in two, where it fits.
fn narrow(length: u32) -> (Option<u8>, Option<u16>) {
    (u8::try_from(length).ok(), u16::try_from(length).ok())
}

/// As much of `contents` as a header can announce.
fn bounded(contents: &[u8]) -> (&[u8], u32) {
    match u32::try_from(contents.len()) {
        Ok(length) => (contents, length),
        Err(_) => (&contents[..u32::MAX as usize], u32::MAX),
    }
}
