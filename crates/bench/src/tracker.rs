//! What one thread's receivers get during a run: the path of every delivery.
//!
//! Nothing here allocates per delivery (unless the sequence is recorded).

use crate::clock::Nanos;
use crate::latency::Latency;
use crate::ledger::{Counts, Window};
use crate::load::{Audience, Deaf, Run, Sequence};
use crate::payload::Finder;

/// A sender of a stream.
#[derive(Clone, Copy, Debug)]
struct Slot {
    stream: usize,
    sender: usize,
    audience: Audience,
    /// For an audience of many: the place among a receiver's windows.
    column: usize,
}

/// Accounts of the receivers of one thread.
#[derive(Debug)]
pub(crate) struct Tracker {
    from_base: u32,
    slots: Vec<Slot>,
    /// How many slots have an audience of many.
    columns: usize,
    /// `[receiver × columns + column]`, receivers in this thread's numbering.
    shared: Vec<Window>,
    /// Per slot, for messages to the sender itself.
    own: Vec<Window>,
    /// Per receiver, when asked for.
    sequences: Option<Vec<Vec<(u32, u32)>>>,
    pub(crate) latencies: Vec<Latency>,
    strays: Vec<u64>,
    finder: Finder,
    pub(crate) stale: u64,
    pub(crate) unstamped: u64,
    pub(crate) deliveries: u64,
    pub(crate) last_delivery: Nanos,
}

impl Tracker {
    /// Accounts for `receivers` clients.
    pub(crate) fn new(run: &Run, receivers: usize) -> Self {
        let mut slots = Vec::new();
        let mut columns = 0;
        for (stream, spec) in run.load.streams.iter().enumerate() {
            for &sender in &spec.senders {
                slots.push(Slot { stream, sender, audience: spec.audience, column: columns });
                columns += usize::from(spec.audience != Audience::Sender);
            }
        }
        let streams = run.load.streams.len();
        Self {
            from_base: run.from_base,
            columns,
            shared: vec![Window::default(); receivers * columns],
            own: vec![Window::default(); slots.len()],
            slots,
            sequences: run.load.record_order.then(|| vec![Vec::new(); receivers]),
            latencies: vec![Latency::new(); streams],
            strays: vec![0; streams],
            finder: Finder::default(),
            stale: 0,
            unstamped: 0,
            deliveries: 0,
            last_delivery: run.start,
        }
    }

    /// Books an event that came to a receiver: `local` in this thread's numbering, `client` in
    /// the common one.
    pub(crate) fn on_event(&mut self, local: usize, client: usize, message: &[u8], now: Nanos) {
        self.last_delivery = now;
        let Some(stamp) = self.finder.find(message) else {
            self.unstamped += 1;
            return;
        };
        let Some(index) = stamp.from.checked_sub(self.from_base) else {
            self.stale += 1;
            return;
        };
        let Some(slot) = usize::try_from(index).ok().and_then(|i| self.slots.get(i)).copied()
        else {
            self.unstamped += 1;
            return;
        };
        if !slot.audience.includes(slot.sender, client) {
            self.strays[slot.stream] += 1;
            return;
        }
        let window = match slot.audience {
            Audience::Sender => self.own.get_mut(index as usize),
            Audience::Everyone | Audience::Room { .. } => {
                self.shared.get_mut(local * self.columns + slot.column)
            }
        };
        let Some(window) = window else { return };
        window.record(stamp.seq);
        self.deliveries += 1;
        self.latencies[slot.stream].record(now.saturating_sub(stamp.at));
        if let Some(sequences) = &mut self.sequences {
            sequences[local].push((index, stamp.seq));
        }
    }

    /// Settles the accounts of the `receivers` that are still there and were listening: pairs of
    /// local and common number.
    pub(crate) fn settle(
        &self,
        receivers: impl Iterator<Item = (usize, usize)>,
        sent: &[u64],
    ) -> Vec<Counts> {
        let streams = self.latencies.len();
        let mut counts = vec![Counts::default(); streams];
        for (stream, strays) in self.strays.iter().enumerate() {
            counts[stream].stray = *strays;
        }
        for (local, client) in receivers {
            for (index, slot) in self.slots.iter().enumerate() {
                if !slot.audience.includes(slot.sender, client) {
                    continue;
                }
                let window = match slot.audience {
                    Audience::Sender => self.own[index],
                    Audience::Everyone | Audience::Room { .. } => {
                        self.shared[local * self.columns + slot.column]
                    }
                };
                window.settle(sent[index], &mut counts[slot.stream]);
            }
        }
        counts
    }

    /// How many deliveries `receivers` would get if nothing were lost.
    pub(crate) fn expected(
        &self,
        receivers: impl Iterator<Item = (usize, usize)>,
        sent: &[u64],
    ) -> u64 {
        self.settle(receivers, sent).iter().map(|counts| counts.expected).sum()
    }

    /// What each listening receiver saw, in order.
    pub(crate) fn take_sequences(
        &mut self,
        deaf: &Deaf,
        number: impl Fn(usize) -> usize,
    ) -> Vec<Sequence> {
        let sequences = self.sequences.take().unwrap_or_default().into_iter().enumerate();
        sequences
            .map(|(local, messages)| Sequence { client: number(local), messages })
            .filter(|sequence| !deaf.contains(sequence.client))
            .collect()
    }
}
