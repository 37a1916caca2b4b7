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

/// What a message weighs on its sender, shared by the frames that carry it to the clients of one
/// shard.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// Outboxes it waits in and that count for the sender.
    waiting: Cell<u32>,
    /// Outboxes it was ever put into and that counted.
    counted: Cell<u32>,
    /// At this many it weighs on the sender no more.
    enough: Cell<u32>,
    weight: RefCell<Option<Arc<Weight>>>,
}

impl Load {
    pub(crate) fn new() -> Rc<Self> {
        Rc::default()
    }

    pub(crate) fn count(&self) {
        self.waiting.set(self.waiting.get() + 1);
        self.counted.set(self.counted.get() + 1);
    }

    /// After the last outbox got it: it weighs on its sender while more than one receiver in
    /// `share` waits for it. Returns the weight back if no more do already.
    pub(crate) fn weigh(&self, weight: Arc<Weight>, share: u32) -> Option<Arc<Weight>> {
        self.enough.set(self.counted.get() / share);
        if self.waiting.get() == 0 || (share > 1 && self.waiting.get() <= self.enough.get()) {
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

/// How a client wants its packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Format {
    /// For the body of an HTTP response, not as frames of RFC 6455.
    pub(crate) polling: bool,
    /// As msgpack, not as text and attachments.
    pub(crate) msgpack: bool,
}

impl Format {
    const COUNT: usize = 4;

    fn index(self) -> usize {
        usize::from(self.polling) + 2 * usize::from(self.msgpack)
    }
}

/// One message in the formats that its receivers need.
#[derive(Debug, Default)]
pub(crate) struct Frames([Option<Rc<Frame>>; Format::COUNT]);

impl Frames {
    pub(crate) fn get(&self, format: Format) -> Option<&Rc<Frame>> {
        self.0[format.index()].as_ref()
    }

    pub(crate) fn set(&mut self, format: Format, frame: Rc<Frame>) {
        self.0[format.index()] = Some(frame);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Rc<Frame>> {
        self.0.iter().flatten()
    }
}

impl IntoIterator for Frames {
    type Item = Rc<Frame>;
    type IntoIter = std::iter::Flatten<std::array::IntoIter<Option<Rc<Frame>>, { Format::COUNT }>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().flatten()
    }
}

/// A packet and its attachments in one format, complete: they enter an outbox together or not at
/// all.
#[derive(Debug)]
pub struct Frame {
    bytes: Box<[u8]>,
    /// Engine.IO packets in it.
    pub(crate) packets: u16,
    /// Unique within the shard, so that equal queues can be recognised without comparing bytes.
    serial: u64,
    /// When it was encoded, in milliseconds of the shard's clock.
    pub(crate) born: u64,
    /// The beginning of the turn in which the message was read, in microseconds; 0 if it is none.
    caused_at: Cell<u64>,
    load: Rc<Load>,
}

impl Frame {
    pub(crate) fn new(
        bytes: Box<[u8]>,
        packets: u16,
        serial: u64,
        born: u64,
        load: Rc<Load>,
    ) -> Rc<Self> {
        Rc::new(Self { bytes, packets, serial, born, caused_at: Cell::new(0), load })
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

    pub(crate) fn caused_at(&self) -> u64 {
        self.caused_at.get()
    }

    pub(crate) fn set_caused_at(&self, micros: u64) {
        self.caused_at.set(micros);
    }

    pub(crate) fn load(&self) -> &Load {
        &self.load
    }
}

#[cfg(test)]
mod tests {
    use super::{Load, Weight, Window};
    use crate::slots::Slots;

    #[test]
    fn a_message_weighs_until_enough_receivers_have_it() {
        let window = Window::new(0, Slots::default().insert(()));
        let load = Load::new();
        for _ in 0..16 {
            load.count();
        }
        assert!(load.weigh(Weight::new(&window, 500, 1), 8).is_none());
        for taken in 1..14 {
            assert!(load.uncount().is_none(), "{taken}");
        }
        let weight = load.uncount().expect("two of sixteen wait: enough have it");
        assert_eq!(window.outstanding_bytes(), 500);
        window.hold();
        assert!(!window.release_if(400));
        assert!(weight.lift().is_some());
        assert!(window.release_if(400) && !window.release_if(400));
    }

    #[test]
    fn receivers_that_have_it_before_the_last_got_it_count() {
        let window = Window::new(0, Slots::default().insert(()));
        let load = Load::new();
        for _ in 0..16 {
            load.count();
        }
        for _ in 0..14 {
            assert!(load.uncount().is_none());
        }
        assert!(load.weigh(Weight::new(&window, 500, 1), 8).is_some(), "enough have it already");
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
