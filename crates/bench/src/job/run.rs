//! A run: sending a load on its schedule, then waiting for what is still on its way.

use crate::clock::{Nanos, SECOND, nanos};
use crate::fleet::{Fleet, Job};
use crate::link::PENDING_BYTES_MAX;
use crate::load::{Closure, Deaf, Outcome, Run, StreamOutcome};
use crate::os;
use crate::pacer::{Due, Pace, Pacer};
use crate::payload::{Stamp, Template, compose};
use crate::tracker::Tracker;
use crate::transport::Share;
use std::sync::atomic::Ordering::{Acquire, Release};

/// Messages sent before the clients are looked after again, when many are owed.
const SENDS_MAX: usize = 64;

/// What a sender at full speed puts together for one write.
const FLOOD_WRITE_BYTES: usize = 128 << 10;

/// After so long without a delivery, what has not come is lost.
const QUIET_MAX: Nanos = 2 * SECOND;

/// A run whose deliveries trickle on is ended after so long.
const DRAIN_MAX: Nanos = 60 * SECOND;

/// One stream, as far as this thread has senders of it.
struct Sending {
    pacer: Pacer,
    /// Index of the stream's first sender among the run's.
    first_slot: usize,
    /// Per sender of the stream: the message's beginning; empty for other threads' senders.
    heads: Vec<Vec<u8>>,
    /// Per sender of the stream: the number of its next message.
    next_seq: Vec<u32>,
    /// The senders that send as fast as they can: stream's index and local client.
    flooders: Vec<(usize, usize)>,
    outcome: StreamOutcome,
}

enum Stage {
    Sending,
    Draining { since: Nanos, expected: Option<u64> },
}

/// Executes a [`Run`] in one thread.
pub(crate) struct RunJob<'a> {
    run: &'a Run,
    workers: usize,
    sending: Vec<Sending>,
    tracker: Tracker,
    closures: Vec<Closure>,
    stage: Stage,
    next_pong: Option<Nanos>,
    cpu_at_start: Nanos,
    busy: f64,
    cut_short: bool,
    share: Share,
    message: Vec<u8>,
    frames: Vec<u8>,
}

impl<'a> RunJob<'a> {
    pub(crate) fn new(run: &'a Run, template: &Template, fleet: &Fleet) -> Self {
        let mut first_slot = 0;
        let mut sending = Vec::new();
        for stream in &run.load.streams {
            let senders = &stream.senders;
            let local = |index: &usize| fleet.local(senders[*index]);
            let owned: Vec<usize> = (0..senders.len()).filter(|i| local(i).is_some()).collect();
            let mut heads = vec![Vec::new(); senders.len()];
            for &index in &owned {
                let room = stream.audience.room(senders[index]);
                heads[index] = template.head(stream.audience.word(), &room);
            }
            let flooders = match stream.pace {
                Pace::FullSpeed => owned.iter().filter_map(|i| Some((*i, local(i)?))).collect(),
                Pace::PerSecond(_) | Pace::Together(_) => Vec::new(),
            };
            sending.push(Sending {
                pacer: Pacer::new(stream.pace, senders.len(), owned, run.start, run.end),
                first_slot,
                heads,
                next_seq: vec![0; senders.len()],
                flooders,
                outcome: StreamOutcome { name: stream.name, ..StreamOutcome::default() },
            });
            first_slot += senders.len();
        }
        let deaf = &run.load.deaf;
        let pong_interval = nanos(deaf.pong_interval);
        let pongs = !deaf.ponging.is_empty() && pong_interval > 0;
        Self {
            run,
            workers: fleet.workers,
            sending,
            tracker: Tracker::new(run, fleet.clients.len()),
            closures: Vec::new(),
            stage: Stage::Sending,
            next_pong: pongs.then_some(run.start + pong_interval),
            cpu_at_start: os::thread_cpu(),
            busy: 0.0,
            cut_short: false,
            share: fleet.share,
            message: Vec::new(),
            frames: Vec::new(),
        }
    }

