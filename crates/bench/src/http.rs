//! HTTP/1.1 responses (RFC 9112) out of a stream of bytes: status line, the few header fields that
//! matter to a client, and bodies with a length or in chunks.
//!
//! It owns what must be remembered between two reads. It does no IO, and it does not know what was
//! asked: a response to HEAD, which has a length and no body, is not understood.

use std::fmt;

/// The largest head of a response.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// The largest body of a response.
const BODY_BYTES_MAX: usize = 16 << 20;

/// The longest line between two chunks.
const CHUNK_LINE_BYTES_MAX: usize = 1 << 10;

/// Header fields in a response.
const FIELDS_MAX: usize = 64;

/// Why a stream of bytes is no sequence of responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// The status line or a header field is malformed.
    Head(httparse::Error),
    /// The head is longer than 16 KiB.
    HeadTooLong,
    /// The body is longer than 16 MiB.
    BodyTooLong,
    /// Neither a length nor chunks: the body would end with the connection.
    NoLength,
    /// The content length is no number.
    Length,
    /// A chunk does not begin with its size, or does not end with its line's end.
    Chunk,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(error) => write!(f, "malformed head: {error}"),
            Self::HeadTooLong => write!(f, "head of more than {HEAD_BYTES_MAX} bytes"),
            Self::BodyTooLong => write!(f, "body of more than {BODY_BYTES_MAX} bytes"),
            Self::NoLength => f.write_str("a body without a length"),
            Self::Length => f.write_str("malformed content length"),
            Self::Chunk => f.write_str("malformed chunk"),
        }
    }
}

impl std::error::Error for Error {}

/// A whole response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response<'a> {
    /// The status code.
    pub(crate) status: u16,
    /// Whether the connection may carry another request.
    pub(crate) is_reusable: bool,
    /// The value of `Sec-WebSocket-Accept` (RFC 6455 §4.2.2).
    pub(crate) accept: Option<String>,
    /// The body, out of its chunks.
    pub(crate) body: &'a [u8],
}

/// What [`Parser::parse`] did with the input.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    /// Bytes at the front of the input that are done with; all of them if there is no response.
    pub(crate) consumed: usize,
    /// A response that is now complete.
    pub(crate) response: Option<Response<'a>>,
}

/// Parses one direction of a connection: what the server sends.
///
/// A body that lies in the input as one piece is borrowed from there; any other is joined in a
/// buffer, which grows with what has arrived and never by what a length claims.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    /// The head until it is whole, then the body until it is.
    buffer: Vec<u8>,
    head: Option<Head>,
    /// The caller has seen the buffer.
    is_lent: bool,
}

#[derive(Debug)]
struct Head {
    status: u16,
    is_reusable: bool,
    accept: Option<String>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    /// So many bytes in all.
    Sized(usize),
    Chunked(Chunks),
}

impl Parser {
    /// Parses at most one response from the front of `input`. Call it again with the rest until it
    /// yields none: then all of `input` was consumed, and what is incomplete is kept inside.
    ///
    /// # Errors
    /// The first violation in the stream; nothing that follows can be understood.
    pub(crate) fn parse<'a>(&'a mut self, input: &'a [u8]) -> Result<Step<'a>, Error> {
        if std::mem::take(&mut self.is_lent) {
            self.buffer.clear();
        }
        let mut consumed = 0;
        if self.head.is_none() {
            let Some(used) = self.take_head(input)? else {
                return Ok(Step { consumed: input.len(), response: None });
            };
            consumed = used;
        }
        let Some(mut head) = self.head.take() else { return Ok(Step { consumed, response: None }) };
        let rest = &input[consumed..];
        let (used, is_whole, is_joined) = match &mut head.body {
            Body::Sized(length) => {
                let missing = *length - self.buffer.len();
                let is_joined = !self.buffer.is_empty() || rest.len() < missing;
                let used = missing.min(rest.len());
                if is_joined {
                    self.buffer.extend_from_slice(&rest[..used]);
                }
                (used, used == missing, is_joined)
            }
            Body::Chunked(chunks) => {
                let (used, is_whole) = chunks.take(rest, &mut self.buffer)?;
                (used, is_whole, true)
            }
        };
        consumed += used;
        if !is_whole {
            self.head = Some(head);
            return Ok(Step { consumed, response: None });
        }
        self.is_lent = is_joined;
        let body = if is_joined { &self.buffer[..] } else { &rest[..used] };
        let Head { status, is_reusable, accept, .. } = head;
        Ok(Step { consumed, response: Some(Response { status, is_reusable, accept, body }) })
    }

