//! What waits to be published: a queue with a bound in bytes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

/// Something that can be published.
pub trait Message: Send + 'static {
    /// What it costs in the queue, in bytes.
    fn bytes(&self) -> usize;
}

/// Who writes messages when their turn comes, not where they are queued.
pub trait Encoder<M>: Send + 'static {
    /// Gives the channel and the contents of a message to `publish`; nothing if it cannot be
    /// written.
    fn encode(&mut self, message: M, publish: &mut dyn FnMut(&[u8], &[u8]));
}

/// Who hears how many subscribers there are. Dropped without a word if Redis does not tell.
pub type OnSubscribers = Box<dyn FnOnce(u64) + Send>;

/// What is sent to Redis.
pub(super) enum Outgoing<M> {
    /// A message.
    Publish(M),
    /// A message whose bytes are known: the link's own.
    Probe {
        /// Where.
        channel: Box<str>,
        /// What.
        payload: Vec<u8>,
    },
    /// A question for the number of subscribers of a channel.
    Subscribers {
        /// Which.
        channel: Box<str>,
        /// Who asks.
        answer: OnSubscribers,
    },
}

impl<M: Message> Outgoing<M> {
    fn bytes(&self) -> usize {
        match self {
            Self::Publish(message) => message.bytes(),
            Self::Probe { channel, payload } => channel.len() + payload.len(),
            Self::Subscribers { channel, .. } => channel.len(),
        }
    }
}

/// Why a message is not published.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dropped {
    /// Redis is away.
    Away,
    /// The queue is full: Redis is slower than what it is given.
    Full,
}

/// What one entry costs beyond its bytes.
const ENTRY_BYTES: usize = 64;

pub(super) struct Entry<M> {
    pub(super) outgoing: Outgoing<M>,
    pub(super) queued_at: Instant,
}

struct Waiting<M> {
    entries: VecDeque<Entry<M>>,
    bytes: usize,
    is_open: bool,
}

/// The queue. It takes nothing while it is not open.
pub(super) struct Queue<M> {
    waiting: Mutex<Waiting<M>>,
    bytes_max: usize,
    wake: Notify,
}

impl<M> Queue<M> {
    pub(super) fn new(bytes_max: usize) -> Self {
        let waiting = Waiting { entries: VecDeque::new(), bytes: 0, is_open: false };
        Self { waiting: Mutex::new(waiting), bytes_max, wake: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<M>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// From now on entries are taken.
    pub(super) fn open(&self) {
        self.lock().is_open = true;
    }

    /// Takes nothing more, and forgets what waits: that many entries.
    pub(super) fn shut(&self) -> usize {
        let mut waiting = self.lock();
        waiting.is_open = false;
        waiting.bytes = 0;
        std::mem::take(&mut waiting.entries).len()
    }

    /// Completes when something may have been queued.
    pub(super) async fn changed(&self) {
        self.wake.notified().await;
    }
}

impl<M: Message> Queue<M> {
    pub(super) fn push(&self, outgoing: Outgoing<M>) -> Result<(), Dropped> {
        let bytes = outgoing.bytes() + ENTRY_BYTES;
        let queued_at = Instant::now();
        let mut waiting = self.lock();
        if !waiting.is_open {
            return Err(Dropped::Away);
        }
        if waiting.bytes + bytes > self.bytes_max {
            return Err(Dropped::Full);
        }
        waiting.bytes += bytes;
        let was_empty = waiting.entries.is_empty();
        waiting.entries.push_back(Entry { outgoing, queued_at });
        drop(waiting);
        if was_empty {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Takes entries of `bytes_max` bytes out, at least one if there is any.
    pub(super) fn take(&self, bytes_max: usize) -> Vec<Entry<M>> {
        let mut waiting = self.lock();
        let (mut count, mut bytes) = (0, 0);
        for entry in &waiting.entries {
            let more = entry.outgoing.bytes() + ENTRY_BYTES;
            if count > 0 && bytes + more > bytes_max {
                break;
            }
            (count, bytes) = (count + 1, bytes + more);
        }
        waiting.bytes -= bytes;
        waiting.entries.drain(..count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Text(&'static str);

    impl Message for Text {
        fn bytes(&self) -> usize {
            self.0.len()
        }
    }

    #[test]
    fn a_full_queue_drops_what_comes_last() {
        let queue = Queue::new(3 * (ENTRY_BYTES + 4));
        let push = |text| queue.push(Outgoing::Publish(Text(text)));
        assert_eq!(push("aaaa"), Err(Dropped::Away));
        queue.open();
        assert_eq!([push("aaaa"), push("bbbb"), push("cccc")], [Ok(()); 3]);
        assert_eq!(push("dddd"), Err(Dropped::Full));
        assert_eq!(queue.take(2 * (ENTRY_BYTES + 4)).len(), 2);
        assert_eq!(push("eeee"), Ok(()));
        assert_eq!(queue.take(1).len(), 1, "at least one");
        assert_eq!(queue.shut(), 1);
        assert_eq!((queue.bytes(), push("ffff")), (0, Err(Dropped::Away)));
    }
}
