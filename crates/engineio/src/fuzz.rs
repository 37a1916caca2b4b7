//! Bodies of fuzz targets: each takes any bytes and panics when an invariant does not hold.
//!
//! A fuzzer calls them directly; the crate's tests run them over a bounded number of inputs.

use crate::handshake::{Enabled, Query, Request, verify};
use crate::packet::{decode_text, encode_text};
use crate::sid::SessionId;

/// Packets: what is decoded is the same after being written and decoded again.
pub fn packet(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(packet) = decode_text(&text) else { return };
    let mut written = Vec::new();
    encode_text(&packet, &mut written);
    let written = String::from_utf8(written).expect("what is written is UTF-8");
    assert_eq!(decode_text(&written), Ok(packet));
}

/// Query strings: any text is read, parameters agree with each other, and an id that is read is
/// written the same.
pub fn query(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let query = Query::parse(&text);
    assert_eq!(query.get("transport").as_deref(), query.transport());
    assert_eq!(query.get("EIO").as_deref(), query.eio());
    assert_eq!(query.get("sid").as_deref().filter(|sid| !sid.is_empty()), query.sid());
    for (name, value) in query.parameters() {
        assert!(name.len() + value.len() <= 3 * text.len());
        assert!(query.get(&name).is_some());
        if let Some(sid) = SessionId::parse(&value) {
            assert_eq!(sid.to_text(), value);
        }
    }
    let request = Request { method_is_get: true, upgrade: true, origin: Some(data), query };
    let enabled = Enabled { polling: true, websocket: true };
    if let Err(error) = verify(&request, enabled) {
        assert!(matches!(error.status(), 400 | 403));
    }
}
