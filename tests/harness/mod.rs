//! What the integration tests and the demo stand on: real Terraform, an AWS stand-in and a fake
//! GitHub on loopback, and a runner that starts `stategate` exactly as the action's step does.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests and the demo each use a part of it, and it fails by panicking"
)]

pub mod action;
pub mod bucket;
pub mod downloads;
pub mod fault_proxy;
pub mod files;
pub mod github;
pub mod lab;
pub mod laptop;
pub mod ministack;
pub mod network;
pub mod outcome;
pub mod pipeline;
pub mod process;
pub mod python;
pub mod refusal;
pub mod runner;
pub mod terraform;
pub mod workflow;
pub mod world;
