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

    /// Whether a shard has credit for whatever comes.
    pub(crate) fn may_take(&mut self, shard: usize) -> bool {
        self.shards[shard].hub.may_read()
    }

    /// Takes what comes from another instance.
    pub(crate) fn take_remote(&mut self, shard: usize, remote: Remote) {
        if let Remote::Publication { namespace, publication } = &remote {
            self.placed.borrow_mut().push((namespace.to_string(), publication.clone()));
            // What concerns nobody is not handed over: nobody must miss it.
            if let Publication::Broadcast(Broadcast { audience, .. }) = publication
                && self.instance.shards_of(namespace, audience).is_empty()
            {
                return;
            }
        }
        self.shards[shard].hub.remote(self.now, remote);
        self.carry_out(shard);
    }
}
