//! What clients may not do to a server by HTTP: heads that two readers read differently, bodies
//! that are too large or never come, answers that are not taken. Bytes over TCP, against a server
//! whose patience is short.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use relay_server::hub::{Application, ConnectRequest, Context, Decision, Happening, Layer, Limits};
use relay_server::{Config, Server, ServerStats, bind, instance};

/// Far more than anything here takes, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(30);
const BODY_TIMEOUT: Duration = Duration::from_millis(500);

struct Silent;

impl Application for Silent {
    type Data = ();
    const LAYER: Layer = Layer::EngineIo;

    fn authorize(&mut self, _request: &ConnectRequest<'_>) -> Decision<()> {
        Decision::Admit(())
    }

    fn handle(&mut self, _cx: &mut Context<'_, ()>, _happening: Happening<'_>) {}
}

/// A server, stopped when the test is over.
struct Running {
    server: Option<Server>,
    address: SocketAddr,
    stats: Arc<ServerStats>,
}

impl Running {
    fn start() -> Self {
        Self::with(Limits {
            http_body_timeout: BODY_TIMEOUT,
            http_write_timeout: BODY_TIMEOUT,
            payload_bytes_max: 1_000,
            ..Limits::default()
        })
    }

    fn with(limits: Limits) -> Self {
        let host = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let listeners = bind(host, 0, 1, &limits).unwrap();
        let config = Config::new("/engine.io/", instance(limits, &["/"], 1).unwrap());
        let stats = config.stats.clone();
        let server = Server::start(config, listeners, |_, _| Silent).unwrap();
        Self { address: server.address(), stats, server: Some(server) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Begins a session and returns its id.
    fn session(&self) -> String {
        let answer = self.ask("GET /engine.io/?EIO=4&transport=polling HTTP/1.1");
        let from = answer.find("\"sid\":\"").expect("a handshake is answered") + 7;
        answer[from..from + 20].to_owned()
    }

    /// One request on a connection of its own, and all that comes back.
    fn ask(&self, line: &str) -> String {
        let mut stream = self.connect();
        stream
            .write_all(format!("{line}\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
            .unwrap();
        rest(&mut stream)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }
}

/// Everything up to the end of the connection, which has to come.
fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the server keeps the connection: {error}"),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The next answer: its head, and a body of the length that it says.
fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let mut byte = [0];
    while !text.ends_with("\r\n\r\n") {
        stream.read_exact(&mut byte).expect("an answer comes");
        text.push(char::from(byte[0]));
    }
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |it| it.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    text + &String::from_utf8_lossy(&body)
}

/// Bytes of one connection, the statuses of all that is answered, and then the end.
fn check(running: &Running, bytes: &str, statuses: &[u16]) {
    let mut stream = running.connect();
    stream.write_all(bytes.as_bytes()).unwrap();
    let answers = rest(&mut stream);
    let seen: Vec<u16> = answers
        .match_indices("HTTP/1.")
        .map(|(at, _)| answers[at + 9..at + 12].parse().unwrap())
        .collect();
    assert_eq!(seen, statuses, "{bytes:?}: {answers}");
}

#[test]
fn a_head_that_can_be_read_in_two_ways_ends_the_connection() {
    let running = Running::start();
    let check = |bytes: &str, statuses: &[u16]| check(&running, bytes, statuses);
    check("GET / HTTP/1.1\r\n\r\n", &[400]);
    check("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", &[400]);
    check("GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n", &[417]);
    check("GET / HTTP/1.0\r\n\r\n", &[404]);
    check("GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", &[404]);
    check("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", &[404]);
    // One answer: what is a body to one reader and a request to the other is neither.
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 39";
    check(&format!("{chunked}\r\n\r\n0\r\n\r\n{smuggled}"), &[404]);
    let length = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 39\r\nTransfer-Encoding: chunked";
    check(&format!("{length}\r\n\r\n0\r\n\r\n{smuggled}"), &[404]);
    let two = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6";
    check(&format!("{two}\r\n\r\n12345{smuggled}"), &[400]);
}

#[test]
fn who_ends_its_side_behind_a_request_is_answered() {
    let running = Running::start();
    let check = |bytes: &str, status: u16| {
        // Whether the end comes with the request or behind it is the network's to decide.
        for _ in 0..50 {
            let mut stream = running.connect();
            stream.write_all(bytes.as_bytes()).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let answer = rest(&mut stream);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{bytes:?}: {answer:?}");
        }
    };
    check("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 404);
    check("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok", 404);
    check("GET /engine.io/ HTTP/1.1\r\nHost: x\r\n\r\n", 400);
    check("GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n", 200);
    check("GET /engine.io/socket.io.js HTTP/1.1\r\nHost: x\r\n\r\n", 200);
}

#[test]
fn an_absolute_target_is_not_the_protocols() {
    let running = Running::start();
    let answer = running.ask("GET http://a/engine.io/?EIO=4&transport=polling HTTP/1.1");
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
}

/// A POST of `length` bytes to a session; the body is not sent.
fn begin_post(running: &Running, session: &str, length: usize) -> TcpStream {
    let mut stream = running.connect();
    let head = format!(
        "POST /engine.io/?EIO=4&transport=polling&sid={session} HTTP/1.1\r\nHost: x\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// A refused POST is answered before its body, and the connection serves on behind it.
fn check_early(session: &str, running: &Running, length: usize, status: u16) {
    let mut stream = begin_post(running, session, length);
    let refused = answer(&mut stream);
    assert!(refused.starts_with(&format!("HTTP/1.1 {status}")), "{refused}");
    stream.write_all(&vec![b'x'; length]).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let next = answer(&mut stream);
    assert!(next.starts_with("HTTP/1.1 404"), "{next}");
}

#[test]
fn a_refused_post_is_answered_before_its_body() {
    let running = Running::start();
    check_early(&running.session(), &running, 1_001, 413);
    check_early(&running.session(), &running, 10_000_000, 413);
    check_early("AAAAAAAAAAAAAAAAAAAA", &running, 1_000, 400);
    check_early("AAAAAAAAAAAAAAAAAAAA", &running, 10_000_000, 400);
}

#[test]
fn a_body_that_never_comes_ends_its_session() {
    let running = Running::start();
    let session = running.session();
    let begun = Instant::now();
    let mut stream = begin_post(&running, &session, 100);
    stream.write_all(b"4half").unwrap();
    let answer = rest(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(begun.elapsed() >= BODY_TIMEOUT);
    let gone =
        running.ask(&format!("GET /engine.io/?EIO=4&transport=polling&sid={session} HTTP/1.1"));
    assert!(gone.contains("{\"code\":1,"), "{gone}");
}

#[test]
fn the_rest_of_a_refused_body_is_not_waited_for_forever() {
    let running = Running::start();
    let mut stream = begin_post(&running, &running.session(), 1_001);
    let refused = rest(&mut stream);
    assert!(refused.starts_with("HTTP/1.1 413"), "{refused}");
}

#[test]
fn who_does_not_take_its_answers_loses_the_connection() {
    let running = Running::start();
    let mut stream = running.connect();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let request = b"GET /engine.io/socket.io.js HTTP/1.1\r\nHost: x\r\n\r\n";
    // More than the buffers of both ends hold. The server stops reading before it has read all.
    for _ in 0..200 {
        stream.write_all(request).unwrap();
    }
    let begun = Instant::now();
    let gone = || {
        running.stats.http_errors.load(Ordering::Relaxed) == 1
            && running.stats.open.load(Ordering::SeqCst) == 0
    };
    while !gone() {
        assert!(begun.elapsed() < PATIENCE, "the server waits for who takes nothing");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A connection on which a poll waits.
fn poll(running: &Running, session: &str) -> TcpStream {
    let mut stream = running.connect();
    let target = format!("/engine.io/?EIO=4&transport=polling&sid={session}");
    stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
    stream
}

/// Time for the server to have read what was written.
fn settle() {
    std::thread::sleep(Duration::from_millis(300));
}

#[test]
fn what_is_asked_behind_a_poll_is_answered_behind_it() {
    let ping_interval = Duration::from_secs(2);
    let running = Running::with(Limits { ping_interval, ..Limits::default() });
    let mut stream = poll(&running, &running.session());
    settle();
    // While it waits: a request and a half, and the rest of it behind the answers.
    stream.write_all(b"GET /one HTTP/1.1\r\nHost: x\r\n\r\nGET /two HT").unwrap();
    let ping = answer(&mut stream);
    assert!(ping.starts_with("HTTP/1.1 200") && ping.ends_with("\r\n\r\n2"), "{ping}");
    let one = answer(&mut stream);
    assert!(one.starts_with("HTTP/1.1 404"), "{one}");
    settle();
    stream.write_all(b"TP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let two = answer(&mut stream);
    assert!(two.starts_with("HTTP/1.1 404"), "{two}");
}

#[test]
fn a_poll_whose_client_goes_away_ends_its_session() {
    let running = Running::start();
    let check = |behind: &str| {
        let session = running.session();
        let mut stream = poll(&running, &session);
        settle();
        stream.write_all(behind.as_bytes()).unwrap();
        drop(stream);
        let begun = Instant::now();
        let line = format!("OPTIONS /engine.io/?EIO=4&transport=polling&sid={session} HTTP/1.1");
        while !running.ask(&line).contains("{\"code\":1,") {
            assert!(begun.elapsed() < PATIENCE, "{behind:?}: the session lives on");
            settle();
        }
    };
    check("");
    check("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    check("GET / HT");
}

#[test]
fn a_connection_that_asks_nothing_ends_without_an_error() {
    let http_head_timeout = Duration::from_millis(500);
    let reserved_http_timeout = Duration::from_millis(400);
    let running =
        Running::with(Limits { http_head_timeout, reserved_http_timeout, ..Limits::default() });
    let errors = || running.stats.http_errors.load(Ordering::Relaxed);
    let mut silent = running.connect();
    assert_eq!(rest(&mut silent), "");
    assert_eq!(errors(), 0);
    let mut idle = running.connect();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(rest(&mut idle).starts_with("HTTP/1.1 404"));
    assert_eq!(errors(), 0);
    // Who begins to ask and does not end is in error.
    let mut half = running.connect();
    half.write_all(b"GET / HTTP/1.1\r\nHost").unwrap();
    assert_eq!(rest(&mut half), "");
    let begun = Instant::now();
    while errors() != 1 {
        assert!(begun.elapsed() < PATIENCE, "a broken head is not counted");
        settle();
    }
}

/// A client that always has another request ready is one of many.
#[test]
fn who_never_stops_asking_does_not_keep_its_shard() {
    let running = Running::start();
    let stream = running.connect();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let requests = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1_000);
            while !is_over.load(Ordering::SeqCst)
                && (&stream).write_all(requests.as_bytes()).is_ok()
            {
                std::hint::spin_loop();
            }
            let _ = stream.shutdown(Shutdown::Both);
        });
        scope.spawn(|| {
            let mut answers = vec![0; 1 << 20];
            loop {
                match (&stream).read(&mut answers) {
                    Ok(read) if read > 0 => {}
                    _ => return,
                }
            }
        });
        settle();
        let others = scope.spawn(|| {
            for _ in 0..50 {
                running.session();
                assert!(running.ask("GET / HTTP/1.1").starts_with("HTTP/1.1 404"));
            }
        });
        let others = others.join();
        is_over.store(true, Ordering::SeqCst);
        others.expect("they are answered");
    });
}
