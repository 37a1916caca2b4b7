//! What waits for one client, in order: shared frames and how much of the first is written.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::frame::Frame;

/// A queue of frames, bounded in bytes by its owner. Holds no heap while empty.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Inline, since most outboxes never hold more than one frame at a time.
    first: Option<Rc<Frame>>,
    rest: VecDeque<Rc<Frame>>,
    bytes: usize,
    /// Bytes of the first frame that are written.
    written: usize,
    /// Frames at the front that no longer count for their senders.
    uncounted: usize,
}

impl crate::Stats {
    /// A client takes some of this.
    pub(crate) fn waited(&self, outbox: &Outbox, now: u64) {
        if let Some(frame) = outbox.frames().next() {
            self.waits.waited(now.saturating_sub(frame.born));
        }
    }
}

impl Outbox {
    /// Bytes that wait, without bookkeeping.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What it counts as against its bound: its bytes and what each entry costs beyond them.
    pub(crate) fn weight(&self, entry_bytes: usize) -> usize {
        self.bytes + self.len() * entry_bytes
    }

    /// Frames that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The frames in order. Of the first, [`Self::written`] bytes are already on the wire.
    pub fn frames(&self) -> impl Iterator<Item = &Rc<Frame>> {
        self.first.iter().chain(self.rest.iter())
    }

    /// Bytes of the first frame that need no writing.
    #[must_use]
    pub fn written(&self) -> usize {
        self.written
    }

    pub(crate) fn push(&mut self, frame: Rc<Frame>, counts: bool) {
        self.bytes += frame.bytes().len();
        if counts {
            frame.load().count();
        } else {
            // Uncounted frames are a prefix: a stalled receiver's queue is uncounted as a whole.
            self.uncounted = self.len() + 1;
        }
        if self.first.is_none() {
            self.first = Some(frame);
        } else {
            self.rest.push_back(frame);
        }
    }

    /// Takes `n` written bytes off the front; each frame that is through goes to `through`, with
    /// whether it still counted for its sender.
    pub(crate) fn advance(&mut self, mut n: usize, mut through: impl FnMut(Rc<Frame>, bool)) {
        while let Some(first) = &self.first {
            let left = first.bytes().len() - self.written;
            if n < left {
                self.written += n;
                self.bytes -= n;
                return;
            }
            n -= left;
            self.bytes -= left;
            self.written = 0;
            let counted = self.uncounted == 0;
            self.uncounted = self.uncounted.saturating_sub(1);
            if let Some(frame) = self.first.take() {
                through(frame, counted);
            }
            self.first = self.rest.pop_front();
        }
        if self.rest.capacity() > 0 {
            self.rest = VecDeque::new();
        }
    }

    /// The receiver takes nothing: its frames count for no sender from now on. Each frame that
    /// counted until now is handed over.
    pub(crate) fn uncount(&mut self, mut uncounted: impl FnMut(&Rc<Frame>)) {
        for frame in self.first.iter().chain(self.rest.iter()).skip(self.uncounted) {
            uncounted(frame);
        }
        self.uncounted = self.len();
    }

    /// Empties the queue, as if all had been written.
    pub(crate) fn clear(&mut self, through: impl FnMut(Rc<Frame>, bool)) {
        self.advance(self.bytes, through);
    }
}

#[cfg(test)]
mod tests {
    use super::Outbox;
    use crate::frame::{Frame, Load};

    fn frame(text: &str) -> std::rc::Rc<Frame> {
        Frame::new(text.as_bytes().into(), 1, 0, 0, Load::new())
    }

    #[test]
    fn bytes_leave_in_order_and_partly() {
        let mut outbox = Outbox::default();
        for text in ["abc", "de", "f"] {
            outbox.push(frame(text), true);
        }
        assert_eq!((outbox.bytes(), outbox.len()), (6, 3));
        let mut through = Vec::new();
        outbox.advance(4, |frame, counted| {
            assert!(counted);
            through.push(frame);
        });
        assert_eq!(through.len(), 1);
        assert_eq!((outbox.bytes(), outbox.written(), outbox.len()), (2, 1, 2));
        outbox.clear(|_, _| {});
        assert!(outbox.is_empty());
        assert_eq!(outbox.written(), 0);
    }

    #[test]
    fn a_stalled_receiver_is_uncounted_once() {
        let mut outbox = Outbox::default();
        outbox.push(frame("a"), true);
        outbox.push(frame("b"), true);
        let mut uncounted = 0;
        outbox.uncount(|_| uncounted += 1);
        outbox.push(frame("c"), false);
        outbox.uncount(|_| uncounted += 1);
        assert_eq!(uncounted, 2);
        outbox.push(frame("d"), true);
        let mut counted = Vec::new();
        outbox.clear(|_, counts| counted.push(counts));
        assert_eq!(counted, [false, false, false, true]);
    }
}