    /// Settles the accounts.
    pub(crate) fn finish(mut self, fleet: &Fleet) -> Outcome {
        let sent = self.sent();
        let counts = self.tracker.settle(self.listeners(fleet), &sent);
        let mut streams = Vec::new();
        for (index, mut sending) in self.sending.drain(..).enumerate() {
            sending.outcome.sent = sending.next_seq.iter().map(|&n| u64::from(n)).sum();
            sending.outcome.counts = counts[index];
            sending.outcome.latency = std::mem::take(&mut self.tracker.latencies[index]);
            streams.push(sending.outcome);
        }
        let number = |local| fleet.number(local);
        Outcome {
            streams,
            stale: self.tracker.stale,
            unstamped: self.tracker.unstamped,
            closures: self.closures,
            connected: fleet.joined().count(),
            busy: self.busy,
            cut_short: self.cut_short,
            last_delivery: self.tracker.last_delivery.saturating_sub(self.run.start),
            sequences: self.tracker.take_sequences(&self.run.load.deaf, number),
        }
    }

    fn sent(&self) -> Vec<u64> {
        self.run.sent.iter().map(|count| count.load(Acquire)).collect()
    }

    /// Local and common numbers of the clients that are to get messages.
    fn listeners<'f>(&'f self, fleet: &'f Fleet) -> impl Iterator<Item = (usize, usize)> + 'f {
        fleet.joined().filter(|(_, number)| !self.run.load.deaf.contains(*number))
    }

    /// Composes one message of the client `local` into `self.frames`.
    fn frame(
        &mut self,
        fleet: &mut Fleet,
        stream: usize,
        (sender, local): (usize, usize),
        at: Nanos,
    ) {
        let sending = &mut self.sending[stream];
        let seq = sending.next_seq[sender];
        sending.next_seq[sender] += 1;
        let slot = sending.first_slot + sender;
        self.run.sent[slot].store(u64::from(seq) + 1, Release);
        let from = self.run.from_base.wrapping_add(u32::try_from(slot).unwrap_or(u32::MAX));
        self.message.clear();
        let bytes = self.run.load.streams[stream].payload_bytes;
        compose(&mut self.message, &sending.heads[sender], Stamp { seq, from, at }, bytes);
        fleet.encode(local, &self.message, &mut self.frames);
    }

    fn send_due(&mut self, fleet: &mut Fleet, stream: usize, due: Due) {
        let number = self.run.load.streams[stream].senders[due.sender];
        let Some(local) = fleet.local(number).filter(|&local| local < fleet.clients.len()) else {
            return;
        };
        let client = &fleet.clients[local];
        if client.is_closed() || client.pending_bytes() > PENDING_BYTES_MAX {
            self.sending[stream].outcome.unsent += 1;
            return;
        }
        self.frames.clear();
        self.frame(fleet, stream, (due.sender, local), due.at);
        let slip = fleet.clock.now().saturating_sub(due.at);
        let outcome = &mut self.sending[stream].outcome;
        outcome.slip.record(slip);
        outcome.bytes_written += self.frames.len() as u64;
        if let Err(why) = fleet.send(local, &self.frames) {
            fleet.close(local, why, self);
        }
    }

    /// Gives a sender at full speed as much as one write takes.
    fn flood(&mut self, fleet: &mut Fleet, stream: usize, sender: usize, local: usize) {
        let Some(client) = fleet.clients.get(local) else { return };
        if client.pending_bytes() > 0 || client.is_closed() {
            return;
        }
        self.frames.clear();
        while self.frames.len() < FLOOD_WRITE_BYTES {
            let now = fleet.clock.now();
            self.frame(fleet, stream, (sender, local), now);
        }
        self.sending[stream].outcome.bytes_written += self.frames.len() as u64;
        if let Err(why) = fleet.send(local, &self.frames) {
            fleet.close(local, why, self);
        }
    }

