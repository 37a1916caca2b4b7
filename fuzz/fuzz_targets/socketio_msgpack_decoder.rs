//! Packets of the msgpack parser.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| relay_socketio::fuzz::msgpack_decoder(data));
