//! An instance of two shards with connections that say anything.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| relay_hub::fuzz::hub(data));
