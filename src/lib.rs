//! stategate stands in front of Terraform (or OpenTofu) state in S3: it takes Terraform's own
//! lock, tells the pull request what would change, and applies only what was approved.
//!
//! The rooms, from the inside out: `stategate-core`, a crate of its own, decides and touches nothing; [`shell`] touches the
//! world and decides nothing, over [`net`]; [`commands`] gather facts, ask the core and act. `ARCHITECTURE.md`
//! names the invariants.

#[macro_use]
mod detail;

pub mod cli;
pub mod commands;
pub mod error;
pub mod log;
pub mod net;
pub mod shell;
