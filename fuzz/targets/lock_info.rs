//! See `stategate_fuzz::lock_info`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stategate_fuzz::lock_info(bytes));
