//! Everything that touches the world. Shells know the core's types, never each other; only
//! `processes` is common ground.

pub mod checkout;
pub mod github;
pub mod lock_store;
pub mod processes;
pub mod runner;
pub mod signals;
pub mod sources;
pub mod terraform;
