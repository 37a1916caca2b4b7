//! What other shards tell one shard, and how it is woken.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use relay_hub::Effect;
use tokio::sync::Notify;

/// A shard's mailbox. It holds effects only: those are always drained and cause no broadcast, and
/// each kind is bounded by what it answers (held senders, awaited acknowledgements).
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    effects: Mutex<VecDeque<Effect>>,
    notify: Notify,
}

impl Mailbox {
    pub(crate) fn push(&self, effect: Effect) {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner).push_back(effect);
        self.wake();
    }

    pub(crate) fn take(&self) -> VecDeque<Effect> {
        std::mem::take(&mut *self.effects.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn wake(&self) {
        self.notify.notify_one();
    }

    pub(crate) async fn woken(&self) {
        self.notify.notified().await;
    }
}
