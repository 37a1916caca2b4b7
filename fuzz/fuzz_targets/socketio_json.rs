//! The JSON of Socket.IO payloads.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| relay_socketio::fuzz::json(data));
