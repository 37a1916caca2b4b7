//! What comes from other instances, on its way to the shards.
//!
//! Owns the bound on what waits for a shard: whoever brings more waits, and holds back what it
//! reads from. Does not own which shard gets what: that is the order's business, and whoever
//! brings it says so.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use relay_hub::{Audience, Expected, Remote};
use tokio::sync::Semaphore;

use crate::Shared;
use crate::handle::Busy;

/// Something that waits, its weight, and what it is expected to do.
type Waiting = (Remote, u32, Option<Expected>);

/// What waits for one shard.
pub(crate) struct Inbox {
    waiting: Mutex<VecDeque<Waiting>>,
    /// Bytes that may still come.
    room: Semaphore,
    bytes_max: u32,
}

impl Inbox {
    pub(crate) fn new(bytes_max: usize) -> Self {
        let bytes_max = u32::try_from(bytes_max).unwrap_or(u32::MAX).max(1);
        let room = Semaphore::new(bytes_max as usize);
        Self { waiting: Mutex::default(), room, bytes_max }
    }

    /// The bytes that something takes of the room; the largest takes all.
    fn weight(&self, remote: &Remote) -> u32 {
        u32::try_from(remote.bytes()).unwrap_or(u32::MAX).min(self.bytes_max)
    }

    fn push(&self, waiting: Waiting) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(waiting);
    }

    /// The next one. What it is expected to do is expected until it is done.
    pub(crate) fn take(&self) -> Option<(Remote, Option<Expected>)> {
        let taken = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let (remote, weight, expected) = taken?;
        self.room.add_permits(weight as usize);
        Some((remote, expected))
    }

    /// Nobody takes anything out any more: whoever waits for room waits no longer.
    pub(crate) fn close(&self) {
        self.room.close();
    }

    /// Bytes that wait, by what they take of the room.
    pub(crate) fn held_bytes(&self) -> u64 {
        u64::from(self.bytes_max).saturating_sub(self.room.available_permits() as u64)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// The way from other instances to the shards of a running server. Cheap to clone.
#[derive(Clone)]
pub struct Remotes {
    pub(crate) shared: Arc<Shared>,
}

impl std::fmt::Debug for Remotes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remotes").finish_non_exhaustive()
    }
}

impl Remotes {
    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.shared.inboxes.len()
    }

    /// Whether an audience may have somebody here, when everything is carried out that was handed to
    /// a shard before.
    #[must_use]
    pub fn have(&self, namespace: &str, audience: &Audience) -> bool {
        !self.shared.instance.shards_of(namespace, audience).is_empty()
    }

    /// Hands something to a shard, as soon as it has room: first come, first served. A shard that
    /// does not exist, or has ended, takes nothing.
    pub async fn send(&self, shard: usize, remote: Remote) {
        self.put(shard, remote).await;
        self.wake(shard);
    }

    /// The same for those who have more to hand over at once: the shard may sleep on until it is
    /// [woken](Self::wake).
    pub async fn put(&self, shard: usize, remote: Remote) {
        let Some(inbox) = self.shared.inboxes.get(shard) else { return };
        let weight = inbox.weight(&remote);
        let permit = match inbox.room.try_acquire_many(weight) {
            Ok(permit) => Ok(permit),
            Err(_) => {
                // It makes room only when it is awake.
                self.wake(shard);
                inbox.room.acquire_many(weight).await
            }
        };
        if let Ok(permit) = permit {
            permit.forget();
            let expected = self.shared.instance.expect(&remote);
            inbox.push((remote, weight, expected));
        }
    }

    /// Wakes a shard that something was put for.
    pub fn wake(&self, shard: usize) {
        if let Some(mailbox) = self.shared.mailboxes.get(shard) {
            mailbox.wake();
        }
    }

    /// The same for those who cannot wait.
    ///
    /// # Errors
    /// [`Busy`]: the shard has no room for it now, or has ended. It is counted.
    pub fn try_send(&self, shard: usize, remote: Remote) -> Result<(), Busy> {
        let Some(inbox) = self.shared.inboxes.get(shard) else { return Ok(()) };
        let weight = inbox.weight(&remote);
        let Ok(permit) = inbox.room.try_acquire_many(weight) else {
            self.shared.stats.remotes_refused.fetch_add(1, Ordering::Relaxed);
            return Err(Busy);
        };
        permit.forget();
        let expected = self.shared.instance.expect(&remote);
        inbox.push((remote, weight, expected));
        self.shared.mailboxes[shard].wake();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use relay_hub::{Remote, Response};

    use super::Inbox;

    fn answer(bytes: usize) -> Remote {
        Remote::Response {
            request: 1,
            response: Response::ServerSide(Some(vec![b'1'; bytes].into())),
        }
    }

    #[test]
    fn what_waits_is_bounded_and_the_largest_fits_alone() {
        let inbox = Inbox::new(10_000);
        let put = |remote: Remote| {
            let weight = inbox.weight(&remote);
            let taken =
                inbox.room.try_acquire_many(weight).map(tokio::sync::SemaphorePermit::forget);
            if taken.is_ok() {
                inbox.push((remote, weight, None));
            }
            taken.is_ok()
        };
        assert!(put(answer(1_000_000)), "it is larger than the bound");
        assert!(!put(answer(1)), "there is no room");
        assert!(inbox.take().is_some() && inbox.is_empty());
        let fit = (0..100).filter(|_| put(answer(1_000))).count();
        assert!((5..10).contains(&fit), "{fit} of a thousand bytes and their frames");
    }
}
