//! The log from end to end, but for the file: writers that wait, fail, and come back.

use std::io::{self, ErrorKind, Write};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use relay_gateway::{Fact, Observer};
use relay_hub::{EndReason, Limits, LogLimits, SessionEnd, SessionSummary};

use super::{Journal, Log, LogFormat, LogLevel};

/// What was written; each call of `write` takes what the plan says.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// Waits until it says this.
    #[track_caller]
    fn wait_for(&self, wanted: &str) {
        let until = Instant::now() + Duration::from_secs(60);
        while !self.text().contains(wanted) {
            assert!(Instant::now() < until, "{wanted} is missing in\n{}", self.text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Writes on paper what `takes` lets through.
struct Pen<F>(Paper, F);

impl<F: FnMut(&[u8]) -> io::Result<usize>> Write for Pen<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = (self.1)(bytes)?;
        self.0.0.lock().unwrap().extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn start(
    limits: &Limits,
    takes: impl FnMut(&[u8]) -> io::Result<usize> + Send + 'static,
) -> (Paper, Journal) {
    let paper = Paper::default();
    let log = Log::writer(Pen(paper.clone(), takes));
    let journal = log.start((LogFormat::Auto, LogLevel::Info), limits, "host").unwrap();
    (paper, journal)
}

/// Takes nothing until told; then everything.
fn gate(opened: Receiver<()>) -> impl FnMut(&[u8]) -> io::Result<usize> {
    move |bytes| {
        let _ = opened.recv_timeout(Duration::from_secs(60));
        Ok(bytes.len())
    }
}

#[test]
fn who_logs_never_waits_and_what_is_lost_is_said() {
    let limits = Limits {
        log: LogLimits { queue_bytes_max: 10_000, ..LogLimits::default() },
        ..Limits::default()
    };
    let (open, opened) = channel();
    let (paper, journal) = start(&limits, gate(opened));
    for _ in 0..5_000 {
        journal.record(LogLevel::Info, "said", vec![("word", "a".into())]);
    }
    let dropped = journal.dropped();
    assert!((4_000..5_000).contains(&dropped), "{dropped} were dropped");
    drop(open);
    paper.wait_for(&format!("\"event\":\"log_dropped\",\"lines\":{dropped},"));
    journal.record(LogLevel::Info, "later", Vec::new());
    paper.wait_for("later");
    assert_eq!(paper.text().matches("\"said\"").count() as u64, 5_000 - dropped);
    assert_eq!(journal.dropped(), dropped);
}

#[test]
fn a_target_that_fails_is_tried_again_and_no_line_is_broken() {
    let room = Arc::new(Mutex::new(10));
    let left = room.clone();
    let (paper, journal) = start(&Limits::default(), move |bytes| {
        let mut left = left.lock().unwrap();
        let n = bytes.len().min(*left);
        *left -= n;
        if n == 0 { Err(ErrorKind::StorageFull.into()) } else { Ok(n) }
    });
    journal.record(LogLevel::Info, "first", Vec::new());
    let until = Instant::now() + Duration::from_secs(60);
    while journal.dropped() == 0 {
        assert!(Instant::now() < until, "nothing was dropped");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(paper.text(), "{\"timestam");
    *room.lock().unwrap() = usize::MAX;
    // Nobody says anything more: it tries by itself.
    paper.wait_for("\"event\":\"log_dropped\",\"lines\":1,\"instance\":\"host\"}\n");
    let text = paper.text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(serde_json::from_str::<serde_json::Value>(lines[1]).is_ok(), "{text}");
}

#[test]
fn the_end_waits_for_what_was_said_and_not_for_whoever_reads() {
    let (paper, journal) = start(&Limits::default(), |bytes| Ok(bytes.len()));
    journal.record(LogLevel::Info, "last", Vec::new());
    journal.finish();
    assert!(paper.text().contains("last"));
    journal.record(LogLevel::Info, "late", Vec::new());
    assert_eq!(journal.dropped(), 1, "nobody writes any more");
    let (_open, opened) = channel();
    let (_, stuck) = start(&Limits::default(), gate(opened));
    stuck.record(LogLevel::Info, "last", Vec::new());
    let before = Instant::now();
    stuck.finish();
    assert!(before.elapsed() < Duration::from_secs(30));
}

#[test]
fn what_clients_can_cause_at_will_has_a_bound_per_second() {
    let limits = Limits {
        log: LogLimits { lines_per_second_max: 2, ..LogLimits::default() },
        ..Limits::default()
    };
    let (paper, journal) = start(&limits, |bytes| Ok(bytes.len()));
    let observer = journal.observer().expect("everything is shown");
    for _ in 0..1_000 {
        let address = std::net::Ipv4Addr::LOCALHOST.into();
        observer.observe(&Fact::ConnectRefused { address, message: "no" });
        let (reason, code, status) = ("origin", Some(4), 400);
        observer.observe(&Fact::HandshakeRefused { address, reason, code, status });
    }
    paper.wait_for("log_left_out");
    journal.finish();
    let text = paper.text();
    let [.., connects, handshakes] = journal.left_out();
    for (what, (kind, left_out)) in
        [("connect_refused", connects), ("handshake_refused", handshakes)]
    {
        let told = text.matches(what).count() as u64;
        assert!(told >= 2 && told + left_out == 1_000, "{kind}: {text}");
    }
    let line = r#""event":"handshake_refused","reason":"origin","address":"127.0.0.1","code":4,"status":400,"#;
    assert!(text.contains(line), "{text}");
}

#[test]
fn who_comes_and_goes_at_will_has_a_bound_and_grave_ends_have_none() {
    let limits = Limits {
        log: LogLimits { sessions_per_second_max: 2, ..LogLimits::default() },
        ..Limits::default()
    };
    let (paper, journal) = start(&limits, |bytes| Ok(bytes.len()));
    let observer = journal.observer().expect("everything is shown");
    for _ in 0..1_000 {
        observer.observe(&never_joined(EndReason::ClientNamespaceDisconnect));
        observer.observe(&never_joined(EndReason::SlowConsumer));
    }
    paper.wait_for("log_left_out");
    journal.finish();
    let [(sessions, left_out), ..] = journal.left_out();
    let text = paper.text();
    let grave = text.matches("slow_consumer").count();
    let ended = text.matches("never_joined").count() as u64;
    assert_eq!((sessions, grave, left_out + ended), ("sessions", 1_000, 2_000), "{text}");
    assert!(left_out > 0);
}

fn never_joined(reason: EndReason) -> Fact<'static> {
    let session = SessionSummary {
        address: std::net::Ipv4Addr::LOCALHOST.into(),
        is_polling: false,
        age: Duration::from_millis(1_500),
        received_bytes: 1,
        sent_bytes: 2,
    };
    Fact::NeverJoined(SessionEnd { session, reason, joined: false })
}

#[test]
fn a_level_shows_itself_and_what_is_graver() {
    let check = |level: LogLevel, shown: &[&str]| {
        let paper = Paper::default();
        let pen = Pen(paper.clone(), |bytes: &[u8]| Ok(bytes.len()));
        let log = Log::writer(pen).level(level).format(LogFormat::Text);
        let limits = Limits::default();
        let journal = log.start((LogFormat::Auto, LogLevel::Info), &limits, "host").unwrap();
        let observer = journal.observer();
        assert_eq!(observer.is_none(), level == LogLevel::Off);
        let tell = |fact| observer.iter().for_each(|it: &Arc<dyn Observer>| it.observe(&fact));
        tell(never_joined(EndReason::TransportClose));
        tell(never_joined(EndReason::SlowConsumer));
        tell(never_joined(EndReason::HandlerPanic));
        journal.finish();
        let text = paper.text();
        let lines: Vec<_> = text.lines().map(|line| &line[25..]).collect();
        assert_eq!(lines, shown);
    };
    let rest = "durationMs=1500 receivedBytes=1 sentBytes=2";
    let line = |level: &str, reason: &str, by: &str| {
        format!(
            "{level} never_joined address=127.0.0.1 transport=websocket reason={reason} \
             closedBy={by} {rest}"
        )
    };
    let error = line("ERROR", "panic", "server");
    let warn = line(" WARN", "slow_consumer", "server");
    let info = line(" INFO", "transport_close", "client");
    check(LogLevel::Off, &[]);
    check(LogLevel::Error, &[&error]);
    check(LogLevel::Warn, &[&warn, &error]);
    check(LogLevel::Info, &[&info, &warn, &error]);
}
