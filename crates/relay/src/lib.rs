//! Relay as a library: settings from the environment, what the machine allows, and the routes
//! beside the protocol.

pub mod memory;
mod metrics;
pub mod process;
pub mod routes;
pub mod settings;
