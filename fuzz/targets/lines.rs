//! See `stategate_fuzz::lines`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| stategate_fuzz::lines(text));
