//! What comes from other instances.

use relay_hub::{Broadcast, Publication, Remote};

use super::World;

impl World {
    /// Delivers a broadcast of another instance.
    pub(crate) fn remote(&mut self, shard: usize, namespace: &str, broadcast: Broadcast) {
        self.remote_publication(shard, namespace, Publication::Broadcast(broadcast));
    }

    /// Does what another instance published.
    pub(crate) fn remote_publication(&mut self, shard: usize, namespace: &str, it: Publication) {
        self.take_remote(
            shard,
            Remote::Publication { namespace: namespace.into(), publication: it },
        );
    }

    /// Takes what comes from another instance.
    pub(crate) fn take_remote(&mut self, shard: usize, remote: Remote) {
        self.shards[shard].hub.remote(self.now, remote);
        self.carry_out(shard);
    }
}
