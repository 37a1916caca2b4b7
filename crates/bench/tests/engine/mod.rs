//! A Socket.IO server with long-polling and the upgrade, one thread for each connection: just
//! enough for the generator, and unkind where a server may be (bodies in chunks, connections that
//! end between two requests).

use relay_websocket::{Decoder, Event, Opcode, Role, handshake, write_frame};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// A poll is never held longer, whatever goes wrong.
const HOLD_MAX: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Session {
    /// Packets that wait for a poll, or for the end of the upgrade.
    queue: Vec<String>,
    has_joined: bool,
    is_probed: bool,
    socket: Option<TcpStream>,
}

#[derive(Default)]
pub(crate) struct Engine {
    sessions: Mutex<HashMap<String, Session>>,
    changed: Condvar,
    /// Sessions that were opened, upgraded, and left with a goodbye.
    pub(crate) opened: AtomicUsize,
    pub(crate) upgraded: AtomicUsize,
    pub(crate) left: AtomicUsize,
}

struct Request {
    method: String,
    resource: String,
    key: String,
    body: String,
}

impl Engine {
    /// Serves on a free port until the test's process ends. A connection is closed, without
    /// warning, after so many requests.
    pub(crate) fn start(requests_max: usize) -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let engine = Arc::new(Self::default());
        let serving = Arc::clone(&engine);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let engine = Arc::clone(&serving);
                std::thread::spawn(move || engine.serve(&stream, requests_max));
            }
        });
        (engine, format!("ws://{address}"))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.sessions.lock().expect("no thread panics while it holds the lock")
    }

    fn serve(&self, stream: &TcpStream, requests_max: usize) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        let mut reader = BufReader::new(stream);
        for _ in 0..requests_max {
            let request = read_request(&mut reader)?;
            let query = request.resource.split_once('?')?.1;
            let field = |name| query.split('&').find_map(|part: &str| part.strip_prefix(name));
            let sid = field("sid=").unwrap_or_default();
            if field("transport=") == Some("websocket") {
                return self.upgrade(sid, &request.key, stream);
            }
            let (status, body) = match request.method.as_str() {
                "GET" if sid.is_empty() => (200, self.open()),
                "GET" => self.poll(sid),
                _ => self.post(sid, &request.body),
            };
            respond(stream, status, &body).ok()?;
        }
        None
    }

    fn open(&self) -> String {
        let sid = format!("session-{}", self.opened.fetch_add(1, Ordering::SeqCst));
        self.lock().insert(sid.clone(), Session::default());
        format!(
            r#"0{{"sid":"{sid}","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":300}}"#
        )
    }

    fn poll(&self, sid: &str) -> (u16, String) {
        let ends = |sessions: &mut HashMap<String, Session>| {
            sessions.get(sid).is_some_and(|session| session.queue.is_empty() && !session.is_probed)
        };
        let waited = self.changed.wait_timeout_while(self.lock(), HOLD_MAX, ends);
        let (mut sessions, _) = waited.expect("no thread panics while it holds the lock");
        match sessions.get_mut(sid) {
            Some(Session { socket: None, is_probed: true, .. }) => (200, "6".to_owned()),
            Some(session) if session.socket.is_none() => {
                let packets = std::mem::take(&mut session.queue);
                (200, packets.join("\u{1e}"))
            }
            Some(_) | None => (400, r#"{"code":1}"#.to_owned()),
        }
    }

    fn post(&self, sid: &str, body: &str) -> (u16, String) {
        if !self.lock().contains_key(sid) {
            return (400, r#"{"code":1}"#.to_owned());
        }
        if body.len() > 300 {
            return (413, String::new());
        }
        for packet in body.split('\u{1e}') {
            self.on_packet(sid, packet);
        }
        (200, "ok".to_owned())
    }

    fn on_packet(&self, sid: &str, packet: &str) {
        let mut sessions = self.lock();
        if packet == "1" {
            sessions.remove(sid);
            self.left.fetch_add(1, Ordering::SeqCst);
        } else if packet.starts_with("40") {
            let Some(session) = sessions.get_mut(sid) else { return };
            session.has_joined = true;
            // A ping comes with it, so that a pong is owed.
            session.send(r#"40/relay,{"sid":"x"}"#);
            session.send("2");
        } else if packet.starts_with("42/relay,0") {
            sessions.get_mut(sid).into_iter().for_each(|session| session.send("43/relay,0[true]"));
        } else if packet.contains(r#""destino":"yo""#) {
            sessions.get_mut(sid).into_iter().for_each(|session| session.send(packet));
        } else if packet.starts_with("42") {
            for session in sessions.values_mut().filter(|session| session.has_joined) {
                session.send(packet);
            }
        }
        self.changed.notify_all();
    }

    fn upgrade(&self, sid: &str, key: &str, mut stream: &TcpStream) -> Option<()> {
        let accept = handshake::accept(key)?;
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade";
        write!(stream, "{head}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").ok()?;
        let mut sid = sid.to_owned();
        if sid.is_empty() {
            let open = self.open();
            sid = open.split('"').nth(3)?.to_owned();
            self.lock().get_mut(&sid)?.socket = Some(stream.try_clone().ok()?);
            self.lock().get_mut(&sid)?.send(&open);
        }
        let mut decoder = Decoder::new(Role::Server, 1 << 20);
        let mut buffer = [0; 4096];
        loop {
            let count = stream.read(&mut buffer).ok().filter(|&count| count > 0)?;
            let mut at = 0;
            loop {
                let step = decoder.decode(&mut buffer[at..count]).ok()?;
                at += step.consumed;
                match step.event {
                    None => break,
                    Some(Event::Text("2probe")) => {
                        self.lock().get_mut(&sid)?.is_probed = true;
                        self.changed.notify_all();
                        write_text(stream, "3probe");
                    }
                    Some(Event::Text("5")) => {
                        let mut sessions = self.lock();
                        let session = sessions.get_mut(&sid)?;
                        session.socket = Some(stream.try_clone().ok()?);
                        let waiting = std::mem::take(&mut session.queue);
                        waiting.iter().for_each(|packet| session.send(packet));
                        self.upgraded.fetch_add(1, Ordering::SeqCst);
                    }
                    Some(Event::Text(packet)) => self.on_packet(&sid, packet),
                    Some(Event::Close(_)) => self.on_packet(&sid, "1"),
                    Some(_) => {}
                }
            }
        }
    }
}

impl Session {
    fn send(&mut self, packet: &str) {
        match &self.socket {
            Some(stream) => write_text(stream, packet),
            None => self.queue.push(packet.to_owned()),
        }
    }
}

fn write_text(mut stream: &TcpStream, packet: &str) {
    let mut frame = Vec::new();
    write_frame(&mut frame, Opcode::Text, packet.as_bytes());
    // A client that has gone is found out by its reader.
    let _ = stream.write_all(&frame);
}

fn read_request(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, resource) = (words.next()?, words.next()?);
    let (mut key, mut body_bytes) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name {
            "Content-Length" => body_bytes = value.parse().ok()?,
            "Sec-WebSocket-Key" => value.clone_into(&mut key),
            _ => {}
        }
    }
    let mut body = vec![0; body_bytes];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, resource, key, body: String::from_utf8(body).ok()? })
}

/// Polls are answered with a length, all else in chunks of a few bytes.
fn respond(mut stream: &TcpStream, status: u16, body: &str) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: text/plain; charset=UTF-8\r\n");
    let mut out = if body != "ok" {
        format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())
    } else {
        format!("{head}Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n")
    };
    // In two writes, so that the client sees half of it first.
    let rest = out.split_off(out.len() / 2);
    stream.write_all(out.as_bytes())?;
    stream.write_all(rest.as_bytes())
}
