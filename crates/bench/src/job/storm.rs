//! A storm: all clients of a thread drop their connections and return as fast as they can, each
//! with a new connection, the namespace, and one acknowledged event that says who it is.

use super::ALL_LISTEN;
use crate::clock::{MILLISECOND, Nanos, SECOND, nanos};
use crate::fleet::{Fleet, Job};
use crate::latency::Latency;
use crate::load::Deaf;
use crate::transport::Farewell;
use std::collections::VecDeque;
use std::time::Duration;

/// Connections begun before the events of others are looked after again.
const DIALS_MAX: usize = 16;

/// A client that failed waits so long before it tries again.
const RETRY_AFTER: Nanos = 100 * MILLISECOND;

/// Who has not returned by then is lost.
pub(crate) const STORM_MAX: Duration = Duration::from_secs(60);

/// What came of a storm.
#[derive(Clone, Debug, Default)]
pub struct StormOutcome {
    /// Clients that were connected before.
    pub clients: usize,
    /// Of these, the ones that are back.
    pub back: usize,
    /// Attempts that failed; each was followed by another one.
    pub failures: u64,
    /// Why the first of them failed.
    pub first_failure: Option<String>,
    /// From a client's SYN until it has joined and said who it is, for the attempt that succeeded.
    pub connect: Latency,
    /// From the moment at which all left until a client is back, failed attempts included.
    pub absence: Latency,
    /// From the moment at which all left until the last one was back.
    pub took: Nanos,
    /// CPU time of the busiest thread.
    pub cpu: Nanos,
}

impl StormOutcome {
    /// Adds another thread's outcome.
    pub(crate) fn merge(&mut self, other: Self) {
        self.clients += other.clients;
        self.back += other.back;
        self.failures += other.failures;
        self.first_failure = self.first_failure.take().or(other.first_failure);
        self.connect.merge(&other.connect);
        self.absence.merge(&other.absence);
        self.took = self.took.max(other.took);
        self.cpu = self.cpu.max(other.cpu);
    }
}

/// Carries out a storm in one thread.
pub(crate) struct StormJob {
    start: Nanos,
    at_once: usize,
    farewells: &'static [Farewell],
    have_left: bool,
    /// Who is to be connected, and from when on.
    queue: VecDeque<(Nanos, usize)>,
    /// When each client began the attempt that is under way.
    dialed_at: Vec<Option<Nanos>>,
    in_flight: usize,
    outcome: StormOutcome,
}

impl StormJob {
    /// The clients leave in these ways, in turn; up to `at_once` of them return at a time.
    pub(crate) fn new(
        fleet: &Fleet,
        at_once: usize,
        farewells: &'static [Farewell],
        now: Nanos,
    ) -> Self {
        let clients = fleet.clients.len();
        Self {
            start: now,
            at_once,
            farewells,
            have_left: false,
            queue: (0..clients).map(|local| (now, local)).collect(),
            dialed_at: vec![None; clients],
            in_flight: 0,
            outcome: StormOutcome { clients, ..StormOutcome::default() },
        }
    }

    /// What came of it; `cpu` is what the thread used.
    pub(crate) fn finish(mut self, cpu: Nanos) -> StormOutcome {
        self.outcome.cpu = cpu;
        self.outcome
    }

    fn leave(&mut self, fleet: &mut Fleet) {
        for (local, &farewell) in (0..fleet.clients.len()).zip(self.farewells.iter().cycle()) {
            fleet.leave(local, farewell);
        }
    }

    fn fail(&mut self, local: usize, why: String, now: Nanos) {
        self.outcome.failures += 1;
        self.outcome.first_failure.get_or_insert(why);
        match self.dialed_at[local].take() {
            Some(_) => self.in_flight -= 1,
            // It was back, and has been lost again.
            None => self.outcome.back = self.outcome.back.saturating_sub(1),
        }
        self.queue.push_back((now + RETRY_AFTER, local));
    }
}

impl Job for StormJob {
    fn work(&mut self, fleet: &mut Fleet, now: Nanos) {
        if !std::mem::replace(&mut self.have_left, true) {
            self.leave(fleet);
        }
        for _ in 0..DIALS_MAX {
            if self.next_wake(fleet).is_none_or(|at| at > now) {
                return;
            }
            let Some((_, local)) = self.queue.pop_front() else { return };
            let dialed_at = fleet.clock.now();
            self.in_flight += 1;
            self.dialed_at[local] = Some(dialed_at);
            if let Err(error) = fleet.dial_again(local, dialed_at) {
                self.fail(local, format!("cannot open a socket: {error}"), dialed_at);
            }
        }
    }

    fn next_wake(&self, _fleet: &Fleet) -> Option<Nanos> {
        let next = self.queue.front().filter(|_| self.in_flight < self.at_once);
        next.map(|&(at, _)| at)
    }

    fn is_finished(&mut self, _fleet: &Fleet, now: Nanos) -> bool {
        self.outcome.back == self.outcome.clients || now > self.start + nanos(STORM_MAX)
    }

    fn on_event(&mut self, _local: usize, _message: &[u8], _now: Nanos) {}

    fn on_progress(&mut self, fleet: &mut Fleet, local: usize) {
        let Some(dialed_at) = self.dialed_at[local] else { return };
        let now = fleet.clock.now();
        if fleet.clients[local].take_opened().is_some() {
            let (prefix, number) = (&fleet.target.prefix, fleet.number(local));
            let packet = format!("42{prefix}0[\"identificar\",\"bench-{number}\"]");
            if let Err(why) = fleet.send_packet(local, &packet, true) {
                fleet.close(local, why, self);
            }
        } else if fleet.clients[local].is_acknowledged() {
            self.dialed_at[local] = None;
            self.in_flight -= 1;
            self.outcome.back += 1;
            self.outcome.connect.record(now.saturating_sub(dialed_at));
            self.outcome.absence.record(now - self.start);
            self.outcome.took = self.outcome.took.max(now - self.start);
        }
    }

    fn on_closed(&mut self, local: usize, why: String, now: Nanos) {
        self.fail(local, why, now);
    }

    fn deaf(&self) -> &Deaf {
        &ALL_LISTEN
    }
}

// Clients would be counted as lost while the kernel still repeats their SYNs (1, 2, 4… s).
const _: () = assert!(STORM_MAX.as_secs() > 30 && RETRY_AFTER < SECOND);
