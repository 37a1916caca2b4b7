//! The thread that formats and writes. It may wait for whoever reads; nobody waits for it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::caps::Class;
use super::format::Format;
use super::record::Record;
use super::{LogLevel, Shared};

/// How often it says what was left out, and tries a target that failed.
const TICK: Duration = Duration::from_secs(1);
/// What is written at once.
const CHUNK_BYTES: usize = 64 * 1024;
/// How long a target that takes nothing now is left alone.
const RETRY: Duration = Duration::from_millis(20);

/// What the thread owns.
pub(super) struct Writer {
    shared: Arc<Shared>,
    target: Target,
    format: Format,
    /// What was said of lines that were left out.
    left_out_said: [u64; Class::ALL.len()],
    /// What was said of lines that were dropped.
    dropped_said: u64,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, out: Box<dyn Write + Send>, format: Format) -> Self {
        let target = Target { out, is_mid_line: false, fails: false };
        Self { shared, target, format, left_out_said: Default::default(), dropped_said: 0 }
    }

    /// Writes until nothing more comes.
    pub(super) fn run(mut self) {
        let (mut taken, mut text, mut last) = (VecDeque::new(), String::new(), Instant::now());
        loop {
            let goes_on = self.shared.queue.take(&mut taken, TICK);
            while !taken.is_empty() {
                self.chunk(&mut taken, &mut text);
            }
            if !goes_on || last.elapsed() >= TICK {
                self.tell_left_out();
                last = Instant::now();
            }
            self.tell_dropped();
            if !goes_on {
                return self.shared.queue.end();
            }
        }
    }

    /// Writes some of what was taken.
    fn chunk(&mut self, taken: &mut VecDeque<Record>, text: &mut String) {
        let (mut bytes, mut lines) = (0, 0);
        text.clear();
        while text.len() < CHUNK_BYTES
            && let Some(record) = taken.pop_front()
        {
            bytes += record.bytes();
            lines += 1;
            self.format.line(text, &record);
        }
        let lost = self.target.write(text.as_bytes());
        self.shared.written.fetch_add(lines - lost, Ordering::Relaxed);
        self.shared.dropped.fetch_add(lost, Ordering::Relaxed);
        self.shared.queue.release(bytes);
    }

    /// A line of the log about itself; `false` if it could not be written.
    fn say(&mut self, event: &'static str, fields: &[(&'static str, u64)]) -> bool {
        if LogLevel::Warn > self.shared.level {
            return true;
        }
        let fields = fields.iter().map(|&(name, number)| (name, number.into())).collect();
        let mut text = String::new();
        self.format.line(&mut text, &Record::new(LogLevel::Warn, event, fields));
        let is_written = self.target.write(text.as_bytes()) == 0;
        self.shared.written.fetch_add(u64::from(is_written), Ordering::Relaxed);
        is_written
    }

    fn tell_left_out(&mut self) {
        let now = Class::ALL.map(|class| self.shared.caps.left_out(class));
        if now == self.left_out_said {
            return;
        }
        let news = Class::ALL.map(|class| {
            let at = class as usize;
            (class.as_str(), now[at] - self.left_out_said[at])
        });
        if self.say("log_left_out", &news) {
            self.left_out_said = now;
        }
    }

    /// Also how a target is tried that failed: what was dropped is said when it takes it.
    fn tell_dropped(&mut self) {
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        if dropped > self.dropped_said
            && self.say("log_dropped", &[("lines", dropped - self.dropped_said)])
        {
            self.dropped_said = dropped;
        }
    }
}

struct Target {
    out: Box<dyn Write + Send>,
    /// A line was begun that could not be ended.
    is_mid_line: bool,
    /// The last write failed: that was said.
    fails: bool,
}

impl Target {
    /// Writes whole lines; returns how many of them were lost.
    fn write(&mut self, lines: &[u8]) -> u64 {
        if self.is_mid_line {
            if let Err(error) = write_all(&mut *self.out, b"\n") {
                return self.failed(&error.1, lines);
            }
            self.is_mid_line = false;
        }
        match write_all(&mut *self.out, lines) {
            Ok(()) => {
                self.fails = false;
                0
            }
            Err((written, error)) => {
                self.is_mid_line = written > 0 && lines[written - 1] != b'\n';
                self.failed(&error, &lines[written..])
            }
        }
    }

    fn failed(&mut self, error: &io::Error, lost: &[u8]) -> u64 {
        if !std::mem::replace(&mut self.fails, true) {
            // Where nobody reads that either, it is lost.
            let _ = writeln!(io::stderr(), "relay: the log cannot be written: {error}");
        }
        lost.iter().filter(|&&c| c == b'\n').count() as u64
    }
}

/// Writes everything; in an error, how much of it was written.
fn write_all(out: &mut dyn Write, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut written = 0;
    while written < bytes.len() {
        match out.write(&bytes[written..]) {
            Ok(0) => return Err((written, ErrorKind::WriteZero.into())),
            Ok(n) => written += n,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Somebody else made it so that it does not wait.
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(RETRY),
            Err(error) => return Err((written, error)),
        }
    }
    out.flush().map_err(|error| (written, error))
}
