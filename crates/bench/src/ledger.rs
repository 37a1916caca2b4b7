//! Bookkeeping of one sender's messages at one receiver: what was lost, what came twice, what
//! came late.
//!
//! A sender numbers its messages from 0. The receiver keeps 24 bytes per sender, whatever the
//! number of messages: the next number it expects and a bitmap of the 64 numbers before it.

/// What one arrival was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The expected one, or one that jumped over others which may still come.
    InOrder,
    /// One that had been jumped over: it is here, but too late.
    OutOfOrder,
    /// One that had been here before (or lies so far back that it cannot be told).
    Duplicate,
}

/// How many numbers before the expected one are remembered one by one.
const WINDOW: u32 = 64;

/// The arrivals of one sender at one receiver.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    /// The number after the highest that came.
    next: u32,
    /// Bit `i` is set when number `next - 1 - i` came.
    came: u64,
    /// Different numbers that came.
    unique: u32,
    duplicated: u32,
    out_of_order: u32,
}

impl Window {
    /// Records the arrival of message number `seq`.
    pub fn record(&mut self, seq: u32) -> Arrival {
        if seq >= self.next {
            let ahead = seq - self.next + 1;
            self.came = self.came.checked_shl(ahead).unwrap_or(0) | 1;
            self.next = seq.saturating_add(1);
            self.unique += 1;
            return Arrival::InOrder;
        }
        let back = self.next - 1 - seq;
        let bit = if back < WINDOW { 1_u64 << back } else { 0 };
        if bit == 0 || self.came & bit != 0 {
            self.duplicated += 1;
            return Arrival::Duplicate;
        }
        self.came |= bit;
        self.unique += 1;
        self.out_of_order += 1;
        Arrival::OutOfOrder
    }

    /// Adds this receiver's figures to `counts`, given how many messages the sender sent.
    pub fn settle(&self, sent: u64, counts: &mut Counts) {
        counts.expected += sent;
        counts.received += u64::from(self.unique);
        counts.lost += sent.saturating_sub(u64::from(self.unique));
        counts.duplicated += u64::from(self.duplicated);
        counts.out_of_order += u64::from(self.out_of_order);
    }
}

/// Deliveries of a stream, over all its receivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages sent, each times the receivers it was meant for.
    pub expected: u64,
    /// Of these, the ones that came.
    pub received: u64,
    /// Of these, the ones that did not.
    pub lost: u64,
    /// Second and further copies.
    pub duplicated: u64,
    /// Deliveries that came after a later message of the same sender.
    pub out_of_order: u64,
    /// Deliveries to a receiver for which they were not meant.
    pub stray: u64,
}

impl Counts {
    /// Adds another thread's figures.
    pub fn merge(&mut self, other: &Self) {
        self.expected += other.expected;
        self.received += other.received;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.out_of_order += other.out_of_order;
        self.stray += other.stray;
    }

    /// Whether every message came once, in order, and to nobody else.
    #[must_use]
    pub fn is_faultless(&self) -> bool {
        self.lost == 0 && self.duplicated == 0 && self.out_of_order == 0 && self.stray == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn check(arrivals: &[u32], sent: u64, expected: Counts) {
        let mut window = Window::default();
        for &seq in arrivals {
            window.record(seq);
        }
        let mut counts = Counts::default();
        window.settle(sent, &mut counts);
        assert_eq!(counts, expected, "{arrivals:?} of {sent}");
    }

    fn counts(expected: u64, received: u64, duplicated: u64, out_of_order: u64) -> Counts {
        let lost = expected - received;
        Counts { expected, received, lost, duplicated, out_of_order, stray: 0 }
    }

    #[test]
    fn cases() {
        check(&[], 0, counts(0, 0, 0, 0));
        check(&[0, 1, 2], 3, counts(3, 3, 0, 0));
        check(&[0, 2], 3, counts(3, 2, 0, 0));
        check(&[0, 1], 3, counts(3, 2, 0, 0));
        check(&[1, 2], 3, counts(3, 2, 0, 0));
        check(&[0, 2, 1], 3, counts(3, 3, 0, 1));
        check(&[0, 1, 1, 2], 3, counts(3, 3, 1, 0));
        check(&[0, 2, 1, 1], 3, counts(3, 3, 1, 1));
        check(&[64, 0], 65, counts(65, 1, 1, 0));
        check(&[63, 0], 64, counts(64, 2, 0, 1));
        check(&[200, 200], 201, counts(201, 1, 1, 0));
        check(&[5, 4, 3, 2, 1, 0], 6, counts(6, 6, 0, 5));
    }

    proptest! {
        /// Within the window the bitmap is exact.
        #[test]
        fn agrees_with_a_naive_model(arrivals in prop::collection::vec(0_u32..60, 0..200)) {
            let mut seen = BTreeSet::new();
            let mut window = Window::default();
            for &seq in &arrivals {
                let expected = if seen.contains(&seq) {
                    Arrival::Duplicate
                } else if seen.last().is_some_and(|&last| seq < last) {
                    Arrival::OutOfOrder
                } else {
                    Arrival::InOrder
                };
                seen.insert(seq);
                prop_assert_eq!(window.record(seq), expected);
            }
        }
    }
}
