//! The port to the other instances.

use crate::broadcast::Broadcast;
use crate::bulk::Bulk;

/// What takes a place in the order of every instance.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Publication {
    /// A packet for an audience.
    Broadcast(Broadcast),
    /// Something that is done to the sockets of an audience.
    Bulk(Bulk),
}

impl Publication {
    fn is_local(&self) -> bool {
        match self {
            Self::Broadcast(broadcast) => broadcast.local,
            Self::Bulk(bulk) => bulk.local,
        }
    }
}

/// Where broadcasts of this instance go besides its own sockets. There is one value per shard.
///
/// Guarantees that an implementation may rely on: each publication that this instance accepted and
/// that is not local is handed over exactly once, by the shard that accepted it, in that shard's
/// order, as it takes its place in the order of the instance; what came from another instance
/// ([`crate::Hub::remote`]) is never handed over.
/// Nothing waits for an implementation: it takes its copy and returns.
pub trait Cluster {
    /// Takes a publication for the other instances. The namespace may be one that does not exist on
    /// this instance.
    fn publish(&mut self, namespace: &str, publication: &Publication);
}

/// An instance alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Cluster for Alone {
    fn publish(&mut self, _namespace: &str, _publication: &Publication) {}
}

/// The cluster behind a name, so that the core can be printed.
pub(crate) struct ClusterPort(pub(crate) Box<dyn Cluster>);

impl std::fmt::Debug for ClusterPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cluster")
    }
}

impl ClusterPort {
    /// What is local stays here.
    pub(crate) fn publish(&mut self, namespace: &str, publication: &Publication) {
        if !publication.is_local() {
            self.0.publish(namespace, publication);
        }
    }
}
