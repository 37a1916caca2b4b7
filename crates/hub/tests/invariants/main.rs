//! The invariants of the hub, each under its name, on whole instances with virtual clients.
//!
//! Every run draws its interleaving from a seed that a failure prints; `RELAY_SEED=<seed>` repeats
//! it.

mod acks;
mod backpressure;
mod bulk;
mod cluster;
mod doors;
mod fleet;
mod fuzz;
mod heartbeat;
mod memory;
mod order;
mod panics;
mod polling;
mod polling_queues;
mod probe;
mod protocol;
mod rooms;
mod sim;
mod slow;
mod swarm;
mod upgrade;
