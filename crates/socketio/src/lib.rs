//! Socket.IO protocol v5 as a sans-IO crate: text and bytes in, packets out. Both parsers of the
//! stock libraries are here, the default one and msgpack.
//!
//! It is a crate of its own because it must be provable and fuzzable alone: no runtime, clock,
//! randomness or IO can reach it through its dependencies.
//!
//! It owns the packet grammar, the reassembly of binary attachments, and a checker and reader of
//! JSON *text*. Payloads are never turned into a tree, and between clients of the default parser
//! never written anew: what is decoded borrows the raw text, so that what a sender wrote is what
//! its receivers get, byte for byte. [`msgpack`] converts values where the parsers of sender and
//! receiver differ.
//!
//! It does not own: Engine.IO framing (the leading `4` of a message is gone before text arrives
//! here), namespaces and their state machine, acknowledgement bookkeeping, or any policy about
//! nesting depth and names beyond what the protocol itself demands.

pub mod decoder;
pub mod json;
pub mod msgpack;
pub mod packet;

#[doc(hidden)]
pub mod fuzz;

mod buffers;
mod parser;
mod placeholder;
mod reassembly;

pub use buffers::write_with_buffers;
pub use decoder::{DecodeError, Decoder, DecoderLimits, Fault, Role};
pub use packet::{Args, Attachments, Body, EventName, Packet, PacketType};
pub use parser::Parser;
pub use placeholder::are_valid as placeholders_are_valid;