    /// Takes the head, if it is whole; returns how much of `input` belongs to it.
    fn take_head(&mut self, input: &[u8]) -> Result<Option<usize>, Error> {
        let before = self.buffer.len();
        if before > 0 {
            self.buffer.extend_from_slice(input);
        }
        let bytes = if before > 0 { &self.buffer[..] } else { input };
        let Some((length, head)) = parse_head(bytes)? else {
            if bytes.len() > HEAD_BYTES_MAX {
                return Err(Error::HeadTooLong);
            }
            if before == 0 {
                self.buffer.extend_from_slice(input);
            }
            return Ok(None);
        };
        self.buffer.clear();
        self.head = Some(head);
        // A head that was incomplete before ends in the new bytes.
        Ok(Some(length - before))
    }
}

/// The head at the beginning of `bytes` and its length, if it is whole.
fn parse_head(bytes: &[u8]) -> Result<Option<(usize, Head)>, Error> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let length = match response.parse(bytes).map_err(Error::Head)? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(None),
    };
    let status = response.code.unwrap_or_default();
    // HTTP/1.0 closes unless told otherwise, and nothing here tells it so.
    let mut is_reusable = response.version == Some(1);
    let (mut accept, mut sized, mut is_chunked) = (None, None, false);
    for field in response.headers.iter() {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            let text = std::str::from_utf8(field.value).map_err(|_| Error::Length)?;
            sized = Some(text.trim().parse::<usize>().map_err(|_| Error::Length)?);
        } else if is("transfer-encoding") {
            is_chunked = field.value.trim_ascii().to_ascii_lowercase().ends_with(b"chunked");
        } else if is("connection") {
            is_reusable &= !field.value.trim_ascii().eq_ignore_ascii_case(b"close");
        } else if is("sec-websocket-accept") {
            accept = Some(String::from_utf8_lossy(field.value).trim().to_owned());
        }
    }
    let body = match sized {
        // RFC 9112 §6.3: these have none, whatever their fields say.
        _ if status < 200 || status == 204 || status == 304 => Body::Sized(0),
        _ if is_chunked => Body::Chunked(Chunks::default()),
        Some(length) if length > BODY_BYTES_MAX => return Err(Error::BodyTooLong),
        Some(length) => Body::Sized(length),
        None => return Err(Error::NoLength),
    };
    Ok(Some((length, Head { status, is_reusable, accept, body })))
}

