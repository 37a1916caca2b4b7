//! What an instance owes its peers, one by one, seen from Redis: a peer that is nothing but a
//! connection asks, and an instance that is nothing but a port answers.

mod duties;
mod instance;
mod questions;
#[path = "../link/server.rs"]
#[allow(dead_code, reason = "these tests leave Redis alone; those of the connections do not")]
mod server;
