//! Relay as a library: a gateway for real-time messages inside your own program.
//!
//! [`Relay::builder`] sets an instance up, [`Builder::start`] starts it on threads of its own, and
//! the [`Relay`] that comes back reaches every client from any thread.
//!
//! ```
//! use std::net::Ipv4Addr;
//!
//! use relay::{Refusal, Relay, User};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let relay = Relay::builder()
//!     .host(Ipv4Addr::LOCALHOST)
//!     .port(0)
//!     .authorize(|asked| match asked.handshake().auth_text("token") {
//!         Some(_) => Ok(()),
//!         None => Err(Refusal::new("token missing")),
//!     })
//!     .start()
//!     .await?;
//! relay.to(User::from("ana")).emit("notice", "hello")?;
//! relay.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! `docs/embedding.md` tells the rest, the folder `examples` shows it.
//!
//! The crate [`server`] below it is a Socket.IO server without Relay's rules, for applications that
//! have rules of their own.

#[cfg(doctest)]
#[doc = include_str!("../../../docs/embedding.md")]
mod embedding_page {}

pub mod cluster;
mod embed;
pub mod health;
mod log;
pub mod memory;
mod metrics;
mod process;
mod routes;
pub mod settings;

pub use embed::{
    Answers, Builder, CommandError, Counted, Fetched, FetchedSocket, Relay, Sockets, StartError,
    Stats, Target,
};
pub use http;
pub use log::{Log, LogFormat, LogLevel};
pub use relay_gateway::{
    Admission, Authorize, Code, Denial, Destination, Disconnected, Event, EventError, Handshake,
    Identify, Message, NamedTypes, Socket, Thought, User, Verdict,
};
pub use relay_hub::{
    Audience, Bytes, CallLimits, EmitError, EndReason, JoinError, Limits, LogLimits, MetricLimits,
    Refusal, Room, SocketId,
};
pub use relay_redis::classic::Parser;
pub use relay_redis::cluster::{Permission, Permissions};
pub use relay_redis::link::AddressInvalid;
pub use relay_server as server;
pub use relay_server::{
    Cors, CorsError, CorsOptions, Drain, HttpBody, HttpBodyError, HttpHook, Keep, ListenError,
    Origin, PeerAddress, TrustedProxies,
};
pub use settings::Redis;
