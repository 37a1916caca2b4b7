//! Packets of Engine.IO in text form.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| relay_engineio::fuzz::packet(data));
