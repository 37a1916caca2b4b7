//! What must hold whenever nothing moves any more, and at the end of every run.

use relay_hub::{EndReason, WireEnd};

use super::World;
use super::client::Reading;

impl World {
    /// Every shard looks at the order, as it does from time to time: what it was not woken for has
    /// nothing for it.
    pub(super) fn look(&mut self) {
        for shard in 0..self.shards.len() {
            let delivered = |it: &Self| it.shards[shard].hub.stats().deliveries.get();
            let before = delivered(self);
            self.shards[shard].hub.catch_up(self.now);
            assert_eq!(delivered(self), before, "shard {shard} was not woken for what concerns it");
            self.carry_out(shard);
        }
    }

    /// Nothing that could go on waits for a wake-up that never came.
    pub(super) fn check_rest(&self) {
        for (index, shard) in self.shards.iter().enumerate() {
            assert!(!shard.hub.is_behind(), "shard {index} sleeps behind the order");
            let unread = self.unread(index).next();
            assert!(unread.is_none(), "shard {index} sleeps without credit over {unread:?}");
            assert!(shard.inputs.is_empty(), "shard {index} sleeps over {:?}", shard.inputs);
        }
        if self.shards.iter().all(|shard| shard.hub.outbox_bytes() == 0) {
            for shard in &self.shards {
                assert_eq!(shard.hub.outstanding_bytes(), 0, "a weight that nobody lifts");
            }
            let held = self.stat(|stats| stats.senders_held_now.get());
            assert_eq!(held, 0, "a sender is held, and nothing of it waits");
        }
    }

    /// Ends whatever is left and checks what must hold after every run: each socket that was told
    /// of ended once, each connection for one reason, and nothing is held for anybody.
    pub(crate) fn finish(mut self) {
        for client in &mut self.clients {
            client.reading = Reading::All;
        }
        self.shut_down();
        self.settle();
        self.advance(60_000);
        for (id, client) in self.clients.iter().enumerate() {
            assert!(client.dropped, "the connection of client {id} is over");
        }
        assert!(self.http.waiting.is_empty(), "unanswered: {:?}", self.http.waiting);
        self.log.borrow().check_ends();
        let ends: u64 = EndReason::ALL
            .iter()
            .filter(|reason| reason.end().wire != WireEnd::Namespace)
            .map(|reason| self.stat(|stats| stats.ends[reason.index()].get()))
            .sum();
        assert_eq!(ends, self.clients.len() as u64, "each connection ended for one reason");
        for (name, value) in [
            ("connections", self.stat(|stats| stats.connections.get())),
            ("sockets", self.stat(|stats| stats.sockets.get())),
            ("rooms", self.stat(|stats| stats.rooms.get())),
            ("senders held", self.stat(|stats| stats.senders_held_now.get())),
        ] {
            assert_eq!(value, 0, "gauge: {name}");
        }
        for shard in &self.shards {
            assert!(shard.hub.sockets().is_empty(), "sockets are left");
        }
        let instance = self.instance.clone();
        let step = instance.limits().memory_step_bytes * self.shards.len();
        assert!(instance.memory().used() < step, "{} bytes are held", instance.memory().used());
        for shard in &mut self.shards {
            shard.hub.relieve_memory(self.now);
        }
        drop(self);
        assert_eq!(instance.memory().used(), 0, "bytes are held for nobody");
    }
}
