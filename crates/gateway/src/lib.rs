//! Relay's rules: who a client is, which rooms it is in, and where `relay` and `notificar` go.
//!
//! The wire words (`yo`, `ustedes`, `nosotros`, `room`, `identificar`…) live here alone. Messages
//! pass byte for byte: they are read to be routed, never rebuilt.

mod command;
mod gateway;
mod metrics;

pub use gateway::{Gateway, NAMESPACES};
pub use metrics::{GatewayStats, MessageCount, RefusalCount, TypeNames};
