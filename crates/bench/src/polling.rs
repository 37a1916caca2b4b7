//! A client on HTTP long-polling (Engine.IO v4): a GET that waits for packets, POSTs with what the
//! client sends, each over a connection of its own that is kept, as a browser's two are.
//!
//! A server may close a connection between two requests; a request that met such an end is sent
//! again over a new one, once, as browsers do.
//!
//! Binary packets (`b` and base64) are passed on like all others; nothing here sends one.

use crate::clock::Nanos;
use crate::http::Parser;
use crate::link::{Lane, Link, PENDING_BYTES_MAX, Shared, describe};
use std::io::{ErrorKind, Read};

/// What stands between two packets of a payload.
pub(crate) const SEPARATOR: u8 = 0x1e;

/// The nature of a session, from its open packet.
#[derive(Debug, PartialEq, Eq)]
struct Open {
    sid: String,
    /// The largest body of a POST.
    post_bytes_max: usize,
    may_upgrade: bool,
}

/// The session's polling side.
#[derive(Debug)]
pub(crate) struct Polling {
    open: Option<Open>,
    poll: Requests,
    post: Requests,
    /// Packets that wait for the POST under way to end, each with a separator behind it.
    outgoing: Vec<u8>,
    /// No request is begun any more.
    is_pausing: bool,
}

/// One connection and the request that is under way on it.
#[derive(Debug)]
struct Requests {
    lane: Lane,
    link: Option<Link>,
    parser: Parser,
    /// The request under way; empty when there is none.
    request: Vec<u8>,
    /// An earlier request on this connection was answered.
    is_reused: bool,
}

impl Polling {
    /// Begins the session.
    pub(crate) fn dial(shared: &mut Shared<'_>) -> std::io::Result<Self> {
        let mut poll = Requests::new(Lane::Poll);
        let nonce = u32::from_be_bytes(shared.masks.next_key());
        shared.target.poll(&mut poll.request, "", nonce);
        poll.link = Some(shared.dial(Lane::Poll, poll.request.clone())?);
        Ok(Self {
            open: None,
            poll,
            post: Requests::new(Lane::Post),
            outgoing: Vec::new(),
            is_pausing: false,
        })
    }

    /// The session's id, once it is open; whether it may be upgraded.
    pub(crate) fn session(&self) -> Option<(&str, bool)> {
        self.open.as_ref().map(|open| (open.sid.as_str(), open.may_upgrade))
    }

    /// Lets the requests under way end and begins no other: the upgrade's pause.
    pub(crate) fn pause(&mut self) {
        self.is_pausing = true;
    }

    /// Whether it was told to pause and has come to rest.
    pub(crate) fn is_paused(&self) -> bool {
        self.is_pausing && self.poll.request.is_empty() && self.post.request.is_empty()
    }

