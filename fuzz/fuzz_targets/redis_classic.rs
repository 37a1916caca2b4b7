//! The dialect of the classic Redis adapter: anything arrives, anything is sent.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| relay_redis::fuzz::classic(data));
