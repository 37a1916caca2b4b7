//! What goes out: frames that the other role's decoder reads back, and the handshake's digest.

mod common;

use common::{MASK, Seen, decode, frame};
use relay_websocket::{
    Opcode, Role, handshake, header_len, write_close, write_frame, write_header, write_masked_frame,
};

#[test]
fn frames_of_every_length_class() {
    for (payload_len, expected_header_len) in
        [(0, 2), (1, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10), (70_000, 10)]
    {
        assert_eq!(header_len(payload_len), expected_header_len);
        let payload = vec![b'x'; payload_len];
        let mut header = Vec::new();
        write_header(&mut header, Opcode::Text, payload_len);
        assert_eq!(header.len(), expected_header_len);

        let mut out = b"before".to_vec();
        write_frame(&mut out, Opcode::Text, &payload);
        assert_eq!(out[..6], *b"before");
        assert_eq!(out[6..], frame(Role::Client, 0x81, &payload));
        assert!(out[6..].starts_with(&header));

        let mut out = b"before".to_vec();
        write_masked_frame(&mut out, Opcode::Binary, &payload, MASK);
        assert_eq!(out[6..], frame(Role::Server, 0x82, &payload));
    }
}

#[test]
fn opcodes_are_those_of_section_11_8() {
    let cases = [
        (Opcode::Continuation, 0x80),
        (Opcode::Text, 0x81),
        (Opcode::Binary, 0x82),
        (Opcode::Close, 0x88),
        (Opcode::Ping, 0x89),
        (Opcode::Pong, 0x8a),
    ];
    for (opcode, first) in cases {
        let mut out = Vec::new();
        write_header(&mut out, opcode, 0);
        assert_eq!(out, [first, 0]);
        assert_eq!(opcode.is_control(), first >= 0x88);
    }
}

#[test]
fn close_frames() {
    let long = "é".repeat(100);
    let cases = [
        (None, "", ""),
        (None, "has no place without a code", ""),
        (Some(1009), "", ""),
        (Some(1000), "bye", "bye"),
        // 123 octets fit, 61 characters of two are whole in them.
        (Some(4000), &long, &long[..122]),
    ];
    for (code, reason, sent_reason) in cases {
        let mut out = Vec::new();
        write_close(&mut out, code, reason);
        let expected = Seen::Close(code.map(|code| (code, sent_reason.to_owned())));
        assert_eq!(decode(Role::Client, 0, [out.as_slice()]), (vec![expected], None));
    }
}

#[test]
fn handshake_digest() {
    let cases = [
        // The example of §1.3.
        ("dGhlIHNhbXBsZSBub25jZQ==", Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")),
        ("", None),
        ("dGhlIHNhbXBsZSBub25jZQ", None),
        ("dGhlIHNhbXBsZSBub25jZQ= ", None),
        ("dGhlIHNhbXBsZSBub25jZ===", None),
        ("dGhlIHNhbXBsZSBub25jZ-==", None),
        ("dGhlIHNhbXBsZSBub25jZé==", None),
        ("dGhlIHNhbXBsZSBub25j", None),
        ("dGhlIHNhbXBsZSBub25jZWRzb21l", None),
        ("dGhlIHNhbXBsZSBub25jZWRzb21lbG9uZw==", None),
    ];
    for (key, accept) in cases {
        assert_eq!(handshake::accept(key).as_deref(), accept, "{key}");
    }
    // The bits of the last digit that carry nothing are hashed as they are written.
    assert!(handshake::accept("dGhlIHNhbXBsZSBub25jZR==").is_some());
}
