//! A client over WebSocket that joins one namespace, and plain HTTP.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use relay_websocket::{Decoder, Event, Opcode, Role, write_masked_frame};

use crate::PATIENCE;

fn dial(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    stream
}

/// One request on a connection of its own, and everything that comes back.
pub(crate) fn fetch(address: SocketAddr, path: &str) -> String {
    let mut stream = dial(address);
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it takes requests");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, and the end");
    answer
}

pub(crate) struct Client {
    stream: TcpStream,
    decoder: Decoder,
    namespace: String,
    packets: VecDeque<String>,
    pub(crate) id: String,
}

impl Client {
    /// Comes in, or hears why not.
    pub(crate) fn join(address: SocketAddr, namespace: &str, auth: &str) -> Result<Self, String> {
        let mut stream = dial(address);
        let request = "GET /socket.io/?EIO=4&transport=websocket&q=1 HTTP/1.1\r\nHost: a\r\n\
            Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("it takes requests");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer");
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        let mut client = Self {
            stream,
            decoder: Decoder::new(Role::Client, 10_000_000),
            namespace: namespace.to_owned(),
            packets: VecDeque::new(),
            id: String::new(),
        };
        assert!(client.packet().is_some_and(|open| open.starts_with('0')));
        client.send(&format!("40{}{auth}", client.prefix()));
        let answer = client.next().expect("an answer");
        match answer.strip_prefix("40{\"sid\":\"") {
            Some(rest) => client.id = rest.split('"').next().unwrap_or_default().to_owned(),
            None => return Err(answer),
        }
        Ok(client)
    }

    /// What its packets name their namespace with.
    fn prefix(&self) -> String {
        if self.namespace == "/" { String::new() } else { format!("{},", self.namespace) }
    }

    /// Sends a packet as it is.
    pub(crate) fn send(&mut self, packet: &str) {
        let mut frame = Vec::new();
        write_masked_frame(&mut frame, Opcode::Text, packet.as_bytes(), [1, 2, 3, 4]);
        self.stream.write_all(&frame).expect("it takes packets");
    }

    /// Sends an event that wants an acknowledgement, and returns what comes next.
    pub(crate) fn ask(&mut self, args: &str) -> String {
        self.send(&format!("42{}1{args}", self.prefix()));
        self.next().expect("an answer")
    }

    /// The next packet, without its namespace; `None` when the connection is over.
    pub(crate) fn next(&mut self) -> Option<String> {
        let packet = self.packet()?;
        let prefix = self.prefix();
        Some(if prefix.is_empty() { packet } else { packet.replacen(&prefix, "", 1) })
    }

    fn packet(&mut self) -> Option<String> {
        let mut piece = [0; 65_536];
        while self.packets.is_empty() {
            let n = self.stream.read(&mut piece).expect("something in time");
            if n == 0 {
                return None;
            }
            self.take(&mut piece[..n]);
        }
        self.packets.pop_front().filter(|it| it != "closed")
    }

    fn take(&mut self, mut input: &mut [u8]) {
        loop {
            let step = self.decoder.decode(input).expect("legal frames");
            let consumed = step.consumed;
            match step.event {
                Some(Event::Text(text)) => self.packets.push_back(text.to_owned()),
                Some(Event::Binary(bytes)) => self.packets.push_back(format!("{bytes:?}")),
                Some(Event::Close(_)) => self.packets.push_back("closed".to_owned()),
                Some(other) => panic!("{other:?}"),
                None => return,
            }
            input = &mut std::mem::take(&mut input)[consumed..];
        }
    }
}
