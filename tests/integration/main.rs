//! The integration tests: one binary, a file per behaviour. What they stand on is in `tests/harness`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test fails by panicking"
)]

#[path = "../harness/mod.rs"]
mod harness;

mod action_contract;
mod apply;
mod architecture;
mod bad_input;
mod cancel;
mod contention;
mod cost;
mod credentials;
mod foreign_plans;
mod gate;
mod gate_content;
mod harness_parts;
mod hostile;
mod laptop;
mod leaks;
mod lock_faults;
mod lock_headers;
mod lock_store;
mod network;
mod plan;
mod rescue;
mod unlock;
