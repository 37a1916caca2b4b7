//! Relay as a library: the configuration, what the machine allows, and the routes beside the
//! protocol.

pub mod health;
pub mod memory;
mod metrics;
pub mod process;
pub mod routes;
pub mod settings;
