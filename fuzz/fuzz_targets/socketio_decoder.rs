//! Packets of Socket.IO and their attachments.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| relay_socketio::fuzz::decoder(data));
