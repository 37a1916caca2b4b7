//! Relay as a library: settings from the environment, and the routes beside the protocol.

pub mod routes;
pub mod settings;
