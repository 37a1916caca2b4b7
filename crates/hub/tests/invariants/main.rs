//! The invariants of the hub, each under its name, on whole instances with virtual clients.
//!
//! Every run draws its interleaving from a seed that a failure prints; `RELAY_SEED=<seed>` repeats
//! it.

mod acks;
mod backpressure;
mod cluster;
mod fuzz;
mod heartbeat;
mod memory;
mod order;
mod panics;
mod protocol;
mod rooms;
mod sim;
mod slow;
mod swarm;
