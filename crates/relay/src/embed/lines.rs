//! What an instance says of itself in its log.

use super::Relay;
use super::relay::Inner;
use crate::log::{Journal, LogLevel, Value};

/// The name and the value of a part of a line.
type Field = (&'static str, Value);

impl Relay {
    /// Writes a line into the instance's log, beside its own; nothing happens if it has none. Never
    /// waits. `event` says what happened in one word; time, level and instance are added. Texts
    /// longer than [`value_bytes_max`](crate::LogLimits::value_bytes_max) are cut.
    pub fn log(&self, level: LogLevel, event: &'static str, fields: &[(&'static str, &str)]) {
        if let Some(journal) = &self.inner.sources.journal {
            let bytes_max = self.limits().log.value_bytes_max;
            let capped = |text: &str| Value::capped(text.as_bytes(), bytes_max);
            let fields = fields.iter().map(|(name, text)| (*name, capped(text))).collect();
            journal.record(level, event, fields);
        }
    }

    /// It listens.
    pub(super) fn tell_ready(&self) {
        let fields = || {
            let mut fields = vec![
                ("version", Value::Word(env!("CARGO_PKG_VERSION"))),
                ("pid", u64::from(std::process::id()).into()),
                ("address", shown(&self.local_addr())),
                ("shards", number(self.shards())),
                ("connectionsMax", number(self.connections_max())),
                ("memoryBytesMax", number(self.limits().memory_bytes_max)),
            ];
            fields.extend(self.admin_addr().map(|it| ("adminAddress", shown(&it))));
            fields
        };
        self.inner.say("ready", fields);
    }
}

impl Inner {
    /// It begins to end.
    pub(super) fn tell_drain(&self) {
        self.say("drain", || {
            vec![
                ("connections", self.sources.connections().into()),
                ("delayMs", millis(self.drain.delay)),
                ("windowMs", millis(self.drain.window)),
                ("deadlineMs", millis(self.drain.deadline)),
            ]
        });
    }

    /// It has ended; nothing more is said.
    pub(super) fn tell_stop(&self) {
        self.say("stop", || vec![("uptimeMs", millis(self.sources.started.elapsed()))]);
        self.sources.journal.iter().for_each(Journal::finish);
    }

    fn say(&self, event: &'static str, fields: impl FnOnce() -> Vec<Field>) {
        if let Some(journal) = self.sources.journal.as_ref().filter(|it| it.shows(LogLevel::Info)) {
            journal.record(LogLevel::Info, event, fields());
        }
    }
}

fn shown(it: &impl ToString) -> Value {
    Value::Text(it.to_string().into())
}

fn number(it: usize) -> Value {
    Value::Number(it as u64)
}

fn millis(it: std::time::Duration) -> Value {
    Value::Number(u64::try_from(it.as_millis()).unwrap_or(u64::MAX))
}
