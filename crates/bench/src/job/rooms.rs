//! Joining rooms: each client sends one event and waits for its acknowledgement.

use super::ALL_LISTEN;
use crate::clock::{Nanos, SECOND};
use crate::fleet::{Fleet, Job};
use crate::load::{Deaf, room_name};

/// Gives up after so long without the last acknowledgement.
const WAIT_MAX: Nanos = 15 * SECOND;

/// Clients that may wait for their acknowledgement at once.
const IN_FLIGHT_MAX: usize = 256;

/// Client `i` joins room `i % rooms`.
pub(crate) struct RoomsJob {
    event: String,
    rooms: usize,
    deadline: Nanos,
    /// The next client to ask.
    next: usize,
    waiting: Vec<usize>,
    pub(crate) acknowledged: usize,
}

impl RoomsJob {
    pub(crate) fn new(event: String, rooms: usize, now: Nanos) -> Self {
        let deadline = now + WAIT_MAX;
        Self { event, rooms, deadline, next: 0, waiting: Vec::new(), acknowledged: 0 }
    }
}

impl Job for RoomsJob {
    fn work(&mut self, fleet: &mut Fleet, _now: Nanos) {
        let before = self.waiting.len();
        self.waiting.retain(|&local| !fleet.clients[local].is_acknowledged());
        self.acknowledged += before - self.waiting.len();
        while self.waiting.len() < IN_FLIGHT_MAX && self.next < fleet.clients.len() {
            let local = self.next;
            self.next += 1;
            let room = room_name(fleet.number(local) % self.rooms);
            let event = serde_json::Value::from(self.event.as_str());
            let packet = format!("42{}0[{event},\"{room}\"]", fleet.target.prefix);
            if fleet.send_packet(local, &packet, true).is_ok() {
                self.waiting.push(local);
            }
        }
    }

    fn next_wake(&self, _fleet: &Fleet) -> Option<Nanos> {
        None
    }

    fn is_finished(&mut self, fleet: &Fleet, now: Nanos) -> bool {
        let all_asked = self.next >= fleet.clients.len() && self.waiting.is_empty();
        all_asked || now > self.deadline
    }

    fn on_event(&mut self, _local: usize, _message: &[u8], _now: Nanos) {}

    fn on_progress(&mut self, _fleet: &mut Fleet, _local: usize) {}

    fn on_closed(&mut self, local: usize, _why: String, _now: Nanos) {
        self.waiting.retain(|&other| other != local);
    }

    fn deaf(&self) -> &Deaf {
        &ALL_LISTEN
    }
}
