//! From facts to records, on the shards.

use std::sync::Arc;

use relay_gateway::{Fact, Observer, Part};
use relay_hub::EndReason;

use super::caps::{Class, Local, second};
use super::{Journal, LogLevel, Value};

/// The log as one shard sees it.
pub(super) struct ShardLog {
    journal: Journal,
    local: Arc<Local>,
}

impl ShardLog {
    pub(super) fn new(journal: Journal) -> Self {
        Self { local: journal.0.caps.local(), journal }
    }
}

impl Observer for ShardLog {
    fn observe(&self, fact: &Fact<'_>) {
        let (level, class) = rank(fact);
        let shared = &self.journal.0;
        if !self.journal.shows(level)
            || class.is_some_and(|class| !shared.caps.admit(&self.local, class, second()))
        {
            return;
        }
        let mut fields = Vec::with_capacity(8);
        fact.parts(&mut |name, part| {
            let value = match part {
                Part::Word(word) => Value::Word(word),
                Part::Number(number) => Value::Number(number),
                Part::Text(text) => Value::capped(&text, shared.value_bytes_max),
            };
            fields.push((name, value));
        });
        self.journal.record(level, fact.name(), fields);
    }
}

/// How much a fact matters, and which bound holds for it.
fn rank(fact: &Fact<'_>) -> (LogLevel, Option<Class>) {
    match fact {
        Fact::Message { .. } => (LogLevel::Info, Some(Class::Messages)),
        Fact::Identified { .. } => (LogLevel::Info, Some(Class::Identifications)),
        Fact::Refused { .. } | Fact::ConnectRefused { .. } => {
            (LogLevel::Warn, Some(Class::Refusals))
        }
        Fact::HandshakeRefused { .. } => (LogLevel::Warn, Some(Class::Handshakes)),
        Fact::Disconnected { reason, .. } => went(*reason),
        Fact::NeverJoined(it) => went(it.reason),
        // Clients come as often as they like. So do facts that nobody has thought of yet.
        _ => (LogLevel::Info, Some(Class::Sessions)),
    }
}

/// Ends that clients bring about at will have a bound; what an operator must know has none.
fn went(reason: EndReason) -> (LogLevel, Option<Class>) {
    let level = end(reason);
    (level, (level == LogLevel::Info).then_some(Class::Sessions))
}

/// Our bugs, and the program's, are errors; who ended for want of room is a warning.
fn end(reason: EndReason) -> LogLevel {
    match reason {
        EndReason::HandlerPanic => LogLevel::Error,
        EndReason::SlowConsumer | EndReason::MemoryBudget => LogLevel::Warn,
        EndReason::ClientNamespaceDisconnect
        | EndReason::ServerNamespaceDisconnect
        | EndReason::ForcedServerClose
        | EndReason::ServerShuttingDown
        | EndReason::TransportClose
        | EndReason::TransportError
        | EndReason::PingTimeout
        | EndReason::ParseError
        | EndReason::ProtocolError
        | EndReason::WebSocketProtocol
        | EndReason::InvalidUtf8
        | EndReason::PayloadTooLarge
        | EndReason::ConnectTimeout
        | EndReason::AttachmentsTimeout => LogLevel::Info,
    }
}
