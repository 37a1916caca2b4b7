//! Arguments as the msgpack parser writes them.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| relay_socketio::fuzz::msgpack_encoder(data));
