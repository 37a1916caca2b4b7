//! The process-wide budget of bytes that peers can make the process hold.
//!
//! Each shard counts for itself and publishes in coarse steps, so that the message path touches no
//! contended number; what is shared between shards (a broadcast in the order) is counted directly,
//! once a broadcast.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// What all shards hold together, in bytes.
#[derive(Debug)]
pub struct MemoryBudget {
    used: AtomicUsize,
    max: usize,
}

impl MemoryBudget {
    pub(crate) fn new(max: usize) -> Self {
        Self { used: AtomicUsize::new(0), max }
    }

    /// Bytes held now, exact to one step per shard.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// The bound.
    #[must_use]
    pub fn max(&self) -> usize {
        self.max
    }

    /// Above half of the budget senders are held back until nothing of theirs waits.
    #[must_use]
    pub fn is_high(&self) -> bool {
        self.used() > self.max / 2
    }

    pub(crate) fn excess(&self) -> usize {
        self.used().saturating_sub(self.max)
    }

    pub(crate) fn add(&self, bytes: usize) {
        self.used.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn sub(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Relaxed);
    }
}

/// What a shard holds for peers, by what it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Held {
    /// What applications see of the requests that sessions began with.
    Handshakes,
    /// Messages, bodies and attachments of which a part is missing.
    Partial,
    /// Encoded messages that wait for clients; each once, however many wait for it.
    Frames,
    /// Their places in the outboxes.
    Outboxes,
    /// Events that the application thinks about, and what was read behind them.
    Deferred,
    /// Answers to questions of which others are missing.
    Answers,
}

impl Held {
    /// All of them, each at its index.
    pub const ALL: [Self; 6] = [
        Self::Handshakes,
        Self::Partial,
        Self::Frames,
        Self::Outboxes,
        Self::Deferred,
        Self::Answers,
    ];

    /// A word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handshakes => "handshakes",
            Self::Partial => "partial",
            Self::Frames => "frames",
            Self::Outboxes => "outboxes",
            Self::Deferred => "deferred",
            Self::Answers => "answers",
        }
    }
}

/// One shard's share.
#[derive(Debug)]
pub(crate) struct LocalMemory {
    budget: Arc<MemoryBudget>,
    used: usize,
    by_kind: [usize; Held::ALL.len()],
    published: usize,
    step: usize,
}

impl LocalMemory {
    pub(crate) fn new(budget: Arc<MemoryBudget>, step: usize) -> Self {
        Self { budget, used: 0, by_kind: Default::default(), published: 0, step }
    }

    pub(crate) fn used(&self) -> usize {
        self.used
    }

    pub(crate) fn by_kind(&self) -> [usize; Held::ALL.len()] {
        self.by_kind
    }

    pub(crate) fn add(&mut self, held: Held, bytes: usize) {
        self.by_kind[held as usize] += bytes;
        self.used += bytes;
        if self.used - self.published.min(self.used) >= self.step {
            self.publish();
        }
    }

    pub(crate) fn sub(&mut self, held: Held, bytes: usize) {
        let of_kind = &mut self.by_kind[held as usize];
        *of_kind = of_kind.saturating_sub(bytes);
        self.used = self.used.saturating_sub(bytes);
        if self.published - self.used.min(self.published) >= self.step {
            self.publish();
        }
    }

    pub(crate) fn publish(&mut self) {
        if self.used >= self.published {
            self.budget.add(self.used - self.published);
        } else {
            self.budget.sub(self.published - self.used);
        }
        self.published = self.used;
    }
}

impl Drop for LocalMemory {
    fn drop(&mut self) {
        self.budget.sub(self.published);
    }
}

#[cfg(test)]
mod tests {
    use super::{Held, LocalMemory, MemoryBudget};
    use std::sync::Arc;

    #[test]
    fn a_share_is_published_in_steps_and_given_back() {
        let budget = Arc::new(MemoryBudget::new(1_000));
        let mut local = LocalMemory::new(budget.clone(), 100);
        local.add(Held::Frames, 99);
        assert_eq!(budget.used(), 0);
        local.add(Held::Outboxes, 1);
        assert_eq!(budget.used(), 100);
        local.add(Held::Frames, 500);
        assert!(budget.is_high());
        local.sub(Held::Frames, 550);
        assert_eq!(budget.used(), 50);
        assert_eq!(local.by_kind(), [0, 0, 49, 1, 0, 0]);
        drop(local);
        assert_eq!(budget.used(), 0);
    }
}
