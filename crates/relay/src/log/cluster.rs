//! How it stands with the other instances, as lines.

use relay_redis::link::Turn;

use super::{Journal, LogLevel, Value};

impl Journal {
    /// Redis went, or came.
    pub(crate) fn record_turn(&self, turn: &Turn) {
        match turn {
            Turn::Down { error } => {
                let reason = Value::capped(error.as_bytes(), self.0.value_bytes_max);
                self.record(LogLevel::Warn, "redis_down", vec![("reason", reason)]);
            }
            Turn::Up { outages, away, dropped } => {
                let away_ms = u64::try_from(away.as_millis()).unwrap_or(u64::MAX);
                let fields = vec![
                    ("outages", Value::Number(*outages)),
                    ("awayMs", Value::Number(away_ms)),
                    ("dropped", Value::Number(*dropped)),
                ];
                self.record(LogLevel::Info, "redis_up", fields);
            }
        }
    }
}
