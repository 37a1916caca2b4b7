//! What the shards of one instance share: bounds, the order, the memory budget, ack counters.

use std::sync::Arc;

use crate::broadcast::Entry;
use crate::bulk::{Bulk, BulkOp};
use crate::cluster::{Publication, Remote};
use crate::directory::{Directory, Expected, ShardSet};
use crate::limits::Limits;
use crate::memory::MemoryBudget;
use crate::order::{Credit, Order};
use crate::registry::Registry;
use crate::room::{Audience, Room};

/// Shards an instance can have: their number is one byte of a session's and a socket's id.
pub const SHARDS_MAX: usize = 256;

/// Shared by all hubs of one process. Holds no socket and no clock.
#[derive(Debug)]
pub struct Instance {
    limits: Limits,
    number: u16,
    namespaces: Registry,
    memory: Arc<MemoryBudget>,
    order: Order<Entry>,
    credits: Vec<Arc<Credit>>,
    directory: Arc<Directory>,
}

impl Instance {
    /// An instance of `shards` shards (1 to [`SHARDS_MAX`]; other numbers are brought into that
    /// range) that serves `namespaces`. `number` is random: it tells sessions of different
    /// instances apart.
    #[must_use]
    pub fn new(limits: Limits, namespaces: &[&str], shards: usize, number: u16) -> Arc<Self> {
        let memory = Arc::new(MemoryBudget::new(limits.memory_bytes_max));
        let shards = shards.clamp(1, SHARDS_MAX);
        Arc::new(Self {
            directory: Directory::new(shards),
            number,
            namespaces: Registry::new(namespaces, limits.namespaces_max),
            order: Order::new(memory.clone()),
            memory,
            credits: (0..shards).map(|_| Arc::default()).collect(),
            limits,
        })
    }

    /// The bounds.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.credits.len()
    }

    /// The memory that peers make the process hold.
    #[must_use]
    pub fn memory(&self) -> &MemoryBudget {
        &self.memory
    }

    /// Bytes of messages that have a place in the order, and that not all shards have come to. They
    /// are part of [`Instance::memory`].
    #[must_use]
    pub fn order_bytes(&self) -> usize {
        self.credits.iter().map(|it| it.outstanding_bytes()).sum()
    }

    pub(crate) fn memory_shared(&self) -> Arc<MemoryBudget> {
        self.memory.clone()
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    pub(crate) fn order(&self) -> &Order<Entry> {
        &self.order
    }

    pub(crate) fn credit(&self, shard: usize) -> &Arc<Credit> {
        &self.credits[shard]
    }

    pub(crate) fn all_shards(&self) -> ShardSet {
        ShardSet::first(self.shards())
    }

    pub(crate) fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// The shards where an audience may have somebody. Who joins by the time that this is asked, or
    /// by what is [expected](Self::expect) then, is there; whoever is in none of them is in none at
    /// all.
    #[must_use]
    pub fn shards_of(&self, namespace: &str, audience: &Audience) -> ShardSet {
        if audience.rooms.is_empty() {
            return self.all_shards();
        }
        self.directory.shards_of(namespace, &audience.rooms)
    }

    /// Expects sockets of any shard to join rooms, until the result is dropped: to be kept until the
    /// join has its place in the order.
    #[must_use]
    pub fn expect_join(&self, namespace: &str, rooms: &[Room]) -> Expected {
        self.directory.expect(namespace, rooms)
    }

    /// Expects what comes from another instance to be carried out: to be kept until a hub
    /// [has taken it](crate::Hub::remote), from before anything that came behind it is looked at.
    #[must_use]
    pub fn expect(&self, remote: &Remote) -> Option<Expected> {
        match remote {
            Remote::Publication {
                namespace,
                publication: Publication::Bulk(Bulk { op: BulkOp::Join(rooms), .. }),
            } => Some(self.expect_join(namespace, rooms)),
            Remote::Publication { .. } | Remote::Question { .. } | Remote::Response { .. } => None,
        }
    }

    pub(crate) fn namespaces(&self) -> &Registry {
        &self.namespaces
    }

    /// How many namespaces exist.
    #[must_use]
    pub fn namespace_count(&self) -> usize {
        self.namespaces.len()
    }

    /// Sets the ack counter of a namespace, so that a test can see it wrap.
    #[doc(hidden)]
    pub fn set_next_ack(&self, namespace: usize, id: u32) {
        if let Some(shared) = self.namespaces.all().get(namespace) {
            shared.set_next_ack(id);
        }
    }
}
