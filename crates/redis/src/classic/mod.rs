//! The dialect of `@socket.io/redis-adapter` 8 (`createAdapter`), sans-IO: which channels there
//! are, what the messages on them mean, and how ours are written.
//!
//! Owns the names of channels, every message of that adapter in both directions, and the forms of
//! its older versions as far as they still arrive. Does not own connections to Redis, whose answer
//! is awaited for how long, nor what an instance does with a message.
//!
//! # What a peer must never get
//! A Node server decodes broadcasts without a safety net: bytes that its [`Parser`] does not take, or
//! of another shape, end its process or leave it deaf. So whatever is written here is an array of
//! three whose options always hold `rooms`, `except` and `flags`; requests and answers are JSON text
//! that begins with `{`, or an object in the parser's form; what is optional is left out rather than
//! null; a packet has type 2 with its binaries inline, at most [`ATTACHMENTS_MAX`] of them. What
//! cannot be written so is refused ([`Refused`]) before a byte of it leaves.
//!
//! # What a peer may send
//! Anything. What is no message is [`Garbage`]: counted by whoever receives, never fatal. A
//! request that is understood as far as its id but cannot be carried out is still a request,
//! [`PeerRequestBody::Unusable`]: its sender waits for one answer of every instance.
//!
//! # What is our own
//! One request. To count sockets is to fetch them, with a member `"relay":"count"` that no server for
//! Node looks at: it tells of its sockets, as it would to any fetch. An instance of Relay tells how
//! many it has instead, `{"requestId", "count", "complete"}`, on a channel that belongs to the asker
//! and that no server for Node listens to. So there is one request with one answer of everybody
//! whom Redis counts on the channel of requests, whoever they are.

mod answer;
mod broadcast;
mod channels;
mod document;
mod event;
mod garbage;
mod id;
mod options;
mod parser;
mod request;
mod response;
mod rooms;

pub use answer::{Answer, SocketFacts, write_ack, write_answer};
pub use broadcast::{
    Heard, PeerBroadcast, decode_broadcast, decode_broadcast_for, write_broadcast,
};
pub use channels::{Channels, DEFAULT_PREFIX, glob_escaped};
pub use document::DecodeLimits;
pub use event::{ATTACHMENTS_MAX, Refused};
pub use garbage::Garbage;
pub use id::{ID_BYTES_MAX, PeerRequestId, ShortId};
pub use options::Flags;
pub use parser::Parser;
pub use request::{
    AnswerKind, Change, OwnRequest, PeerRequest, PeerRequestBody, decode_request,
    write_broadcast_with_ack, write_request,
};
pub use response::{
    PeerCount, PeerResponse, PeerResponseBody, RemoteSocket, answered_id, decode_count,
    decode_response,
};
