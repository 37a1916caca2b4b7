//! The port to the other instances.

use crate::broadcast::Broadcast;

/// Where broadcasts of this instance go besides its own sockets. There is one value per shard.
///
/// Guarantees that an implementation may rely on: each broadcast that this instance accepted and
/// that is not local is handed over exactly once, by the shard that accepted it, in that shard's
/// order, as it takes its place in the order of the instance; a broadcast that came from another
/// instance ([`crate::Hub::remote`]) is never handed over.
/// Nothing waits for an implementation: it takes its copy and returns.
pub trait Cluster {
    /// Takes a broadcast for the other instances.
    fn publish(&mut self, namespace: &str, broadcast: &Broadcast);
}

/// An instance alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Cluster for Alone {
    fn publish(&mut self, _namespace: &str, _broadcast: &Broadcast) {}
}