    /// What was to be sent when the pause began: packets, each with a separator behind it.
    pub(crate) fn take_outgoing(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.outgoing)
    }

    /// Bytes of packets that the server has not acknowledged.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.outgoing.len() + self.post.request.len()
    }

    /// Both connections, for those who leave them.
    pub(crate) fn into_links(self) -> impl Iterator<Item = Link> {
        self.poll.link.into_iter().chain(self.post.link)
    }

    /// Both connections, for those who end them.
    pub(crate) fn links(&self) -> impl Iterator<Item = &Link> {
        self.poll.link.iter().chain(&self.post.link)
    }

    /// Sends packets, each with a separator behind it, after those that wait already.
    ///
    /// # Errors
    /// A description when the connection is gone.
    pub(crate) fn send(&mut self, packets: &[u8], shared: &mut Shared<'_>) -> Result<(), String> {
        if self.pending_bytes() > 2 * PENDING_BYTES_MAX {
            return Err("too much waits for the server".to_owned());
        }
        self.outgoing.extend_from_slice(packets);
        self.advance(shared)
    }

    /// To be called when a connection became writable.
    ///
    /// # Errors
    /// A description when it failed and cannot be replaced.
    pub(crate) fn writable(&mut self, lane: Lane, shared: &mut Shared<'_>) -> Result<(), String> {
        let requests = self.requests(lane);
        let flushed = requests.link.as_mut().map_or(Ok(()), Link::flush);
        flushed.or_else(|e| requests.replace(&describe(&e), shared))
    }

    /// Reads until the kernel has no more, and begins the requests that are due then. Each packet
    /// goes to `on_packet`; what that puts into the buffer is sent back.
    ///
    /// # Errors
    /// A description when the session has ended or the server broke a protocol.
    pub(crate) fn readable(
        &mut self,
        lane: Lane,
        shared: &mut Shared<'_>,
        read_closed: bool,
        mut on_packet: impl FnMut(&[u8], Nanos, &mut Vec<u8>) -> Result<(), String>,
    ) -> Result<(), String> {
        loop {
            let requests = self.requests(lane);
            let Some(link) = &mut requests.link else { return Ok(()) };
            let count = match link.stream.read(shared.buffer) {
                Ok(0) => return requests.replace("the server closed the connection", shared),
                Ok(count) => count,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return requests.replace(&describe(&e), shared),
            };
            let now = shared.clock.now();
            let is_full = count == shared.buffer.len();
            let buffer = std::mem::take(&mut shared.buffer);
            let packet = &mut shared.scratch.packet;
            let outcome = self
                .take(lane, &buffer[..count], packet, |text, answer| on_packet(text, now, answer));
            shared.buffer = buffer;
            outcome?;
            self.advance(shared)?;
            if !is_full && !read_closed {
                return Ok(());
            }
        }
    }

    fn requests(&mut self, lane: Lane) -> &mut Requests {
        if lane == Lane::Poll { &mut self.poll } else { &mut self.post }
    }

    /// Takes bytes of responses.
    fn take(
        &mut self,
        lane: Lane,
        bytes: &[u8],
        answer: &mut Vec<u8>,
        mut on_packet: impl FnMut(&[u8], &mut Vec<u8>) -> Result<(), String>,
    ) -> Result<(), String> {
        let Self { open, poll, post, outgoing, .. } = self;
        let requests = if lane == Lane::Poll { poll } else { post };
        let mut at = 0;
        while at < bytes.len() {
            let step = requests
                .parser
                .parse(&bytes[at..])
                .map_err(|e| format!("the server broke HTTP: {e}"))?;
            at += step.consumed;
            let Some(response) = step.response else { return Ok(()) };
            if requests.request.is_empty() {
                return Err("the server answered without being asked".to_owned());
            }
            if response.status != 200 {
                let body = String::from_utf8_lossy(response.body);
                return Err(format!("a {lane:?} was refused: {} {body}", response.status));
            }
            if lane == Lane::Poll {
                for packet in response.body.split(|&byte| byte == SEPARATOR) {
                    if open.is_none() {
                        *open = Some(parse_open(packet)?);
                    }
                    answer.clear();
                    on_packet(packet, answer)?;
                    if !answer.is_empty() {
                        outgoing.extend_from_slice(answer);
                        outgoing.push(SEPARATOR);
                    }
                }
            }
            let is_reusable = response.is_reusable;
            requests.finish(is_reusable);
        }
        Ok(())
    }

    /// Begins the requests that are due: a POST when packets wait, then the next GET.
    fn advance(&mut self, shared: &mut Shared<'_>) -> Result<(), String> {
        let Some(open) = self.open.as_ref().filter(|_| !self.is_pausing) else { return Ok(()) };
        if self.post.request.is_empty() && !self.outgoing.is_empty() {
            let (body, used) = batch(&self.outgoing, open.post_bytes_max);
            let nonce = u32::from_be_bytes(shared.masks.next_key());
            shared.target.post(&mut self.post.request, &open.sid, nonce, body.len());
            self.post.request.extend_from_slice(body);
            self.outgoing.drain(..used);
            self.post.begin(shared)?;
        }
        if self.poll.request.is_empty() {
            let nonce = u32::from_be_bytes(shared.masks.next_key());
            shared.target.poll(&mut self.poll.request, &open.sid, nonce);
            self.poll.begin(shared)?;
        }
        Ok(())
    }

    /// Says goodbye without waiting for an answer.
    pub(crate) fn leave(&mut self, shared: &mut Shared<'_>) -> Result<(), String> {
        self.is_pausing = true;
        let Some(open) = &self.open else { return Ok(()) };
        self.post.request.clear();
        shared.target.post(&mut self.post.request, &open.sid, 0, 1);
        self.post.request.push(b'1');
        self.post.begin(shared)
    }
}

impl Requests {
    fn new(lane: Lane) -> Self {
        let (parser, request) = (Parser::default(), Vec::new());
        Self { lane, link: None, parser, request, is_reused: false }
    }

