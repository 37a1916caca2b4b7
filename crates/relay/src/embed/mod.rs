//! Relay inside a Rust program: how it is set up, started, reached and stopped.
//!
//! Owns the wiring of gateway, server and routes: the binary is this with settings from outside.
//! Does not own what the gateway's hooks mean, nor what a shard does.

mod answers;
mod background;
mod builder;
mod lines;
mod relay;
mod sockets;
mod start;

pub use answers::{Answers, Counted, Fetched, FetchedSocket};
pub use builder::Builder;
pub use relay::{Relay, Stats};
pub use sockets::{CommandError, Sockets, Target};
pub use start::StartError;