/// How far a chunked body has come (RFC 9112 §7.1).
#[derive(Debug, Default)]
struct Chunks {
    stage: Stage,
    /// The line in progress.
    line: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Stage {
    /// In the line with a chunk's size.
    #[default]
    Size,
    /// So many bytes of the chunk are missing.
    Data(usize),
    /// In the line's end behind a chunk.
    DataEnd,
    /// In the lines behind the last chunk.
    Trailers,
}

impl Chunks {
    /// Takes chunks from the front of `input` and appends what is in them to `body`; returns how
    /// much of the input was used and whether the body is whole.
    fn take(&mut self, input: &[u8], body: &mut Vec<u8>) -> Result<(usize, bool), Error> {
        let mut at = 0;
        while at < input.len() {
            if let Stage::Data(missing) = self.stage {
                let count = missing.min(input.len() - at);
                body.extend_from_slice(&input[at..at + count]);
                at += count;
                let left = missing - count;
                self.stage = if left == 0 { Stage::DataEnd } else { Stage::Data(left) };
                continue;
            }
            self.line.push(input[at]);
            at += 1;
            if self.line.len() > CHUNK_LINE_BYTES_MAX {
                return Err(Error::Chunk);
            }
            if self.line.ends_with(b"\n") && self.end_line(body.len())? {
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    /// Whether the line that has just ended is the last of the body.
    fn end_line(&mut self, body_bytes: usize) -> Result<bool, Error> {
        let is_empty = self.line == b"\r\n";
        self.stage = match self.stage {
            Stage::Size => match httparse::parse_chunk_size(&self.line) {
                Ok(httparse::Status::Complete((_, 0))) => Stage::Trailers,
                Ok(httparse::Status::Complete((_, size))) => {
                    let size = usize::try_from(size).map_err(|_| Error::BodyTooLong)?;
                    if size > BODY_BYTES_MAX - body_bytes.min(BODY_BYTES_MAX) {
                        return Err(Error::BodyTooLong);
                    }
                    Stage::Data(size)
                }
                Ok(httparse::Status::Partial) | Err(_) => return Err(Error::Chunk),
            },
            Stage::DataEnd if is_empty => Stage::Size,
            Stage::Trailers if is_empty => return Ok(true),
            Stage::Trailers => Stage::Trailers,
            Stage::DataEnd | Stage::Data(_) => return Err(Error::Chunk),
        };
        self.line.clear();
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen = Vec<(u16, bool, String)>;

    /// What is seen of `input` when it comes in pieces of `piece_bytes`.
    fn parse(input: &[u8], piece_bytes: usize) -> Result<Seen, Error> {
        let (mut parser, mut seen) = (Parser::default(), Vec::new());
        for piece in input.chunks(piece_bytes) {
            let mut at = 0;
            loop {
                let step = parser.parse(&piece[at..])?;
                at += step.consumed;
                let Some(response) = step.response else {
                    assert_eq!(at, piece.len(), "without a response all is consumed");
                    break;
                };
                let body = String::from_utf8_lossy(response.body).into_owned();
                seen.push((response.status, response.is_reusable, body));
            }
        }
        Ok(seen)
    }

    fn check(input: &str, expected: Result<&[(u16, bool, &str)], Error>) {
        let owned = |&(status, is_reusable, body): &(u16, bool, &str)| {
            (status, is_reusable, body.to_owned())
        };
        let expected = expected.map(|list| list.iter().map(owned).collect::<Seen>());
        for piece_bytes in [1, 2, 3, 7, 40, input.len().max(1)] {
            let seen = parse(input.as_bytes(), piece_bytes);
            assert_eq!(seen, expected, "{input:?} in pieces of {piece_bytes}");
        }
    }

    #[test]
    fn bodies() {
        check("", Ok(&[]));
        check("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Ok(&[(200, true, "ok")]));
        check("HTTP/1.1 200 OK\r\ncontent-LENGTH:2 \r\n\r\no", Ok(&[]));
        check("HTTP/1.1 400 \r\nContent-Length: 0\r\n\r\n", Ok(&[(400, true, "")]));
        check("HTTP/1.1 304 X\r\nContent-Length: 9\r\n\r\n", Ok(&[(304, true, "")]));
        check("HTTP/1.1 204 X\r\n\r\n", Ok(&[(204, true, "")]));
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        check(
            &format!("{chunked}3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"),
            Ok(&[(200, true, "abcde")]),
        );
        check(&format!("{chunked}0\r\nTrailer: x\r\n\r\n"), Ok(&[(200, true, "")]));
        check(&format!("{chunked}A\r\n0123456789\r\n0\r\n"), Ok(&[]));
    }

    #[test]
    fn several_in_a_row() {
        let one = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
        let two = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\n\r\n";
        let three = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nc";
        let all = [(200, true, "a"), (200, true, "b"), (200, false, "c"), (200, true, "a")];
        check(&[one, two, three, one].concat(), Ok(&all));
    }

    #[test]
    fn reuse() {
        let response =
            |first: &str, field: &str| format!("{first}\r\n{field}Content-Length: 0\r\n\r\n");
        check(&response("HTTP/1.1 200 OK", "Connection: Close\r\n"), Ok(&[(200, false, "")]));
        check(&response("HTTP/1.1 200 OK", "Connection: keep-alive\r\n"), Ok(&[(200, true, "")]));
        check(&response("HTTP/1.0 200 OK", ""), Ok(&[(200, false, "")]));
    }

    #[test]
    fn violations() {
        check("HTTP/1.1 200 OK\r\n\r\n", Err(Error::NoLength));
        check("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", Err(Error::Length));
        check("HTTP/1.1 200 OK\r\nContent-Length: 16777217\r\n\r\n", Err(Error::BodyTooLong));
        check("HTTQ/1.1 200 OK\r\n\r\n", Err(Error::Head(httparse::Error::Version)));
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        check(&format!("{chunked}x\r\n"), Err(Error::Chunk));
        check(&format!("{chunked}1\r\nab\r\n"), Err(Error::Chunk));
        check(&format!("{chunked}FFFFFFFF\r\n"), Err(Error::BodyTooLong));
        check(&format!("{chunked}1;{}\r\n", "x".repeat(2_000)), Err(Error::Chunk));
        let long = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(HEAD_BYTES_MAX));
        assert_eq!(parse(long.as_bytes(), 1_000), Err(Error::HeadTooLong));
    }

    #[test]
    fn the_bytes_behind_an_upgrade_are_left() {
        let input = b"HTTP/1.1 101 X\r\nsec-websocket-accept: abc=\r\n\r\n\x81\x00";
        let mut parser = Parser::default();
        let step = parser.parse(input).unwrap();
        assert_eq!(step.consumed, input.len() - 2);
        assert_eq!(step.response.and_then(|r| r.accept).as_deref(), Some("abc="));
    }
}
