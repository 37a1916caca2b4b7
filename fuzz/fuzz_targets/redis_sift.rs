//! What a Redis says to a subscriber, in any pieces.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| relay_redis::fuzz::sift(data));
