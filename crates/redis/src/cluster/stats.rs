//! What came and went, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::classic::{Garbage, Refused};

/// Counters since the start.
#[derive(Debug, Default)]
pub struct ClusterStats {
    /// Broadcasts of others that were handed to a shard.
    pub broadcasts: AtomicU64,
    /// Requests of others, of every kind.
    pub requests: AtomicU64,
    /// Answers of others to questions of this instance.
    pub responses: AtomicU64,
    /// Messages of this instance that came back: Redis tells everybody.
    pub own: AtomicU64,
    /// Messages that concern nobody here: another namespace, rooms without members, the answer to
    /// somebody else.
    pub nobody: AtomicU64,
    /// Requests that the operator does not allow.
    pub forbidden: AtomicU64,
    /// Questions of this instance that were not asked because too many were under way.
    pub questions_refused: AtomicU64,
    garbage: [AtomicU64; GARBAGE.len()],
    refused: [AtomicU64; REFUSED.len()],
}

const GARBAGE: [Garbage; 8] = [
    Garbage::TooLarge,
    Garbage::Encoding,
    Garbage::TooDeep,
    Garbage::TooManyAttachments,
    Garbage::TooManyRooms,
    Garbage::IdTooLong,
    Garbage::Shape(""),
    Garbage::UnknownType,
];

const REFUSED: [Refused; 4] = [
    Refused::TooLarge,
    Refused::TooManyAttachments,
    Refused::PlaceholderInvalid,
    Refused::NotAnEvent,
];

impl ClusterStats {
    pub(super) fn garbage(&self, what: Garbage) {
        let at = GARBAGE.iter().position(|it| it.label() == what.label());
        count(&self.garbage[at.unwrap_or_default()]);
    }

    pub(super) fn refused(&self, why: Refused) {
        let at = REFUSED.iter().position(|it| *it == why);
        count(&self.refused[at.unwrap_or_default()]);
    }

    /// Messages of others that were none, by what was wrong with them.
    pub fn garbage_by_label(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let value = |it: &AtomicU64| it.load(Ordering::Relaxed);
        GARBAGE.iter().zip(&self.garbage).map(move |(it, count)| (it.label(), value(count)))
    }

    /// Messages of this instance that no other would take, by the reason.
    pub fn refused_by_label(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let value = |it: &AtomicU64| it.load(Ordering::Relaxed);
        REFUSED.iter().zip(&self.refused).map(move |(it, count)| (it.label(), value(count)))
    }
}

/// Adds one to a counter.
pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
