//! `relay-bench`: a load generator for Socket.IO servers over WebSocket, and the floor that the
//! performance budget is measured against.
//!
//! It owns measuring: open-loop schedules, latencies from the scheduled time, accounts of every
//! delivery, and what the server's process used meanwhile. It shares nothing with the gateway but
//! the WebSocket codec, and it measures any Socket.IO v5 server that returns what it is sent.
//!
//! The way through the code: [`scenario`] says what is done, [`mod@bench`] carries it out between two
//! looks at the server's [`process`], [`crew`] drives the threads, each of which serves its
//! [`client`]s in one epoll loop.
//!
//! Linux only: it reads `/proc` and uses timerfd.

pub mod args;
pub mod bench;
pub mod client;
pub mod clock;
pub mod crew;
mod fleet;
pub mod floor;
mod job;
pub mod latency;
pub mod ledger;
mod link;
pub mod load;
pub mod masks;
pub mod os;
pub mod pacer;
pub mod payload;
pub mod process;
pub mod report;
pub mod scenario;
pub mod target;
mod tracker;

pub use job::dial::DialOutcome;
