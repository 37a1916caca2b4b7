//! Bytes on their way to clients: encoded once per shard, shared by every outbox they wait in.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use crate::slots::Key;

/// What a connection has caused and its receivers have not taken: its hold on the instance.
///
/// Shared between shards, since receivers live on all of them; the owner decides from it whether
/// the connection is read.
#[derive(Debug)]
pub(crate) struct Window {
    outstanding_bytes: AtomicUsize,
    /// The connection is not read until the window has shrunk.
    held: AtomicBool,
    pub(crate) shard: usize,
    pub(crate) connection: Key,
}

impl Window {
    pub(crate) fn new(shard: usize, connection: Key) -> Arc<Self> {
        Arc::new(Self {
            outstanding_bytes: AtomicUsize::new(0),
            held: AtomicBool::new(false),
            shard,
            connection,
        })
    }

    pub(crate) fn outstanding_bytes(&self) -> usize {
        self.outstanding_bytes.load(Ordering::SeqCst)
    }

    pub(crate) fn hold(&self) {
        self.held.store(true, Ordering::SeqCst);
    }

    /// Takes the hold back; `true` for the one caller that did.
    pub(crate) fn release_if(&self, outstanding_bytes_max: usize) -> bool {
        self.held.load(Ordering::SeqCst)
            && self.outstanding_bytes() <= outstanding_bytes_max
            && self.held.swap(false, Ordering::SeqCst)
    }
}

/// One message's weight on its sender's window, given back when the last shard that has
/// receivers of it has brought it to enough of them.
#[derive(Debug)]
pub(crate) struct Weight {
    window: Arc<Window>,
    bytes: usize,
    shards_left: AtomicU32,
}

impl Weight {
    pub(crate) fn new(window: &Arc<Window>, bytes: usize, shards: u32) -> Arc<Self> {
        window.outstanding_bytes.fetch_add(bytes, Ordering::SeqCst);
        Arc::new(Self { window: window.clone(), bytes, shards_left: AtomicU32::new(shards) })
    }

    /// One shard is through. Returns the window when it was the last.
    pub(crate) fn lift(&self) -> Option<&Arc<Window>> {
        if self.shards_left.fetch_sub(1, Ordering::SeqCst) != 1 {
            return None;
        }
        self.window.outstanding_bytes.fetch_sub(self.bytes, Ordering::SeqCst);
        Some(&self.window)
    }
}

/// A packet and its attachments as the frames of one transport, complete: they enter an outbox
/// together or not at all.
#[derive(Debug)]
pub struct Frame {
    bytes: Box<[u8]>,
    /// Unique within the shard, so that equal queues can be recognised without comparing bytes.
    serial: u64,
    /// When it was encoded, in milliseconds of the shard's clock.
    pub(crate) born: u64,
    /// Outboxes it waits in and that count for the sender.
    waiting: Cell<u32>,
    /// At this many it weighs on the sender no more.
    enough: Cell<u32>,
    weight: RefCell<Option<Arc<Weight>>>,
}

impl Frame {
    pub(crate) fn new(bytes: Box<[u8]>, serial: u64, born: u64) -> Rc<Self> {
        Rc::new(Self {
            bytes,
            serial,
            born,
            waiting: Cell::new(0),
            enough: Cell::new(0),
            weight: RefCell::new(None),
        })
    }

    /// The bytes for the wire.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// A number that no other frame of the shard has.
    #[must_use]
    pub fn serial(&self) -> u64 {
        self.serial
    }

    pub(crate) fn count(&self) {
        self.waiting.set(self.waiting.get() + 1);
    }

    /// After the last outbox got it: it weighs on its sender while more than one receiver in
    /// `share` waits for it. Returns the weight back if nobody does.
    pub(crate) fn weigh(&self, weight: Arc<Weight>, share: u32) -> Option<Arc<Weight>> {
        self.enough.set(self.waiting.get() / share);
        if self.waiting.get() == 0 {
            return Some(weight);
        }
        *self.weight.borrow_mut() = Some(weight);
        None
    }

    /// One outbox is rid of it. Returns the weight when enough are.
    pub(crate) fn uncount(&self) -> Option<Arc<Weight>> {
        let waiting = self.waiting.get().saturating_sub(1);
        self.waiting.set(waiting);
        if waiting <= self.enough.get() { self.weight.borrow_mut().take() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::{Frame, Weight, Window};
    use crate::slots::Slots;

    #[test]
    fn a_frame_weighs_until_enough_receivers_have_it() {
        let window = Window::new(0, Slots::default().insert(()));
        let frame = Frame::new(Box::from(*b"x"), 0, 0);
        for _ in 0..16 {
            frame.count();
        }
        assert!(frame.weigh(Weight::new(&window, 500, 1), 8).is_none());
        for taken in 1..14 {
            assert!(frame.uncount().is_none(), "{taken}");
        }
        let weight = frame.uncount().expect("two of sixteen wait: enough have it");
        assert_eq!(window.outstanding_bytes(), 500);
        window.hold();
        assert!(!window.release_if(400));
        assert!(weight.lift().is_some());
        assert!(window.release_if(400) && !window.release_if(400));
    }

    #[test]
    fn a_weight_is_lifted_by_the_last_shard() {
        let window = Window::new(0, Slots::default().insert(()));
        let weight = Weight::new(&window, 500, 2);
        assert!(weight.lift().is_none());
        assert!(weight.lift().is_some());
        assert_eq!(window.outstanding_bytes(), 0);
    }
}
