//! Tests of the msgpack parser.

mod golden;
mod packets;
#[path = "../support/mod.rs"]
mod support;
