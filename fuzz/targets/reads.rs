//! See `stategate_fuzz::reads`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| stategate_fuzz::reads(text));
