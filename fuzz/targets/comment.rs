//! See `stategate_fuzz::comment_text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| stategate_fuzz::comment_text(text));
