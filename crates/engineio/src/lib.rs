//! Engine.IO protocol v4 as a sans-IO crate: bytes, queries and times in, packets and verdicts out.
//!
//! It is a crate of its own because it must be provable and fuzzable alone: no runtime, clock,
//! randomness or IO can reach it through its dependencies.
//!
//! It owns the packet grammar, polling bodies, session ids, the open packet, the verification of handshakes, the
//! heartbeat. It does not own transports (WebSocket
//! frames, HTTP), the table of sessions, or what a message contains.

pub mod handshake;
pub mod heartbeat;
pub mod open;
pub mod packet;
pub mod payload;
pub mod sid;

#[doc(hidden)]
pub mod fuzz;

pub use handshake::{Enabled, HandshakeError, Query, Request, Transport, Verified, verify};
pub use heartbeat::{Action, Heartbeat, HeartbeatConfig};
pub use open::Open;
pub use packet::{Packet, PacketError, PacketType, decode_text};
pub use sid::SessionId;
