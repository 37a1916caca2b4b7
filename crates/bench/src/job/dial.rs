//! Connecting: paced, with a bound on the handshakes that are under way.

use super::ALL_LISTEN;
use crate::client::Client;
use crate::clock::{Nanos, SECOND};
use crate::fleet::{Fleet, Job};
use crate::latency::Latency;
use crate::load::Deaf;
use crate::session::Phase;

/// Connections under way in one thread: fewer than a listener's usual backlog, so that no SYN is
/// dropped and sent again a second later.
const IN_FLIGHT_MAX: usize = 512;

/// Gives up when nothing has come forward for so long.
const STALL_MAX: Nanos = 15 * SECOND;

/// What came of connecting.
#[derive(Clone, Debug, Default)]
pub struct DialOutcome {
    /// Clients that joined their namespace.
    pub joined: usize,
    /// Clients that did not.
    pub failed: usize,
    /// Why the first of them did not.
    pub first_failure: Option<String>,
    /// From the first SYN until the transport stands: the 101 of a WebSocket, the open packet of a
    /// poll, the `5` that ends an upgrade.
    pub upgrade: Latency,
    /// From the first SYN until also the answer to CONNECT is here.
    pub join: Latency,
    /// From the first SYN of all to the last answer.
    pub took: Nanos,
    /// CPU time of the busiest thread.
    pub cpu: Nanos,
}

impl DialOutcome {
    /// Adds another thread's outcome.
    pub(crate) fn merge(&mut self, other: Self) {
        self.joined += other.joined;
        self.failed += other.failed;
        self.first_failure = self.first_failure.take().or(other.first_failure);
        self.upgrade.merge(&other.upgrade);
        self.join.merge(&other.join);
        self.took = self.took.max(other.took);
        self.cpu = self.cpu.max(other.cpu);
    }
}

/// Connects clients until the fleet has `wanted` of them.
pub(crate) struct DialJob {
    wanted: usize,
    start: Nanos,
    /// Time between two connections of this thread.
    interval: Nanos,
    dialed: u64,
    in_flight: usize,
    last_progress: Nanos,
    pub(crate) outcome: DialOutcome,
}

impl DialJob {
    pub(crate) fn new(wanted: usize, interval: Nanos, now: Nanos) -> Self {
        Self {
            wanted,
            start: now,
            interval,
            dialed: 0,
            in_flight: 0,
            last_progress: now,
            outcome: DialOutcome::default(),
        }
    }

    fn fail(&mut self, why: String) {
        self.outcome.failed += 1;
        self.outcome.first_failure.get_or_insert(why);
    }
}

impl Job for DialJob {
    fn work(&mut self, fleet: &mut Fleet, now: Nanos) {
        while self.next_wake(fleet).is_some_and(|at| at <= now) {
            self.dialed += 1;
            self.in_flight += 1;
            self.last_progress = now;
            if let Err(error) = fleet.dial(fleet.clock.now()) {
                // Without a descriptor or port the rest would fail alike.
                self.in_flight -= 1;
                self.fail(format!("cannot open a socket: {error}"));
                self.wanted = fleet.clients.len();
            }
        }
        if now > self.last_progress + STALL_MAX {
            for local in 0..fleet.clients.len() {
                if !matches!(fleet.clients[local].phase(), Phase::Joined | Phase::Closed) {
                    let phase = fleet.clients[local].phase();
                    fleet.close(local, format!("no answer while {phase:?}"), self);
                }
            }
            self.wanted = fleet.clients.len();
        }
    }

    fn next_wake(&self, fleet: &Fleet) -> Option<Nanos> {
        let connections = self.in_flight * fleet.target.transport.connections();
        let may = fleet.clients.len() < self.wanted && connections < IN_FLIGHT_MAX;
        may.then_some(self.start + self.dialed * self.interval)
    }

    fn is_finished(&mut self, fleet: &Fleet, _now: Nanos) -> bool {
        self.in_flight == 0 && fleet.clients.len() >= self.wanted
    }

    fn on_event(&mut self, _local: usize, _message: &[u8], _now: Nanos) {}

    fn on_progress(&mut self, fleet: &mut Fleet, local: usize) {
        let Some(opened) = fleet.clients.get_mut(local).and_then(Client::take_opened) else {
            return;
        };
        let now = fleet.clock.now();
        self.in_flight -= 1;
        self.last_progress = now;
        self.outcome.joined += 1;
        self.outcome.upgrade.record(opened.settled_after);
        self.outcome.join.record(opened.joined_after);
        self.outcome.took = now - self.start;
    }

    fn on_closed(&mut self, _local: usize, why: String, now: Nanos) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.last_progress = now;
        self.fail(why);
    }

    fn deaf(&self) -> &Deaf {
        &ALL_LISTEN
    }
}