    fn send(&mut self, fleet: &mut Fleet, now: Nanos) {
        for stream in 0..self.sending.len() {
            for _ in 0..SENDS_MAX {
                let Some(due) = self.sending[stream].pacer.take(now) else { break };
                self.send_due(fleet, stream, due);
            }
            for index in 0..self.sending[stream].flooders.len() {
                let (sender, local) = self.sending[stream].flooders[index];
                self.flood(fleet, stream, sender, local);
            }
        }
    }

    fn send_pongs(&mut self, fleet: &mut Fleet, now: Nanos) {
        let Some(at) = self.next_pong.filter(|&at| at <= now) else { return };
        self.next_pong = Some(at + nanos(self.run.load.deaf.pong_interval));
        for number in self.run.load.deaf.ponging.clone() {
            let Some(local) = fleet.local(number) else { continue };
            if fleet.clients[local].is_closed() {
                continue;
            }
            if let Err(why) = fleet.send_packet(local, "3", false) {
                fleet.close(local, why, self);
            }
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of a run; a share is printed")]
    fn begin_draining(&mut self, now: Nanos) {
        let cpu = os::thread_cpu() - self.cpu_at_start;
        self.busy = cpu as f64 / (now - self.run.start).max(1) as f64;
        self.run.finished.fetch_add(1, Release);
        self.stage = Stage::Draining { since: now, expected: None };
    }

    fn is_drained(&mut self, fleet: &Fleet, now: Nanos) -> bool {
        let Stage::Draining { since, expected } = self.stage else { return false };
        if self.run.load.streams.is_empty() {
            return true;
        }
        if expected.is_none() && self.run.finished.load(Acquire) == self.workers {
            let expected = self.tracker.expected(self.listeners(fleet), &self.sent());
            self.stage = Stage::Draining { since, expected: Some(expected) };
        }
        if expected.is_some_and(|expected| self.tracker.deliveries >= expected) {
            return true;
        }
        let last = self.tracker.last_delivery.max(since);
        self.cut_short = now > since + DRAIN_MAX;
        self.cut_short || now > last + QUIET_MAX
    }
}

impl Job for RunJob<'_> {
    fn work(&mut self, fleet: &mut Fleet, now: Nanos) {
        self.send_pongs(fleet, now);
        let Stage::Sending = self.stage else { return };
        if now < self.run.start {
            return;
        }
        self.send(fleet, now.min(self.run.end));
        let owed = self.sending.iter().any(|sending| sending.pacer.next().is_some());
        if now >= self.run.end && !owed {
            self.begin_draining(now);
        }
    }

    fn next_wake(&self, fleet: &Fleet) -> Option<Nanos> {
        let Stage::Sending = self.stage else { return self.next_pong };
        let mut wake = self.run.end.min(self.next_pong.unwrap_or(u64::MAX));
        for sending in &self.sending {
            if let Some(due) = sending.pacer.next() {
                wake = wake.min(due.at);
            }
            let ready = |&(_, local): &(usize, usize)| {
                let client = fleet.clients.get(local);
                client.is_some_and(|c| c.pending_bytes() == 0 && !c.is_closed())
            };
            if sending.flooders.iter().any(ready) {
                wake = self.run.start;
            }
        }
        Some(wake)
    }

    fn is_finished(&mut self, fleet: &Fleet, now: Nanos) -> bool {
        self.is_drained(fleet, now)
    }

    fn on_event(&mut self, local: usize, message: &[u8], now: Nanos) {
        let number = self.share.number(local);
        self.tracker.on_event(local, number, message, now);
    }

    fn on_progress(&mut self, _fleet: &mut Fleet, _local: usize) {}

    fn on_closed(&mut self, local: usize, why: String, now: Nanos) {
        let client = self.share.number(local);
        self.closures.push(Closure { client, after: now.saturating_sub(self.run.start), why });
    }

    fn deaf(&self) -> &Deaf {
        &self.run.load.deaf
    }
}
