//! The walkthrough that `cargo run --example demo` starts.

fn main() {}
