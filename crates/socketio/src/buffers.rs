//! JSON with its binaries inline, as `JSON.stringify` writes the `Buffer`s of Node.
//!
//! Owns `{"type":"Buffer","data":[…]}`. Whoever parses it gets an object, not a binary; nothing here
//! makes one of it again.

use bytes::Bytes;

use crate::msgpack::TooLarge;
use crate::placeholder::{self, Placeholder};

/// Bytes of a binary that are written between two looks at the bound.
const CHUNK_BYTES: usize = 4_096;

/// Appends a checked JSON text as it stands, its placeholders replaced by the attachments that they
/// refer to; without attachments every object is plain data. A byte of an attachment takes two to
/// four bytes.
///
/// # Errors
/// [`TooLarge`] beyond `bytes_max` bytes; then nothing is appended.
pub fn write_with_buffers(
    out: &mut Vec<u8>,
    json: &str,
    attachments: &[Bytes],
    bytes_max: usize,
) -> Result<(), TooLarge> {
    let begin = out.len();
    let written = write(out, json, attachments, begin.saturating_add(bytes_max));
    if written.is_err() {
        out.truncate(begin);
    }
    written
}

fn write(
    out: &mut Vec<u8>,
    json: &str,
    attachments: &[Bytes],
    end_max: usize,
) -> Result<(), TooLarge> {
    let placeholders = match attachments {
        [] => Vec::new(),
        _ => placeholder::find(json, attachments.len()),
    };
    let mut written = 0;
    for Placeholder { at, index } in placeholders {
        out.extend_from_slice(&json.as_bytes()[written..at.start]);
        write_buffer(out, &attachments[index], end_max)?;
        written = at.end;
    }
    out.extend_from_slice(&json.as_bytes()[written..]);
    within(out, end_max)
}

fn write_buffer(out: &mut Vec<u8>, data: &[u8], end_max: usize) -> Result<(), TooLarge> {
    out.extend_from_slice(b"{\"type\":\"Buffer\",\"data\":[");
    for chunk in data.chunks(CHUNK_BYTES) {
        for byte in chunk {
            write_decimal(out, *byte);
            out.push(b',');
        }
        within(out, end_max)?;
    }
    if !data.is_empty() {
        // The last comma.
        out.pop();
    }
    out.extend_from_slice(b"]}");
    Ok(())
}

fn write_decimal(out: &mut Vec<u8>, byte: u8) {
    if byte >= 100 {
        out.push(b'0' + byte / 100);
    }
    if byte >= 10 {
        out.push(b'0' + byte / 10 % 10);
    }
    out.push(b'0' + byte % 10);
}

fn within(out: &[u8], end_max: usize) -> Result<(), TooLarge> {
    if out.len() > end_max { Err(TooLarge) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(json: &str, attachments: &[&'static [u8]]) -> String {
        let attachments: Vec<Bytes> = attachments.iter().map(|it| Bytes::from_static(it)).collect();
        let mut out = Vec::new();
        write_with_buffers(&mut out, json, &attachments, 10_000).expect("short");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn binaries_are_what_json_stringify_makes_of_buffers() {
        let all: Vec<u8> = (0..=255).collect();
        let attachments = [Bytes::from(all.clone()), Bytes::new()];
        let json = r#"[ "x" , {"_placeholder":true,"num":0},{"a":{"num":1,"_placeholder":true}}]"#;
        let mut out = Vec::new();
        write_with_buffers(&mut out, json, &attachments, 10_000).expect("short");
        let bytes: Vec<String> = all.iter().map(ToString::to_string).collect();
        let expected = format!(
            r#"[ "x" , {{"type":"Buffer","data":[{}]}},{{"a":{{"type":"Buffer","data":[]}}}}]"#,
            bytes.join(",")
        );
        assert_eq!(String::from_utf8(out).expect("text"), expected);
    }

    #[test]
    fn what_is_no_placeholder_stays_as_it_stands() {
        for json in [
            r#"[{"_placeholder":true,"num":1}]"#,
            r#"[{"_placeholder":true}]"#,
            r#"[{"_placeholder":true,"_placeholder":false,"num":0}]"#,
            r#"[{"_placeholder":"true","num":0},["_placeholder",true,"num",0]]"#,
            r#"["{\"_placeholder\":true,\"num\":0}", 1.0, 1e2, "\ud800", "\/"]"#,
        ] {
            assert_eq!(written(json, &[b"a"]), json);
        }
        let json = r#"[{"_placeholder":true,"num":0}]"#;
        assert_eq!(written(json, &[]), json);
    }

    #[test]
    fn of_duplicate_members_the_last_counts_and_the_outer_placeholder_holds_the_inner() {
        let buffer = |byte: &str| format!(r#"[{{"type":"Buffer","data":[{byte}]}}]"#);
        for (json, byte) in [
            (r#"[{"_placeholder":false,"_place\u0068older":true,"num":9,"num":1.0}]"#, "98"),
            (r#"[{"x":{"_placeholder":true,"num":1},"_placeholder":true,"num":0}]"#, "97"),
        ] {
            assert_eq!(written(json, &[b"a", b"b"]), buffer(byte), "{json}");
        }
    }

    #[test]
    fn the_bound_holds_for_what_is_written() {
        let attachments = [Bytes::from(vec![255; 100_000])];
        let json = r#"[{"_placeholder":true,"num":0}]"#;
        let bytes = r#"[{"type":"Buffer","data":[]}]"#.len() + 4 * 100_000 - 1;
        let mut out = vec![7];
        assert_eq!(write_with_buffers(&mut out, json, &attachments, bytes - 1), Err(TooLarge));
        assert_eq!(out, [7]);
        assert_eq!(write_with_buffers(&mut out, json, &attachments, bytes), Ok(()));
        assert_eq!(out.len(), 1 + bytes);
    }
}
