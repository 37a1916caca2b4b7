//! What a subscriber hears, in any pieces.

use super::*;

/// What is heard, and what is left for the client library, if `said` comes in pieces.
fn sift(
    said: &[u8],
    bytes_max: usize,
    piece: usize,
) -> (Vec<Arrived>, Vec<u8>, Result<(), NotResp>) {
    let (mut input, mut rest, mut heard) = (BytesMut::new(), BytesMut::new(), Vec::new());
    let mut sifter = Sifter::new(bytes_max);
    for bytes in said.chunks(piece) {
        input.extend_from_slice(bytes);
        if sifter.sift(&mut input, &mut rest, |it| heard.push(it)).is_err() {
            return (heard, rest.to_vec(), Err(NotResp));
        }
    }
    (heard, rest.to_vec(), Ok(()))
}

fn arrived(pattern: Option<&'static str>, channel: &'static str, payload: &[u8]) -> Arrived {
    Arrived {
        pattern: pattern.map(|it| Bytes::from_static(it.as_bytes())),
        channel: Bytes::from_static(channel.as_bytes()),
        payload: Bytes::copy_from_slice(payload),
    }
}

#[test]
fn messages_are_cut_out_of_whatever_stands_around_them_in_any_pieces() {
    let others = [
        "+OK\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n",
        "*2\r\n$4\r\npong\r\n$0\r\n\r\n",
        concat!(
            "-ERR message\r\n%1\r\n+a\r\n*2\r\n$-1\r\n_\r\n|1\r\n+ttl\r\n:1\r\n*1\r\n#t\r\n",
            "*3\r\n$9\r\nsubscribe\r\n",
            "$36\r\n*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nabcdefgh\r\n:2\r\n*-1\r\n*0\r\n",
        ),
        "",
        "=8\r\ntxt:some\r\n!3\r\nERR\r\n,1.5\r\n(12345678901234567890\r\n",
    ];
    let messages = [
        ("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\n\r\nm\r\n\r\n", arrived(None, "c", b"\r\nm\r\n")),
        (
            "*4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$2\r\ncd\r\n$0\r\n\r\n",
            arrived(Some("c*"), "cd", b""),
        ),
        (">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\n7\r\n", arrived(None, "c", b"7")),
        (">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$0\r\n\r\n$1\r\n8\r\n", arrived(Some("*"), "", b"8")),
    ];
    let mut said = String::new();
    for (at, other) in others.iter().enumerate() {
        said.push_str(other);
        said.push_str(messages.get(at).map_or("", |(message, _)| message));
    }
    let heard = messages.map(|(_, arrived)| arrived).to_vec();
    let whole = (heard, others.concat().into_bytes(), Ok(()));
    for piece in 1..=said.len() {
        assert_eq!(sift(said.as_bytes(), 100, piece), whole, "{piece}");
    }
}

#[test]
fn what_is_too_large_is_neither_kept_nor_in_the_way() {
    let large = "x".repeat(50);
    let said = format!(
        "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$50\r\n{large}\r\n\
         *3\r\n$7\r\nmessage\r\n$50\r\n{large}\r\n$1\r\nm\r\n\
         *4\r\n$8\r\npmessage\r\n$50\r\n{large}\r\n$1\r\nc\r\n$1\r\nm\r\n\
         *3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$10\r\n0123456789\r\n+OK\r\n"
    );
    let messages = [
        arrived(None, "c", b"xxxxxxxxxxx"),
        arrived(None, "", b""),
        arrived(None, "", b""),
        arrived(None, "c", b"0123456789"),
    ];
    for piece in 1..said.len() {
        let (heard, rest, sifted) = sift(said.as_bytes(), 10, piece);
        assert_eq!((heard.as_slice(), sifted), (messages.as_slice(), Ok(())), "{piece}");
        assert_eq!(rest, b"+OK\r\n");
    }
}

#[test]
fn what_is_no_resp_is_an_error() {
    for said in [
        "HTTP/1.1 400 Bad Request\r\n",
        "*3\r\n$7\r\nmessage\r\n$-1\r\n",
        "*3\r\n$7\r\nmessage\r\n:1\r\n",
        "*3\r\n$7\r\nmessage\r\n$1\r\ncd\r\n",
        "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nmm\r\n",
        "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$18446744073709551615\r\n",
        "$99999999999999999999\r\n",
        "$000000000000000000000000000000001\r\n",
        "*?\r\n",
        "$\r\n",
        "*+3\r\n",
        "%9223372036854775808\r\n",
    ] {
        for piece in 1..=said.len() {
            assert_eq!(sift(said.as_bytes(), 100, piece).2, Err(NotResp), "{said:?} {piece}");
        }
    }
}
