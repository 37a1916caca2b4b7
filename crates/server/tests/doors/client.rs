//! A client of Engine.IO over plain TCP: HTTP requests, and WebSockets that answer pings.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use relay_websocket::{Decoder, Event, Opcode, Role, write_masked_frame};

use crate::PATIENCE;

/// What a request was answered.
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Reply {
    /// The value of a header field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.filter(|(its, _)| its.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

fn dial(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream.set_nodelay(true).expect("an option");
    stream
}

/// Reads the head of an answer and what came with it.
fn read_head(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|it| it == b"\r\n\r\n") {
            let rest = read.split_off(end + 4);
            return Some((String::from_utf8(read).expect("text"), rest));
        }
        let mut piece = [0; 4_096];
        match stream.read(&mut piece).ok()? {
            0 => return None,
            n => read.extend_from_slice(&piece[..n]),
        }
    }
}

/// Reads an answer; `None` if the connection ends instead.
fn read_reply(stream: &mut TcpStream) -> Option<Reply> {
    let (head, mut body) = read_head(stream)?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut reply = Reply { status, head, body: String::new() };
    let length = reply.field("content-length").map_or(0, |it| it.parse().expect("a length"));
    let come = body.len();
    if come < length {
        body.resize(length, 0);
        stream.read_exact(&mut body[come..]).ok()?;
    }
    reply.body = String::from_utf8(body).expect("text");
    Some(reply)
}

/// A request that is on its way.
pub(crate) struct Pending(TcpStream);

impl Pending {
    /// Its answer; `None` if the connection ends instead.
    pub(crate) fn reply(mut self) -> Option<Reply> {
        read_reply(&mut self.0)
    }
}

/// Asks; `query` is behind the revision.
pub(crate) fn ask(address: SocketAddr, query: &str, method: &str, body: &str) -> Pending {
    let mut stream = dial(address);
    let length = body.len();
    let request = format!(
        "{method} /socket.io/?EIO=4&{query} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\
         \r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("it takes requests");
    Pending(stream)
}

pub(crate) fn get(address: SocketAddr, query: &str) -> Reply {
    ask(address, query, "GET", "").reply().expect("an answer")
}

pub(crate) fn post(address: SocketAddr, query: &str, body: &str) -> Reply {
    ask(address, query, "POST", body).reply().expect("an answer")
}

/// A session id out of an open packet.
pub(crate) fn sid(packet: &str) -> String {
    let (_, rest) = packet.split_once("\"sid\":\"").expect("a sid");
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// Asks for a WebSocket; `query` is behind the revision and the transport.
pub(crate) fn ask_websocket(address: SocketAddr, query: &str) -> Pending {
    ask_through(address, &format!("transport=websocket&{query}"), "")
}

/// Asks for a session with header fields of the caller's, each with its end of line.
pub(crate) fn ask_through(address: SocketAddr, query: &str, fields: &str) -> Pending {
    let mut stream = dial(address);
    let upgrade = if query.starts_with("transport=websocket") {
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    } else {
        ""
    };
    let request =
        format!("GET /socket.io/?EIO=4&{query} HTTP/1.1\r\nHost: a\r\n{upgrade}{fields}\r\n");
    stream.write_all(request.as_bytes()).expect("it takes requests");
    Pending(stream)
}

/// A session over WebSocket.
pub(crate) struct Client {
    stream: TcpStream,
    decoder: Decoder,
    texts: VecDeque<String>,
    /// Its server said goodbye, or was gone.
    is_over: bool,
    /// The head of the 101.
    pub(crate) accepted: Reply,
}

impl Client {
    pub(crate) fn open(address: SocketAddr) -> Self {
        match Self::of(ask_websocket(address, "")) {
            Ok(client) => client,
            Err(reply) => panic!("{}: {}", reply.status, reply.body),
        }
    }

    /// The WebSocket that was asked for, or the refusal.
    pub(crate) fn of(asked: Pending) -> Result<Self, Reply> {
        let Pending(mut stream) = asked;
        let (head, mut rest) = read_head(&mut stream).expect("an answer");
        if !head.starts_with("HTTP/1.1 101 ") {
            let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status");
            stream.read_to_end(&mut rest).expect("it ends");
            let body = String::from_utf8(rest).expect("text");
            return Err(Reply { status, head, body });
        }
        let accepted = Reply { status: 101, head, body: String::new() };
        let decoder = Decoder::new(Role::Client, 1_000_000);
        let mut client = Self { stream, decoder, texts: VecDeque::new(), is_over: false, accepted };
        client.take(&mut rest);
        assert!(client.next().expect("the open packet").starts_with("0{"));
        Ok(client)
    }

    pub(crate) fn send(&mut self, text: &str) {
        let mut frame = Vec::new();
        write_masked_frame(&mut frame, Opcode::Text, text.as_bytes(), [1, 2, 3, 4]);
        self.stream.write_all(&frame).expect("it takes packets");
    }

    /// The next packet that is no ping; `None` when the session is over.
    pub(crate) fn next(&mut self) -> Option<String> {
        let mut piece = [0; 4_096];
        while self.texts.is_empty() && !self.is_over {
            let n = self.stream.read(&mut piece).expect("something in time");
            self.is_over |= n == 0;
            self.take(&mut piece[..n]);
        }
        self.texts.pop_front()
    }

    fn take(&mut self, mut input: &mut [u8]) {
        let mut pings = 0;
        loop {
            let step = self.decoder.decode(input).expect("legal frames");
            let consumed = step.consumed;
            match step.event {
                Some(Event::Text("2")) => pings += 1,
                Some(Event::Text(text)) => self.texts.push_back(text.to_owned()),
                Some(Event::Close(_)) => self.is_over = true,
                Some(other) => panic!("{other:?}"),
                None => break,
            }
            input = &mut std::mem::take(&mut input)[consumed..];
        }
        for _ in 0..pings {
            self.send("3");
        }
    }

    /// Joins `/` and returns its id there.
    pub(crate) fn join(&mut self) -> String {
        self.send("40");
        let answer = self.next().expect("an answer");
        assert!(answer.starts_with("40{\"sid\":\"~"), "{answer}");
        sid(&answer)
    }

    /// Says something and gets it back.
    pub(crate) fn echo(&mut self, n: usize) {
        let event = format!("42[\"echo\",{n}]");
        self.send(&event);
        assert_eq!(self.next(), Some(event));
    }
}
