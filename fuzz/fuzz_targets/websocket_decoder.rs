//! Frames of RFC 6455, read whole and in pieces.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| relay_websocket::fuzz::decoder(data));
