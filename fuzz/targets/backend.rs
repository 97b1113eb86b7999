//! See `stategate_fuzz::backend`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stategate_fuzz::backend(bytes));
