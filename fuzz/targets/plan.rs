//! See `stategate_fuzz::plan`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stategate_fuzz::plan(bytes));
