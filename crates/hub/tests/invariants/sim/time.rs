//! Virtual time: what is due happens at its time, and everything comes to rest before the next.

use super::{Shard, World};

impl World {
    /// Lets `ms` pass; whatever is due happens at its time.
    pub(crate) fn advance(&mut self, ms: u64) {
        self.advance_with(ms, |_| false);
    }

    /// The same, while the kernel still holds unread bytes of some clients.
    pub(crate) fn advance_with(&mut self, ms: u64, is_unread: impl Fn(usize) -> bool) {
        let until = self.now + ms;
        loop {
            let due = self.shards.iter().filter_map(|shard| shard.hub.deadline()).min();
            let Some(due) = due.filter(|&due| due <= until) else { break };
            self.now = self.now.max(due);
            for shard in 0..self.shards.len() {
                let Shard { hub, peers, .. } = &mut self.shards[shard];
                hub.handle_deadlines(self.now, |key| {
                    peers.get(key.slot()).copied().flatten().is_some_and(&is_unread)
                });
                self.carry_out(shard);
            }
            self.settle();
        }
        self.now = until;
    }
}
