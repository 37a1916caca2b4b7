//! A Socket.IO server as a deterministic state machine.
//!
//! One [`Hub`] per shard owns connections, sockets, rooms and outboxes; what the shards of an
//! instance share is an [`Instance`]: bounds, one order for all broadcasts, a memory budget. The
//! hub reads no clock, spawns nothing and touches no IO: bytes, the time and a seed come in, bytes
//! and [`Output`]s go out. It knows nothing of any application's words: those are behind the port
//! [`Application`]; other instances are behind the port [`Cluster`].

mod acks;
mod application;
mod broadcast;
mod bulk;
mod cluster;
mod collect;
mod connection;
mod context;
mod core;
mod decide;
mod defer;
mod deliver;
mod delivery;
mod directory;
mod encode;
mod ends;
mod fan_out;
mod frame;
#[doc(hidden)]
pub mod fuzz;
mod hub;
mod id;
mod instance;
pub mod limits;
mod memory;
mod namespace;
mod open;
mod order;
mod outbox;
mod polling;
mod probe;
mod questions;
mod reason;
mod receive;
mod registry;
mod room;
mod session;
mod slots;
mod spread;
pub mod stats;

pub use application::{
    AckValue, Answer, Answers, Application, ConnectRefused, ConnectRequest, Decision, Field,
    Handshake, Happening, Head, Layer, Message, Refusal, SocketKey, Ticket,
};
pub use broadcast::{Broadcast, EmitError, Packet};
pub use bulk::{Bulk, BulkOp, JoinError};
pub use cluster::{
    Alone, Asker, Cluster, Others, Publication, Question, Remote, Response, Serving, SocketInfo,
};
pub use context::Context;
pub use delivery::DELIVERY_BUCKETS_MICROS;
pub use directory::{Expected, ShardSet};
pub use frame::Frame;
pub use hub::{Effect, Hub, Output};
pub use id::{SOCKET_ID_CHARS, SocketId};
pub use instance::{Instance, SHARDS_MAX};
pub use limits::{
    CallLimits, ClusterLimits, Limits, LogLimits, METRIC_TYPE_NAMED_BYTES_MAX,
    METRIC_TYPES_NAMED_MAX, MetricLimits, Relation,
};
pub use memory::{Held, MemoryBudget};
pub use outbox::Outbox;
pub use polling::{Body, Reply, Request};
pub use reason::{Closer, End, EndReason, WireEnd};
pub use room::{Audience, RESERVED_PREFIX, Room};
pub use session::{SessionEnd, SessionSummary};
pub use slots::Key;
pub use spread::{FAN_OUT_BUCKETS, Spread, WAIT_BUCKETS_MS};
pub use stats::Stats;

pub use bytes::Bytes;
pub use relay_socketio::packet::{Args, Attachments, EventName};

/// Writes a JSON string, quotes included.
pub use relay_socketio::json::write_string as write_json_string;
