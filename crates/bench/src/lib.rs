//! `relay-bench`: a load generator for Socket.IO servers over WebSocket and long-polling, and the
//! floor that the performance budget is measured against.
//!
//! It owns measuring: open-loop schedules, latencies from the scheduled time, accounts of every
//! delivery, and what the server's process used meanwhile. It shares nothing with the gateway but
//! the WebSocket codec, and it measures any Socket.IO v5 server that returns what it is sent.
//!
//! The way through the code: [`scenario`] says what is done, [`mod@bench`] carries it out between two
//! looks at the server's [`process`], [`crew`] drives the threads, each of which serves its
//! clients in one epoll loop. A client is a session, and a WebSocket or long-polling under it.
//!
//! Linux only: it reads `/proc` and uses timerfd.

pub mod args;
pub mod bench;
mod client;
pub mod clock;
pub mod crew;
mod fleet;
pub mod floor;
mod http;
mod job;
pub mod latency;
pub mod ledger;
mod link;
pub mod load;
pub mod masks;
pub mod os;
pub mod pacer;
pub mod payload;
mod polling;
pub mod process;
pub mod report;
pub mod scenario;
mod session;
mod socket;
pub mod target;
mod tracker;
pub mod transport;
pub mod trend;

pub use job::dial::DialOutcome;
pub use job::storm::StormOutcome;
