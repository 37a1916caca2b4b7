//! What the application's own threads do to a shard: decisions on CONNECTs, and calls.

use relay_hub::{Context, Refusal, Ticket};

use super::World;
use super::application::Data;

impl World {
    /// The ticket of a client's last request to join a namespace.
    pub(crate) fn ticket(&self, id: usize, namespace: &str) -> Ticket {
        let log = self.log.borrow();
        let its = |asked: &&(usize, String, Ticket)| asked.0 == id && asked.1 == namespace;
        let asked = log.asked.iter().rev().find(its);
        asked.unwrap_or_else(|| panic!("{id} asks to join {namespace}")).2
    }

    /// Tells what was decided on a client's last request to join a namespace.
    pub(crate) fn decide(&mut self, id: usize, namespace: &str, decided: Result<(), Refusal>) {
        let ticket = self.ticket(id, namespace);
        self.decide_on(ticket, id, decided);
    }

    /// The same for any request; `id` is the client that the application takes it for.
    pub(crate) fn decide_on(&mut self, ticket: Ticket, id: usize, decided: Result<(), Refusal>) {
        let decided = decided.map(|()| Data::of(id));
        self.shards[ticket.shard].hub.decide(self.now, ticket, decided);
        self.carry_out(ticket.shard);
    }

    /// Does on a shard what the application could do there.
    pub(crate) fn call<T>(
        &mut self,
        shard: usize,
        act: impl FnOnce(&mut Context<'_, Data>) -> T,
    ) -> T {
        let mut made = None;
        self.shards[shard].hub.run(self.now, |cx| made = Some(act(cx)));
        self.carry_out(shard);
        made.expect("it ran")
    }
    /// The same, and it panics.
    pub(crate) fn call_that_panics(&mut self, shard: usize) {
        self.shards[shard].hub.run(self.now, |_| panic!("as the test wished"));
        self.carry_out(shard);
    }
}