    /// Sends the request that was put together.
    fn begin(&mut self, shared: &mut Shared<'_>) -> Result<(), String> {
        match &mut self.link {
            Some(link) => match link.send(&self.request) {
                Ok(()) => Ok(()),
                Err(e) => self.replace(&describe(&e), shared),
            },
            None => self.dial(shared),
        }
    }

    fn dial(&mut self, shared: &mut Shared<'_>) -> Result<(), String> {
        let link = shared.dial(self.lane, self.request.clone());
        self.link = Some(link.map_err(|e| format!("cannot open a socket: {e}"))?);
        Ok(())
    }

    /// The response has come.
    fn finish(&mut self, is_reusable: bool) {
        self.request.clear();
        self.is_reused = is_reusable;
        if !is_reusable {
            self.link = None;
        }
    }

    /// The connection has ended: nothing is lost if no request was under way, and one on a
    /// connection that had been used before may have met its end on the way.
    fn replace(&mut self, why: &str, shared: &mut Shared<'_>) -> Result<(), String> {
        self.link = None;
        self.parser = Parser::default();
        if self.request.is_empty() {
            self.is_reused = false;
            return Ok(());
        }
        if !std::mem::take(&mut self.is_reused) {
            return Err(format!("{why} during a {:?}", self.lane));
        }
        self.dial(shared)
    }
}

/// What an open packet says: `0{"sid":…}`.
fn parse_open(packet: &[u8]) -> Result<Open, String> {
    let wrong = || format!("not an open packet: {}", String::from_utf8_lossy(packet));
    let json = packet.strip_prefix(b"0").ok_or_else(wrong)?;
    let open: serde_json::Value = serde_json::from_slice(json).map_err(|_| wrong())?;
    let sid = open["sid"].as_str().filter(|sid| !sid.is_empty()).ok_or_else(wrong)?;
    let maximum = open["maxPayload"].as_u64().and_then(|bytes| usize::try_from(bytes).ok());
    let upgrades = open["upgrades"].as_array();
    let may_upgrade = upgrades.is_some_and(|list| list.iter().any(|name| name == "websocket"));
    let post_bytes_max = maximum.filter(|&bytes| bytes > 0).unwrap_or(usize::MAX);
    Ok(Open { sid: sid.to_owned(), post_bytes_max, may_upgrade })
}

/// The packets of the next POST out of those that wait (each has a separator behind it): as many
/// as the server takes at once, at least one. Returns the body, and how much of `outgoing` it was.
fn batch(outgoing: &[u8], body_bytes_max: usize) -> (&[u8], usize) {
    let is_end = |&byte: &u8| byte == SEPARATOR;
    let within = &outgoing[..outgoing.len().min(body_bytes_max.saturating_add(1))];
    let end = within.iter().rposition(is_end).or_else(|| outgoing.iter().position(is_end));
    let end = end.unwrap_or(outgoing.len());
    (&outgoing[..end], (end + 1).min(outgoing.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches() {
        let check = |outgoing: &str, maximum, body: &str, used| {
            let (found, consumed) = batch(outgoing.as_bytes(), maximum);
            let found = std::str::from_utf8(found).unwrap();
            assert_eq!((found, consumed), (body, used), "{outgoing:?} up to {maximum}");
        };
        check("40\u{1e}", 100, "40", 3);
        check("3\u{1e}42[]\u{1e}", 100, "3\u{1e}42[]", 7);
        check("3\u{1e}42[]\u{1e}", 6, "3\u{1e}42[]", 7);
        check("3\u{1e}42[]\u{1e}", 5, "3", 2);
        check("42[]\u{1e}3\u{1e}", 2, "42[]", 5);
        check("3\u{1e}", usize::MAX, "3", 2);
    }

    #[test]
    fn open_packets() {
        let check = |packet: &str, expected: Option<(&str, usize, bool)>| {
            let open = parse_open(packet.as_bytes()).ok();
            let open = open.as_ref().map(|o| (o.sid.as_str(), o.post_bytes_max, o.may_upgrade));
            assert_eq!(open, expected, "{packet}");
        };
        let all = r#"0{"sid":"a","upgrades":["websocket"],"maxPayload":9,"pingInterval":1}"#;
        check(all, Some(("a", 9, true)));
        check(r#"0{"sid":"a","upgrades":[]}"#, Some(("a", usize::MAX, false)));
        check(r#"0{"sid":""}"#, None);
        check(r#"4{"sid":"a"}"#, None);
        check("0", None);
    }
}
