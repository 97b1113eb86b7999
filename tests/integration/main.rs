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
mod actions;
mod apply;
mod architecture;
mod arguments;
mod bad_input;
mod bad_places;
mod cancel;
mod cancel_stages;
mod comments;
mod contention;
mod cost;
mod credentials;
mod features;
mod foreign_plans;
mod forged_footprint;
mod fuzz;
mod gate;
mod gate_beside;
mod gate_compare;
mod gate_content;
mod gate_earlier;
mod gate_effects;
mod gate_late;
mod gate_people;
mod gate_queue;
mod gate_record;
mod gate_roots;
mod gate_unseen;
mod half_way;
mod harness_parts;
mod hostile;
mod install;
#[cfg(target_os = "linux")]
mod job_end;
mod killed;
mod laptop;
mod leaks;
mod lock_faults;
mod lock_headers;
mod lock_place;
mod lock_place_roles;
mod lock_store;
mod lock_unsent;
mod log;
mod memory;
mod named_tests;
mod network;
mod new_workspace;
mod newer;
mod opentofu;
mod outsiders;
mod plan;
mod plan_by_hand;
mod plan_inputs;
mod policies;
mod readme;
mod refused_roles;
mod release_refused;
#[cfg(target_os = "linux")]
mod release_workflow;
mod render;
mod reported_errors;
mod rescue;
mod rescue_odds;
mod session_end;
mod setup_wrapper;
mod state_lost;
mod terminal;
mod terraforms;
mod unlock;
#[cfg(target_os = "linux")]
mod untraced;
mod variables;
mod versions;
mod waiting;
mod workflows;
mod wrapper;
