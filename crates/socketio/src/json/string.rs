//! The meaning of JSON strings, and writing them as `JSON.stringify` does.
//!
//! JavaScript strings may hold lone surrogates, which UTF-8 cannot express. Contents are
//! therefore bytes in WTF-8: UTF-8 in which a lone surrogate has its own three-byte form.
//! (`https://simonsapin.github.io/wtf-8/`)

use std::borrow::Cow;

use super::scan::string_run_end;

/// The contents of a checked string, given with its quotes, as WTF-8.
///
/// Borrowed when the string has no escape. A high surrogate escape directly followed by a low
/// one is joined into one character; any other surrogate stays alone.
pub fn unescape(raw_string: &str) -> Cow<'_, [u8]> {
    let inner = contents(raw_string);
    let Some(first) = inner.iter().position(|byte| *byte == b'\\') else {
        return Cow::Borrowed(inner);
    };
    // Escapes never become longer than they were.
    let mut out = Vec::with_capacity(inner.len());
    out.extend_from_slice(&inner[..first]);
    let mut rest = &inner[first..];
    while let [head, tail @ ..] = rest {
        if *head == b'\\' {
            rest = unescape_one(tail, &mut out);
        } else {
            let run = rest.iter().position(|byte| *byte == b'\\').unwrap_or(rest.len());
            out.extend_from_slice(&rest[..run]);
            rest = &rest[run..];
        }
    }
    Cow::Owned(out)
}

/// Whether a checked string, given with its quotes, means `expected`: `"dest\u0069no"` is
/// `destino`.
pub fn string_is(raw_string: &str, expected: &str) -> bool {
    let inner = contents(raw_string);
    if inner == expected.as_bytes() {
        // A backslash in `expected` would have to be escaped in the text.
        return !inner.contains(&b'\\');
    }
    // An escape is at most six times as long as what it stands for, so that a long key of a
    // stranger is not decoded only to differ.
    inner.len() <= expected.len().saturating_mul(6)
        && inner.contains(&b'\\')
        && *unescape(raw_string) == *expected.as_bytes()
}

/// Appends `text` as a JSON string, in the spelling of `JSON.stringify`.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    write_contents(out, text);
    out.push(b'"');
}

/// Appends WTF-8 `wtf8` as a JSON string; a lone surrogate becomes its escape with digits in lower
/// case (`\udc00`), as `JSON.stringify` writes it.
///
/// Bytes that are not WTF-8 become U+FFFD, so that the output is JSON whatever the input.
pub fn write_string_wtf8(out: &mut Vec<u8>, wtf8: &[u8]) {
    out.push(b'"');
    let mut rest = wtf8;
    while !rest.is_empty() {
        let error = match std::str::from_utf8(rest) {
            Ok(text) => {
                write_contents(out, text);
                break;
            }
            Err(error) => error,
        };
        let (valid, invalid) = rest.split_at(error.valid_up_to());
        write_contents(out, std::str::from_utf8(valid).unwrap_or_default());
        rest = if let [0xed, second @ 0xa0..=0xbf, third @ 0x80..=0xbf, tail @ ..] = invalid {
            write_unicode_escape(
                out,
                0xd000 | u16::from(second & 0x3f) << 6 | u16::from(third & 0x3f),
            );
            tail
        } else {
            out.extend_from_slice("\u{fffd}".as_bytes());
            &invalid[error.error_len().unwrap_or(invalid.len())..]
        };
    }
    out.push(b'"');
}

/// Makes UTF-8 of WTF-8. A lone surrogate is as long as the U+FFFD that takes its place.
pub fn replace_surrogates(wtf8: &mut [u8]) {
    let mut rest = wtf8;
    while let Some(at) = rest.iter().position(|byte| *byte == 0xed) {
        rest = &mut rest[at..];
        if let [lead, second @ 0xa0..=0xbf, third, ..] = rest {
            (*lead, *second, *third) = (0xef, 0xbf, 0xbd);
        }
        rest = &mut rest[1..];
    }
}

/// What is between the quotes; tolerates that they are missing.
fn contents(raw_string: &str) -> &[u8] {
    let bytes = raw_string.as_bytes();
    let bytes = bytes.strip_prefix(b"\"").unwrap_or(bytes);
    bytes.strip_suffix(b"\"").unwrap_or(bytes)
}

/// Appends what the escape means whose backslash precedes `escape`; returns what follows it.
fn unescape_one<'a>(escape: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let [letter, tail @ ..] = escape else { return escape };
    let byte = match letter {
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => return unescape_unicode(tail, out),
        other => *other,
    };
    out.push(byte);
    tail
}

fn unescape_unicode<'a>(digits: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let Some((unit, tail)) = hex_unit(digits) else { return digits };
    let low = match (unit, tail) {
        (0xd800..=0xdbff, [b'\\', b'u', low_digits @ ..]) => hex_unit(low_digits),
        _ => None,
    };
    if let Some((low_unit @ 0xdc00..=0xdfff, tail)) = low {
        let code = 0x10000 + ((u32::from(unit) - 0xd800) << 10) + (u32::from(low_unit) - 0xdc00);
        push_code_point(out, code);
        return tail;
    }
    push_code_point(out, u32::from(unit));
    tail
}

/// Four hexadecimal digits and what follows them.
fn hex_unit(text: &[u8]) -> Option<(u16, &[u8])> {
    let (digits, tail) = text.split_first_chunk::<4>()?;
    let mut unit = 0;
    for digit in digits {
        unit = unit << 4 | u16::try_from(char::from(*digit).to_digit(16)?).ok()?;
    }
    Some((unit, tail))
}

/// Appends a code point below 0x11_0000, surrogates included, in the generalized UTF-8 of WTF-8.
#[expect(clippy::cast_possible_truncation, reason = "each byte is masked to its bits")]
fn push_code_point(out: &mut Vec<u8>, code: u32) {
    let continuation = |shift: u32| 0x80 | (code >> shift & 0x3f) as u8;
    match code {
        0..0x80 => out.push(code as u8),
        0x80..0x800 => out.extend([0xc0 | (code >> 6) as u8, continuation(0)]),
        0x800..0x10000 => {
            out.extend([0xe0 | (code >> 12) as u8, continuation(6), continuation(0)]);
        }
        _ => out.extend([
            0xf0 | (code >> 18 & 0x07) as u8,
            continuation(12),
            continuation(6),
            continuation(0),
        ]),
    }
}

fn write_contents(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut begin = 0;
    loop {
        let end = string_run_end(bytes, begin);
        out.extend_from_slice(&bytes[begin..end]);
        let Some(&special) = bytes.get(end) else { return };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => write_unicode_escape(out, u16::from(other)),
        }
        begin = end + 1;
    }
}

fn write_unicode_escape(out: &mut Vec<u8>, unit: u16) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\u");
    out.extend([12, 8, 4, 0].map(|shift| DIGITS[usize::from(unit >> shift & 0xf)]));
}
