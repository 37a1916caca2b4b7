//! The two connections, with a real Redis that comes, goes, stops and kills.

mod faults;
mod peer;
mod server;
mod tls;
mod works;
