//! The program and its log: standard output that is read, full, closed, or on a full disk.

#[path = "../embedding/client.rs"]
mod client;
mod disk;
mod redis;

use std::io::{BufRead, BufReader, Chain, Cursor, Read};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use client::{Client, fetch};

/// Only what is broken takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Enough for more lines than a pipe and the queue hold.
const MESSAGES: usize = 2_000;

/// What it writes: lines ahead of the one that it is ready, and what comes behind that one.
type Lines = BufReader<Chain<Cursor<Vec<u8>>, BufReader<ChildStdout>>>;

/// A gateway that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// One shard that logs every message, and whose queue holds a few lines.
    fn start(port: u16, stdout: Stdio) -> Self {
        Self::start_with(port, stdout, &[])
    }

    fn start_with(port: u16, stdout: Stdio, more: &[String]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_relay"));
        command.env_clear().current_dir(std::env::temp_dir()).args([
            "--host=127.0.0.1",
            &format!("--port={port}"),
            "--shards=1",
            "--log-lines-per-second-max=1000000",
            "--log-queue-bytes-max=4096",
            "--drain-window=0",
        ]);
        command.args(more).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::null());
        Self(command.spawn().expect("the program runs"))
    }

    /// One whose standard output is a pipe, and where it listens.
    fn piped() -> (Self, Lines, SocketAddr) {
        Self::piped_with(&[])
    }

    fn piped_with(more: &[String]) -> (Self, Lines, SocketAddr) {
        let mut running = Self::start_with(0, Stdio::piped(), more);
        let mut lines = BufReader::new(running.0.stdout.take().expect("a pipe"));
        // A Redis that is away may be told of before.
        let (mut line, mut before) = (String::new(), Vec::new());
        loop {
            line.clear();
            assert!(lines.read_line(&mut line).expect("a line") > 0, "it is not ready");
            if let Some(address) = listens(&line) {
                return (running, BufReader::new(Cursor::new(before).chain(lines)), address);
            }
            before.extend_from_slice(line.as_bytes());
        }
    }

    /// It is told to stop, and does.
    fn stop(&mut self) -> ExitStatus {
        let pid = self.0.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(told.expect("kill runs").success());
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().expect("it is ours") {
                return status;
            }
            assert!(Instant::now() < until, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Where it listens, if this line is the one that says so.
fn listens(line: &str) -> Option<SocketAddr> {
    let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
    let ready = Some(line).filter(|it| it["event"] == "ready")?;
    Some(ready["address"].as_str().and_then(|it| it.parse().ok()).expect("an address"))
}

/// A client says many things to itself and hears all of them.
fn talk(address: SocketAddr) {
    let mut client = Client::join(address, "/relay", "").expect("it comes in");
    for n in 0..MESSAGES {
        client.send(&format!("42/relay,[\"relay\",{{\"destino\":\"yo\",\"n\":{n}}}]"));
        let heard = client.next().expect("it is told");
        assert_eq!(heard, format!("42[\"relay\",{{\"destino\":\"yo\",\"n\":{n}}}]"));
    }
}

/// The value of a metric without labels.
fn metric(address: SocketAddr, name: &str) -> u64 {
    let text = fetch(address, "/metrics");
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("{name} is missing in\n{text}"))
}

/// Waits until lines were dropped.
fn wait_for_drops(address: SocketAddr) {
    let until = Instant::now() + PATIENCE;
    while metric(address, "relay_log_dropped_total") == 0 {
        assert!(Instant::now() < until, "nothing is dropped");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn each_thing_that_happens_is_a_line() {
    let (mut running, lines, address) = Running::piped();
    let mut client = Client::join(address, "/relay", "").expect("it comes in");
    client.ask(r#"["identificar","user123"]"#);
    client.ask(r#"["relay",{"destino":"nosotros","tipo":"mensaje","secreto":"s3"}]"#);
    client.ask(r#"["unirse",""]"#);
    drop(client);
    let until = Instant::now() + PATIENCE;
    while metric(address, "relay_connections_total") > 0 {
        assert!(Instant::now() < until, "it is still there");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(running.stop().success());
    let lines: Vec<_> = lines.lines().map_while(Result::ok).collect();
    assert!(!lines.iter().any(|line| line.contains("s3")), "a payload is in {lines:#?}");
    let parse = |line: &String| serde_json::from_str(line).expect("JSON");
    let lines: Vec<serde_json::Value> = lines.iter().map(parse).collect();
    let events: Vec<_> = lines.iter().map(|line| line["event"].as_str().unwrap_or("")).collect();
    assert_eq!(
        events,
        [
            "memory",
            "connected",
            "identified",
            "message",
            "refused",
            "disconnected",
            "drain",
            "stop"
        ]
    );
    let message = &lines[3];
    for (key, value) in
        [("level", "info"), ("usuario", "user123"), ("tipo", "mensaje"), ("destino", "nosotros")]
    {
        assert_eq!(message[key], value);
    }
    let time = message["timestamp"].as_str().unwrap_or("");
    assert!(time.len() == 24 && time.ends_with('Z') && &time[10..11] == "T", "{time}");
    assert_eq!(lines[5]["reason"], "transport_close");
}

#[test]
fn who_does_not_come_in_is_a_line() {
    let (mut running, lines, address) = Running::piped();
    fetch(address, "/socket.io/?EIO=4&transport=pigeon&token=s3");
    fetch(address, "/socket.io/?EIO=3&transport=polling");
    fetch(address, "/elsewhere");
    assert!(running.stop().success());
    let lines: Vec<_> = lines.lines().map_while(Result::ok).collect();
    let refused: Vec<_> = lines.iter().filter(|it| it.contains("handshake_refused")).collect();
    let [transport, revision] = refused[..] else { panic!("{lines:#?}") };
    let part = r#""level":"warn","event":"handshake_refused","reason":"transport_unknown","address":"127.0.0.1","code":0,"status":400,"#;
    assert!(transport.contains(part) && !transport.contains("s3"), "{transport}");
    assert!(revision.contains(r#""reason":"protocol_version""#), "{revision}");
}

#[test]
fn a_pipe_that_nobody_reads_stops_nothing() {
    let (mut running, mut lines, address) = Running::piped();
    talk(address);
    wait_for_drops(address);
    // Somebody reads again: what was lost is said.
    let (mut line, until) = (String::new(), Instant::now() + PATIENCE);
    while !line.contains("\"event\":\"log_dropped\"") {
        assert!(Instant::now() < until, "nobody says what was lost");
        line.clear();
        lines.read_line(&mut line).expect("a line");
    }
    drop(lines);
    assert!(running.stop().success());
}

#[test]
fn a_pipe_that_stays_full_does_not_delay_the_end() {
    let (mut running, mut lines, address) = Running::piped();
    talk(address);
    wait_for_drops(address);
    assert!(running.stop().success());
    let mut rest = String::new();
    lines.read_to_string(&mut rest).expect("what is in the pipe");
    assert!(rest.contains("\"event\":\"message\""));
}

#[test]
fn a_pipe_that_is_closed_stops_nothing() {
    let (mut running, lines, address) = Running::piped();
    drop(lines);
    talk(address);
    wait_for_drops(address);
    assert!(running.stop().success());
}

#[test]
fn a_full_disk_stops_nothing() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("it is there");
    // Where it listens cannot be read: a port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    let mut running = Running::start(port.port(), full.into());
    let until = Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(port).is_err() {
        assert!(Instant::now() < until, "it does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    talk(port);
    wait_for_drops(port);
    assert_eq!(metric(port, "relay_log_lines_total"), 0);
    assert!(running.stop().success());
}
