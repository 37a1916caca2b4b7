//! Query strings of Engine.IO requests.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| relay_engineio::fuzz::query(data));
