//! Small bounds, and what floods need: events of a known size, receivers that take nothing.

use relay_hub::{EndReason, Limits};

use super::World;
use super::client::Reading;

/// Bounds in the proportions of the defaults, a hundredth of their size.
pub(crate) fn small() -> Limits {
    Limits {
        payload_bytes_max: 10_000,
        message_bytes_max: 20_000,
        encoded_bytes_max: 40_000,
        outbox_bytes_max: 80_000,
        order_bytes_per_shard: 160_000,
        sender_window_bytes: 10_000,
        receiver_progress_bytes: 40,
        memory_bytes_max: 20_000_000,
        memory_step_bytes: 1_000,
        read_bytes: 1_000,
        ..Limits::default()
    }
}

/// No sender is held.
pub(crate) fn unheld() -> Limits {
    Limits { sender_window_bytes: usize::MAX / 2, ..small() }
}

/// An event of about a thousand bytes.
pub(crate) fn event(name: &str, n: usize) -> String {
    format!("[\"{name}\",{n},\"{}\"]", "x".repeat(980))
}

pub(crate) fn crowd(world: &mut World, clients: usize) {
    for n in 0..clients {
        world.join(n % world.instance.shards());
    }
}

/// A client that reads nothing and whose socket holds little.
pub(crate) fn block(world: &mut World, id: usize) {
    world.clients[id].reading = Reading::Nothing;
    world.clients[id].socket_bytes_max = 500;
}

pub(crate) fn held(world: &World) -> Vec<usize> {
    let clients = world.clients.iter();
    clients.filter(|client| client.held).map(|client| client.id).collect()
}

pub(crate) fn slow_consumers(world: &World) -> u64 {
    world.stat(|stats| stats.ends[EndReason::SlowConsumer.index()].get())
}

/// Whom a shard writes to next, once clients have read and it has heard which sockets take bytes again.
pub(crate) fn written_next(world: &mut World, shard: usize) -> Option<usize> {
    let World { clients, random, .. } = world;
    clients.iter_mut().for_each(|client| client.read(random));
    world.notice_writable(shard);
    let it = &mut world.shards[shard];
    let key = it.hub.dirty().or_else(|| it.hub.dirty_bulk())?;
    it.rest.push_front(key);
    world.peer(shard, key)
}
