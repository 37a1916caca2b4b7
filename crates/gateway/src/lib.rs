//! Relay's rules: who a client is, which rooms it is in, and where `relay` and `notificar` go.
//!
//! The wire words (`yo`, `ustedes`, `nosotros`, `room`, `identificar`…) live here alone. Messages
//! pass byte for byte: they are read to be routed, never rebuilt. An embedding program is asked and
//! told by [`Hooks`]; where its futures run is behind the port [`Background`].

mod client;
mod command;
mod denial;
mod event;
mod fact;
mod gateway;
mod handshake;
mod hooks;
mod later;
mod message;
mod metrics;
mod questions;
mod rooms;
mod socket;
mod user;

pub use client::Client;
pub use command::Destination;
pub use denial::{Code, Denial};
pub use event::{Event, EventError};
pub use fact::{Fact, Observer, Part};
pub use gateway::{Gateway, NAMESPACES, Rules};
pub use handshake::Handshake;
pub use hooks::{Admission, Authorize, Disconnected, Hooks, Identify, Message, Thought, Verdict};
pub use later::{Background, Outcome, Resume, Work};
pub use metrics::{GatewayStats, MessageCount, NamedTypes, RefusalCount, TypeNames};
pub use questions::{Questions, Told};
pub use socket::Socket;
pub use user::User;
