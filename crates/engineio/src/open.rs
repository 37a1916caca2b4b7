//! The open packet: the first thing a server says in a session (Engine.IO v4, handshake).
//!
//! Owns its spelling. The values are the server's configuration and the session's id.

use std::time::Duration;

use crate::sid::SessionId;

/// The parameters of a session as told to the client.
#[derive(Debug, Clone, Copy)]
pub struct Open<'a> {
    /// The secret id of the session.
    pub sid: SessionId,
    /// Names of transports that the client may upgrade to; empty when it is on the best one.
    /// They are written as they are and must need no escape.
    pub upgrades: &'a [&'a str],
    /// Time between pings, in whole milliseconds on the wire.
    pub ping_interval: Duration,
    /// Time within which a ping must be answered, in whole milliseconds on the wire.
    pub ping_timeout: Duration,
    /// Largest message or polling body that the server accepts, in bytes.
    pub max_payload: u32,
}

impl Open<'_> {
    /// Appends the packet, its type digit included. It has exactly five keys in a fixed order;
    /// clients check that none is missing, conformance tests that none is added.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"0{\"sid\":\"");
        self.sid.write(out);
        out.extend_from_slice(b"\",\"upgrades\":[");
        for (index, upgrade) in self.upgrades.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.push(b'"');
            out.extend_from_slice(upgrade.as_bytes());
            out.push(b'"');
        }
        let rest = format!(
            "],\"pingInterval\":{},\"pingTimeout\":{},\"maxPayload\":{}}}",
            self.ping_interval.as_millis(),
            self.ping_timeout.as_millis(),
            self.max_payload
        );
        out.extend_from_slice(rest.as_bytes());
    }
}
