//! Logs: lines of JSON for machines, or text for a terminal.
//!
//! Owns how records are made, kept, formatted and written. Does not own what happens: facts come
//! from the gateway, and are told whether or not anybody logs them.
//!
//! Whoever has something to say puts a record into a queue that is bounded in bytes, and goes on. A
//! thread of its own formats and writes, and it alone waits where nobody reads. What the queue has
//! no room for, or the target does not take, is dropped, counted, and said once it works again.

mod caps;
mod cluster;
mod format;
mod observer;
mod queue;
mod record;
mod writer;

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use relay_gateway::Observer;
use relay_hub::Limits;

use caps::{Caps, Class};
use format::{Format, Style};
use observer::ShardLog;
use queue::Queue;
use record::Record;
pub(crate) use record::Value;
use writer::Writer;

/// What is written: everything of this level, and of those above it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Bugs, ours or the embedding program's.
    Error,
    /// What was refused, dropped, or ended for want of room.
    Warn,
    /// What happens.
    #[default]
    Info,
}

impl LogLevel {
    /// All levels, from the silent one on.
    pub const ALL: [Self; 4] = [Self::Off, Self::Error, Self::Warn, Self::Info];
    pub(crate) const WORDS: &[&str] = &["off", "error", "warn", "info"];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
        }
    }
}

/// How records are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// Text with colours on a terminal, JSON anywhere else.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// Lines for people.
    Text,
}

impl LogFormat {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Json, Self::Text];
    pub(crate) const WORDS: &[&str] = &["auto", "json", "text"];
}

/// Where an instance logs to. Without [`Builder::log`](crate::Builder::log) it says nothing.
pub struct Log {
    target: Target,
    format: Option<LogFormat>,
    level: Option<LogLevel>,
}

enum Target {
    Stdout,
    Writer(Box<dyn Write + Send>),
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { format, level, .. } = self;
        f.debug_struct("Log").field("format", format).field("level", level).finish_non_exhaustive()
    }
}

impl Log {
    /// To standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self { target: Target::Stdout, format: None, level: None }
    }

    /// To a writer, on a thread of the log's own. It gets whole lines; it may wait as long as it
    /// likes, what is said meanwhile is dropped and counted past the bound of the queue.
    #[must_use]
    pub fn writer(writer: impl Write + Send + 'static) -> Self {
        Self { target: Target::Writer(Box::new(writer)), format: None, level: None }
    }

    /// In this format; that of the settings without it.
    #[must_use]
    pub fn format(mut self, format: LogFormat) -> Self {
        self.format = Some(format);
        self
    }

    /// From this level on; that of the settings without it.
    #[must_use]
    pub fn level(mut self, level: LogLevel) -> Self {
        self.level = Some(level);
        self
    }

    /// Starts the writer.
    ///
    /// # Errors
    /// The operating system has no thread, or no descriptor, for it.
    pub(crate) fn start(
        self,
        (format, level): (LogFormat, LogLevel),
        limits: &Limits,
        instance: &str,
    ) -> io::Result<Journal> {
        let (format, level) = (self.format.unwrap_or(format), self.level.unwrap_or(level));
        let (target, is_terminal): (Box<dyn Write + Send>, bool) = match self.target {
            Target::Writer(writer) => (writer, false),
            Target::Stdout => {
                // Not `Stdout`: it keeps what could not be written, and says it again.
                let stdout = io::stdout();
                let file = std::fs::File::from(stdout.as_fd().try_clone_to_owned()?);
                (Box::new(file), stdout.is_terminal())
            }
        };
        let style = match format {
            LogFormat::Json => Style::Json,
            LogFormat::Auto if !is_terminal => Style::Json,
            LogFormat::Auto | LogFormat::Text => {
                Style::Text { colours: is_terminal && std::env::var_os("NO_COLOR").is_none() }
            }
        };
        let shared = Arc::new(Shared {
            level,
            queue: Queue::new(limits.log.queue_bytes_max),
            caps: Caps::new(&limits.log),
            value_bytes_max: limits.log.value_bytes_max,
            written: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        });
        let writer = Writer::new(shared.clone(), target, Format::new(style, instance));
        std::thread::Builder::new().name("log".into()).spawn(move || writer.run())?;
        Ok(Journal(shared))
    }
}

struct Shared {
    level: LogLevel,
    queue: Queue,
    caps: Caps,
    value_bytes_max: usize,
    written: AtomicU64,
    dropped: AtomicU64,
}

/// A log that runs. Cheap to clone; every clone is the same log.
#[derive(Clone)]
pub(crate) struct Journal(Arc<Shared>);

impl Journal {
    /// How long the end of an instance waits for whoever reads the log.
    pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

    /// Whether records of this level are written.
    pub(crate) fn shows(&self, level: LogLevel) -> bool {
        level <= self.0.level
    }

    /// Says something. Never waits.
    pub(crate) fn record(
        &self,
        level: LogLevel,
        event: &'static str,
        fields: Vec<(&'static str, Value)>,
    ) {
        if self.shows(level) && !self.0.queue.push(Record::new(level, event, fields)) {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What a shard's gateway tells facts to; `None` if none would be written.
    pub(crate) fn observer(&self) -> Option<Arc<dyn Observer>> {
        let observer = || Arc::new(ShardLog::new(self.clone())) as Arc<dyn Observer>;
        self.shows(LogLevel::Error).then(observer)
    }

    /// Ends the log: what was said before is written, if it can be within [`Self::PATIENCE`].
    pub(crate) fn finish(&self) {
        self.0.queue.close(Self::PATIENCE);
    }

    /// Lines written so far.
    pub(crate) fn written(&self) -> u64 {
        self.0.written.load(Ordering::Relaxed)
    }

    /// Lines lost so far: the queue was full, or the target did not take them.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Lines left out so far by the bound per second, by kind.
    pub(crate) fn left_out(&self) -> [(&'static str, u64); Class::ALL.len()] {
        Class::ALL.map(|class| (class.as_str(), self.0.caps.left_out(class)))
    }
}

#[cfg(test)]
mod tests;
